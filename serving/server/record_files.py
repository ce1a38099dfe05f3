"""A series of TFRecord files, PREFIX-00001.tfrecord and so on: a new one when one is large or old, the oldest gone when they are many.

    write(record) -> PREFIX-00007.tfrecord.part -> large or old enough -> PREFIX-00007.tfrecord

So a `.tfrecord` is whole and stays as it is. A `.part` is whole up to its last record but one: what a process that was killed leaves is
cut there and made a `.tfrecord` by the next one that writes the series.
"""

import fcntl
import os
import re
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from serving.errors import StartError

SUFFIX = ".tfrecord"
PART = ".part"
_HEADER, _FOOTER = 12, 4  # bytes: length and its checksum, the data's checksum


@dataclass(frozen=True)
class Rotation:
    """When a file is full, and how many there may be, the one that is written included."""

    max_bytes: int = 64 * 1024 * 1024
    max_seconds: float = 3600.0
    max_files: int = 10


class RecordFiles:
    """One series, written by one process at a time. Raises StartError when it cannot be. The clock's seconds decide what is old."""

    def __init__(self, prefix: Path, rotation: Rotation, clock: Callable[[], float] = time.monotonic) -> None:
        self._prefix, self._rotation, self._clock = prefix, rotation, clock
        self._writer: tf.io.TFRecordWriter | None = None
        self._part = prefix
        self._bytes, self._opened = 0, 0.0
        try:
            prefix.parent.mkdir(parents=True, exist_ok=True)
            self._lock = (prefix.parent / f"{prefix.name}.lock").open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for part in self._numbered(PART).values():
                _finish(part)
        except BlockingIOError as error:
            raise StartError(f"Another server writes the request log {prefix}; expected a folder or a prefix of this one's own") from error
        except OSError as error:
            raise StartError(f"The request log {prefix} cannot be written: {error.strerror}") from error

    def write(self, record: bytes) -> None:
        """Appends a record. Raises OSError or tf.errors.OpError where the disk is full or gone; then this file is ended."""
        try:
            if self._writer is None:
                self._open()
            self._writer.write(record)
        except (OSError, tf.errors.OpError):
            self._end()
            raise
        self._bytes += len(record) + _HEADER + _FOOTER
        if self._bytes >= self._rotation.max_bytes:
            self._end()

    def flush(self) -> None:
        """What was written can be read from now on, whatever happens to this process; and an old file is ended."""
        if self._writer is not None:
            self._writer.flush()
            if self._clock() - self._opened >= self._rotation.max_seconds:
                self._end()

    def close(self) -> None:
        """Ends the file that is being written, and lets others write the series."""
        self._end()
        self._lock.close()

    def _open(self) -> None:
        files = self._numbered("")
        for number in sorted(files)[: max(0, len(files) - self._rotation.max_files + 1)]:
            files[number].unlink(missing_ok=True)
        self._part = self._prefix.parent / f"{self._prefix.name}-{max(files, default=0) + 1:05d}{SUFFIX}{PART}"
        self._writer = tf.io.TFRecordWriter(str(self._part))
        self._bytes, self._opened = 0, self._clock()

    def _end(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                writer.close()
            finally:
                _finish(self._part)

    def _numbered(self, ending: str) -> dict[int, Path]:
        """The series' files with that ending after `.tfrecord`, by their number."""
        pattern = re.compile(re.escape(self._prefix.name) + r"-(\d+)" + re.escape(SUFFIX + ending))
        found = ((pattern.fullmatch(path.name), path) for path in self._prefix.parent.iterdir())
        return {int(match[1]): path for match, path in found if match}


def whole_records(path: Path) -> tuple[int, int]:
    """How many whole records a TFRecord file begins with, and how many bytes they are. Raises OSError."""
    count = end = 0
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        while len(header := file.read(_HEADER)) == _HEADER:
            after = end + _HEADER + struct.unpack_from("<Q", header)[0] + _FOOTER
            if after > size:
                break
            count, end = count + 1, after
            file.seek(end)
    return count, end


def _finish(part: Path) -> None:
    """Makes a `.part` the whole file that it is up to its last whole record; nothing when there is none."""
    count, size = whole_records(part)
    if not count:
        part.unlink()
        return
    os.truncate(part, size)
    part.rename(part.with_name(part.name.removesuffix(PART)))
