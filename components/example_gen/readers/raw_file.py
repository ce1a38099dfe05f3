"""A raw file's bytes in blocks, unpacked where it is gzipped or the one table in a zip archive, and the sha256 of the file itself.

What was checked is what is read: open -> gzipped, zipped? by content -> block after block -> the sha256 of what lies on the disk
"""

import gzip
import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from components.example_gen.readers import zipped
from trainer.errors import DataError

BLOCK_BYTES = 1 << 22


class RawFile:
    """One file, read from its beginning to its end once.

    Attributes:
      path: where it is.
      offset: how many unpacked bytes have been given.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.offset, self._sha256 = path, 0, hashlib.sha256()

    @property
    def digest(self) -> str:
        """Sha256 (hexadecimal) of the whole file, once `blocks` has come to its end."""
        return self._sha256.hexdigest()

    def blocks(self, size: int = BLOCK_BYTES) -> Iterator[bytes]:
        """The unpacked bytes, `size` at a time.

        Raises:
          DataError: the file cannot be opened, or is not a sound gzip or zip file though it begins like one.
        """
        try:
            with self.path.open("rb") as file:
                start = file.peek(4)[:4]  # by content: browsers unpack downloads but keep the name
                if start == b"PK\x03\x04" and (name := zipped.table_in(file)):
                    yield from self._unzipped(file, name, size)
                    return
                file.seek(0)
                is_zipped = start[:2] == b"\x1f\x8b"
                hashed = Hashed(file, self._sha256)
                source = gzip.GzipFile(fileobj=hashed, mode="rb") if is_zipped else hashed  # type: ignore[call-overload]  # only read
                while block := source.read(size):
                    self.offset += len(block)
                    yield block
        except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
            raise unsound_gzip(self.path, self.offset, error) from error
        except OSError as error:
            raise DataError(f"Expected a file that can be read. Received '{self.path}': {error.strerror or error}.") from error

    def _unzipped(self, file: IO[bytes], name: str, size: int) -> Iterator[bytes]:
        file.seek(0)
        while packed := file.read(size):  # its list of files is at its end
            self._sha256.update(packed)
        with zipfile.ZipFile(file) as archive, archive.open(name) as source:
            while block := source.read(size):
                self.offset += len(block)
                yield block


class Hashed:
    """A file of which whatever is read is hashed."""

    def __init__(self, file: IO[bytes], sha256: "hashlib._Hash") -> None:
        self._file, self._sha256 = file, sha256

    def read(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end."""
        block = self._file.read(size)
        self._sha256.update(block)
        return block


def unsound_gzip(path: Path, offset: int, error: Exception) -> DataError:
    """What to raise where a gzipped file cannot be unpacked any further; `offset` counts unpacked bytes."""
    cause, kind = str(error).rstrip("."), "zip" if isinstance(error, zipfile.BadZipFile) else "gzip"
    return DataError(
        f"Expected a sound {kind} file. Received '{path}', which is truncated or corrupt near offset {offset:,}: {cause}. "
        "Copy or download it again."
    )


def sha256(path: Path) -> str:
    """Sha256 (hexadecimal) of the file as it lies on the disk."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
