"""What is in a zip or tar archive, read without unpacking it to the disk; what no archive of data needs is refused by its name.

entries -> name, size, why it is refused -> its bytes, never more than it declares
"""

import bz2
import contextlib
import functools
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

from components.example_gen.readers.encoding import binary_name, detect
from components.example_gen.readers.raw_file import BLOCK_BYTES
from components.example_gen.readers.zip_list import NO_ZIP, files_of
from trainer.errors import DataError

_OPENERS: dict[bytes, Callable[[Any], IO[bytes]]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
_LEAST_BOMB = 1 << 30  # unpacked bytes that no archive is suspected for
_MOST_RATIO = 200  # unpacked to packed bytes; pictures hardly shrink
_BUFFER_BYTES = 1 << 17
_HEADER_BYTES = 1 << 20  # of one member of a tar archive: tarfile keeps long names and the like in memory
_NO_TAR = "no tar archive"
_NO_MEMBER = (
    zipfile.BadZipFile,  # its header or checksum is wrong
    zlib.error,  # deflated, and damaged
    lzma.LZMAError,  # the same of LZMA
    EOFError,  # cut
    OSError,  # bzip2 that is damaged, or the file itself
    NotImplementedError,  # a method that Python lacks
    RuntimeError,  # encrypted
)
_MORE = "Copy or download it again."


class Entry(NamedTuple):
    """A file in an archive.

    Attributes:
      name: folders and file with `/` between them.
      size: bytes that it declares.
      problem: why it is not read; empty where it is.
      read: its bytes, until the next entry is taken. Raises EntryError, or DataError where the archive is broken from here on.
    """

    name: str
    size: int
    problem: str
    read: Callable[[], bytes]


class EntryError(Exception):
    """Why one entry cannot be read, as the reason of a Reject."""


def kind(path: Path) -> Literal["zip", "tar"]:
    """Which kind of archive a file is, by its content.

    Raises:
      DataError: it is none.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4096)
    except OSError as error:
        raise DataError(f"Expected a file that can be read. Received '{path}': {error.strerror or error}.") from error
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if start.startswith(tuple(_OPENERS)) or start[257:262] == b"ustar" or path.suffix == ".tar":
        return "tar"
    what = binary_name(start) or ("another file" if start else "an empty file")
    raise DataError(f"Expected a folder, or a zip or tar archive. Received '{path}', which is {what}.")


@contextlib.contextmanager
def entries(path: Path, max_bytes: int) -> Iterator[Iterator[Entry]]:
    """The files in the archive, in its order; those of more than `max_bytes` have that for a problem.

    Raises:
      DataError: it is no archive, broken, or unpacks to far more than pictures do.
    """
    if kind(path) == "zip":
        with _opened_zip(path) as archive:
            yield _in_zip(path, archive, max_bytes)
    else:
        yield _in_tar(path, max_bytes)


def _opened_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except NO_ZIP as error:
        cause = "its list of files, at the end, is missing" if str(error) == "File is not a zip file" else str(error).rstrip(".")
        raise DataError(f"Expected a sound zip archive. Received '{path}', which is truncated or corrupt: {cause}. {_MORE}") from error


def _in_zip(path: Path, archive: zipfile.ZipFile, max_bytes: int) -> Iterator[Entry]:
    infos = files_of(archive)
    _check_size(path, sum(info.file_size for info in infos), path.stat().st_size)
    end = 0
    overlapping = set()
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:  # the same bytes more than once: how a small archive holds a lot
            overlapping.add(info.header_offset)
        end = max(end, info.header_offset + info.compress_size)
    seen: set[str] = set()
    for info, name in zip(infos, _names(infos), strict=True):
        mode = info.external_attr >> 16
        problem = _problem(name, info.file_size, max_bytes, seen)
        if stat.S_ISLNK(mode):
            problem = "a link"
        elif stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
            problem = "no regular file"
        elif info.flag_bits & 1:
            problem = "encrypted"
        elif info.header_offset in overlapping:
            problem = "its bytes are those of another file in the archive"
        yield Entry(name, info.file_size, problem, functools.partial(_from_zip, archive, info))


def _from_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        with archive.open(info) as file:
            return file.read(info.file_size + 1)
    except _NO_MEMBER as error:  # damaged, of a method that Python lacks, or encrypted
        raise EntryError(f"truncated or corrupt in the archive: {error}") from error


def _names(infos: list[zipfile.ZipInfo]) -> list[str]:
    """The files' names. Old programs write them in the encoding of their own machine, without saying in which, and with backslashes."""
    raw = [None if info.flag_bits & 0x800 else info.orig_filename.encode("cp437", "replace") for info in infos]
    foreign = [name for name in raw if name is not None and not name.isascii()]
    codec = detect([b"\n".join(foreign)]).codec if foreign else "ascii"
    names = [info.orig_filename if name is None else name.decode(codec, "replace") for info, name in zip(infos, raw, strict=True)]
    return [name if "/" in name else name.replace("\\", "/") for name in names]


def _in_tar(path: Path, max_bytes: int) -> Iterator[Entry]:
    with path.open("rb") as file:
        start = file.read(6)
        file.seek(0)
        opener = next((opener for beginning, opener in _OPENERS.items() if start.startswith(beginning)), None)
        unpacked = _Unpacked(path, opener(file) if opener else file)
        seen: set[str] = set()
        try:
            with tarfile.open(fileobj=unpacked, mode="r|", bufsize=_BUFFER_BYTES, tarinfo=_member(unpacked)) as archive:
                for member in archive:
                    archive.members.clear()  # it keeps all of them
                    if member.isdir():
                        continue
                    problem = _problem(member.name, member.size, max_bytes, seen)
                    if member.issym() or member.islnk():
                        problem = "a link"
                    elif not member.isfile() or member.issparse():
                        problem = "no regular file"
                    yield Entry(member.name, member.size, problem, functools.partial(_from_tar, archive, member, unpacked))
        except tarfile.TarError as error:
            raise unpacked.broken(str(error)) from error
        while unpacked.read(BLOCK_BYTES):  # what was checked ends where the file does
            pass


def _from_tar(archive: tarfile.TarFile, member: tarfile.TarInfo, unpacked: "_Unpacked") -> bytes:
    try:
        file = archive.extractfile(member)
        return file.read() if file else b""
    except tarfile.TarError as error:
        raise unpacked.broken(str(error)) from error


class _Unpacked(io.RawIOBase):
    """The bytes of a tar archive, counted.

    Attributes:
      left: how many more may be read, None for any number: of a header only.
    """

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self._path, self._file, self._packed, self._offset = path, file, path.stat().st_size, 0
        self.left: int | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            block = self._file.read(size)
        except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
            raise self.broken(str(error).rstrip(".")) from error
        self._offset += len(block)
        _check_size(self._path, self._offset, self._packed)
        if self.left is not None:
            self.left -= len(block)
            if self.left < 0:
                raise self.broken(f"a file's header of more than {_HEADER_BYTES:,} bytes")
        return block

    def broken(self, cause: str) -> DataError:
        if cause == _NO_TAR:
            return DataError(f"Expected a folder, or a zip or tar archive. Received '{self._path}', which holds something else.")
        near = f"near offset {self._offset:,}"
        return DataError(
            f"Expected a sound tar archive. Received '{self._path}', which is truncated or corrupt {near} unpacked: {cause}. {_MORE}"
        )


def _member(unpacked: _Unpacked) -> type[tarfile.TarInfo]:
    """A TarInfo that tells of a broken header, which tarfile takes for the archive's end, and reads none that is too long."""

    class Member(tarfile.TarInfo):
        @classmethod
        def fromtarfile(cls, archive: tarfile.TarFile) -> tarfile.TarInfo:
            unpacked.left = _HEADER_BYTES
            try:
                return super().fromtarfile(archive)
            except tarfile.EOFHeaderError:  # the blocks of zeros at the end
                raise
            except tarfile.HeaderError as error:
                raise unpacked.broken(str(error) if archive.offset else _NO_TAR) from error
            finally:
                unpacked.left = None

    return Member


def _problem(name: str, size: int, max_bytes: int, seen: set[str]) -> str:
    if name.startswith(("/", "\\")) or name[1:2] == ":":
        return "an absolute path"
    if ".." in name.replace("\\", "/").split("/"):
        return "'..' in its path"
    if not name.isprintable():  # surrogates of what is no UTF-8, too
        return "a name that is no printable UTF-8"
    if size > max_bytes:
        return f"{size:,} bytes unpacked, more than {max_bytes:,}"
    if name in seen:
        return "there twice"
    seen.add(name)
    return ""


def _check_size(path: Path, unpacked: int, packed: int) -> None:
    if unpacked > max(_LEAST_BOMB, _MOST_RATIO * packed):
        raise DataError(
            f"Expected an archive that unpacks to at most {_MOST_RATIO} times its size. "
            f"Received '{path}', {packed:,} bytes that unpack to {unpacked:,} or more. Unpack it by hand if that is right."
        )
