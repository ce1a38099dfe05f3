"""Damaged and hostile archives of pictures."""

import bz2
import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable

from tests.pipeline.damaged.case import Case, file
from tests.pipeline.damaged.picture_files import ROWS, picture

_SOUND = {f"{name}/{number}.png": picture(place * 15 + number) for place, name in enumerate(("cat", "dog")) for number in range(15)}


def _zip(more: dict[str, bytes] | None = None, sound: dict[str, bytes] = _SOUND) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**sound, **(more or {})}.items():
            archive.writestr(name, content)
    return data.getvalue()


def _tar(add: Callable[[tarfile.TarFile], object] = lambda archive: None, kind: str = "gz", sound: dict[str, bytes] = _SOUND) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=f"w:{kind}") as archive:
        for name, content in sound.items():
            _add(archive, name, content)
        add(archive)
    return data.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> None:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(content), kind, link
    archive.addfile(info, io.BytesIO(content))


def _twice() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in [*_SOUND.items(), ("dog/1.png", picture(99))]:
            info = zipfile.ZipInfo(name)
            archive.writestr(info, content)
    return data.getvalue()


def _link_in_zip() -> bytes:
    data = io.BytesIO(_zip())
    with zipfile.ZipFile(data, "a") as archive:
        info = zipfile.ZipInfo("dog/link.png")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    return data.getvalue()


def _encrypted() -> bytes:
    """The flag of an encrypted member is set in the local header and in the list at the end of every file."""
    data = bytearray(_zip())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(mark)
        while at >= 0:
            data[at + offset] |= 1
            at = data.find(mark, at + 4)
    return bytes(data)


def _bomb() -> bytes:
    """Two gigabytes of zeros, each 64 MiB a picture by its name, in two megabytes."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("dog/0.png", bytes(1 << 26))
        first = archive.infolist()[0]
        for number in range(1, 40):  # the same bytes again and again, as in zip bombs that do not nest
            info = zipfile.ZipInfo(f"cat/{number}.png")
            info.header_offset, info.compress_size, info.file_size, info.CRC = (
                first.header_offset,
                first.compress_size,
                first.file_size,
                first.CRC,
            )
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.filelist.append(info)
            archive.NameToInfo[info.filename] = info
            archive._didModify = True
    return data.getvalue()


def _size_that_lies() -> bytes:
    """A member that says it is 10 bytes long and unpacks to 64 MiB."""
    data = bytearray(_zip({"dog/bomb.png": bytes(1 << 26)}))
    size = struct.pack("<I", 1 << 26)
    while (at := data.find(size)) >= 0:
        data[at : at + 4] = struct.pack("<I", 10)
    return bytes(data)


def _case(what: str, name: str, content: Callable[[], bytes] | bytes, init: str, ingest: str, **more: object) -> Case:
    return Case(what, file(name, content), "images", init, ingest, **more)


def _refused(what: str, name: str, content: Callable[[], bytes]) -> Case:
    """One entry is refused: `init` says so, and a run ends."""
    return _case(what, name, content, "0 cannot be read", "1")


def _long_header() -> bytes:
    """A tar archive whose one member has a name of 64 MiB."""
    return _tar(lambda archive: _add(archive, "dog/" + "x" * (1 << 26) + ".png"))


CASES = [
    _case("zip, sound", "pets.zip", _zip, "0", f"0 {ROWS}"),
    _case("tar.gz, sound", "pets.tar.gz", _tar, "0", f"0 {ROWS}"),
    _case("tar.bz2, sound", "pets.tar.bz2", lambda: _tar(kind="bz2"), "0", f"0 {ROWS}"),
    _case("tar.xz, sound", "pets.tar.xz", lambda: _tar(kind="xz"), "0", f"0 {ROWS}"),
    _case("zip cut in half", "pets.zip", lambda: _zip()[: len(_zip()) // 2], "1", "1"),
    _case("zip without its last bytes", "pets.zip", lambda: _zip()[:-10], "1", "1"),
    _case("zip of nothing", "pets.zip", lambda: _zip(sound={}), "1", "1"),
    _case("zip of texts", "pets.zip", lambda: _zip(sound={"cat/a.txt": b"a"}), "2", "1"),
    _case("tar.gz cut in half", "pets.tar.gz", lambda: _tar()[: len(_tar()) // 2], "1", "1"),
    _case("tar cut in half", "pets.tar", lambda: _tar(kind="")[:20_000], "1", "1"),
    _case("tar cut between two members", "pets.tar", lambda: _tar(kind="")[: 10 * 1024], "1", "1"),
    _case("tar of nothing", "pets.tar", lambda: _tar(kind="", sound={}), "1", "1"),
    _case("tar of zeros", "pets.tar", bytes(10_240), "1", "1"),
    _case(
        "tar with a broken header in the middle",
        "pets.tar",
        lambda: _tar(kind="")[:10_240] + b"\x99" * 512 + _tar(kind="")[10_752:],
        "1",
        "1",
    ),
    _case("empty file named .zip", "pets.zip", b"", "1", "1"),
    _case("text named .zip", "pets.zip", b"text", "1", "1"),
    _case("text named .tar", "pets.tar", b"text" * 999, "1", "1"),
    _case("gzip of text named .tar.gz", "pets.tar.gz", gzip.compress(b"text" * 999), "1", "1"),
    _case("bzip2 of text named .tar.bz2", "pets.tar.bz2", bz2.compress(b"text" * 999), "1", "1"),
    _case("7z named .zip", "pets.zip", b"7z\xbc\xaf\x27\x1c" + bytes(99), "1", "1"),
    _case("RAR named .zip", "pets.zip", b"Rar!\x1a\x07\x01\x00" + bytes(99), "1", "1"),
    _case("all encrypted", "pets.zip", _encrypted, "1", "1"),
    _refused("zip with ../", "pets.zip", lambda: _zip({"../../dog/x.png": picture(99)})),
    _refused("zip with an absolute name", "pets.zip", lambda: _zip({"/dog/x.png": picture(99)})),
    _refused("zip with a drive letter", "pets.zip", lambda: _zip({"C:/dog/x.png": picture(99)})),
    _refused("zip with a link", "pets.zip", _link_in_zip),
    _refused("zip with a name twice", "pets.zip", _twice),
    _case(
        "zip with names that collide in case",
        "pets.zip",
        lambda: _zip({"dog/A.png": picture(98), "dog/a.png": picture(99)}),
        "0",
        f"0 {ROWS + 2}",
    ),
    _refused(
        "zip with another checksum",
        "pets.zip",
        lambda: _zip().replace(struct.pack("<I", zlib.crc32(picture(16))), b"\1\2\3\4"),
    ),
    _refused("zip with a size that lies", "pets.zip", _size_that_lies),
    _refused("tar with ../", "pets.tar", lambda: _tar(lambda archive: _add(archive, "../dog/x.png", picture(99)), "")),
    _refused("tar with an absolute name", "pets.tar", lambda: _tar(lambda archive: _add(archive, "/dog/x.png", picture(99)), "")),
    _refused(
        "tar with a symbolic link",
        "pets.tar",
        lambda: _tar(lambda archive: _add(archive, "dog/x.png", kind=tarfile.SYMTYPE, link="/etc/passwd"), ""),
    ),
    _refused(
        "tar with a hard link",
        "pets.tar",
        lambda: _tar(lambda archive: _add(archive, "dog/x.png", kind=tarfile.LNKTYPE, link="dog/1.png"), ""),
    ),
    _refused("tar with a device", "pets.tar", lambda: _tar(lambda archive: _add(archive, "dog/x.png", kind=tarfile.CHRTYPE), "")),
    _refused("tar with a FIFO", "pets.tar", lambda: _tar(lambda archive: _add(archive, "dog/x.png", kind=tarfile.FIFOTYPE), "")),
    _refused("tar with a name twice", "pets.tar", lambda: _tar(lambda archive: _add(archive, "dog/1.png", picture(99)), "")),
    _refused(
        "tar with a name of control characters",
        "pets.tar",
        lambda: _tar(lambda archive: _add(archive, "dog/\x1b[31m.png", picture(99)), ""),
    ),
    _case("an archive inside of an archive", "pets.zip", lambda: _zip({"dog/more.zip": _zip()}), "0", f"0 {ROWS}"),
    _case("only an archive inside of an archive", "pets.zip", lambda: _zip(sound={"dog/more.zip": _zip()}), "1", "1"),
    _case("zip bomb", "pets.zip", _bomb, "1", "1"),
    _case(
        "tar.gz bomb",
        "pets.tar.gz",
        lambda: gzip.compress(_tar(kind="")[:-1024] + tarfile.TarInfo("dog/x.png").tobuf() + bytes(1536 << 20), 1),
        "1",
        "1",
    ),
    _case("tar.gz with a name of 64 MiB", "pets.tar.gz", _long_header, "1", "1"),
    _case("zip of one class", "pets.zip", lambda: _zip(sound={f"cat/{number}.png": picture(number) for number in range(15)}), "2", "1"),
]
