"""A raw file's bytes in blocks, unpacked where it is gzipped, and the sha256 of the file itself: what was checked is what is read.

open -> gzipped? by content -> block after block -> the sha256 of what lies on the disk
"""

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

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
          DataError: the file cannot be opened, or is not a sound gzip file though it begins like one.
        """
        try:
            with self.path.open("rb") as file:
                is_zipped = file.peek(2)[:2] == b"\x1f\x8b"  # by content: browsers unpack downloads but keep the name
                hashed = Hashed(file, self._sha256)
                source = gzip.GzipFile(fileobj=hashed, mode="rb") if is_zipped else hashed  # type: ignore[call-overload]  # only read
                while block := source.read(size):
                    self.offset += len(block)
                    yield block
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise unsound_gzip(self.path, self.offset, error) from error
        except OSError as error:
            raise DataError(f"Expected a file that can be read. Received '{self.path}': {error.strerror or error}.") from error


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
    cause = str(error).rstrip(".")
    return DataError(
        f"Expected a sound gzip file. Received '{path}', which is truncated or corrupt near offset {offset:,}: {cause}. "
        "Copy or download it again."
    )


def sha256(path: Path) -> str:
    """Sha256 (hexadecimal) of the file as it lies on the disk."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
