"""Archives are read without unpacking them; what no data set needs is refused by name, and a small file never becomes a large one."""

import gzip
import io
import stat
import struct
import tarfile
import zipfile

import numpy as np
import pytest

from components.example_gen.readers import archive
from components.example_gen.readers.archive import EntryError
from trainer.errors import DataError

MOST = 1000


def read(path, max_bytes=MOST):
    """{name: content, or why there is none}."""
    found = []
    with archive.entries(path, max_bytes) as entries:
        for entry in entries:
            try:
                found.append((entry.name, entry.problem or entry.read()))
            except EntryError as error:
                found.append((entry.name, str(error)))
    assert len(dict(found)) == len(found) or "there twice" in dict(found).values()
    return dict(found)


def error_of(path):
    with pytest.raises(DataError) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(path), path.name)


@pytest.fixture
def write_tar(tmp_path):
    def write(*members, mode="w:gz", name="x.tar", **options):
        """Of (name, content) or TarInfo."""
        path = tmp_path / name
        with tarfile.open(path, mode, **options) as file:
            for member in members:
                info, content = (member, b"") if isinstance(member, tarfile.TarInfo) else (tarfile.TarInfo(member[0]), member[1])
                info.size = len(content) or info.size
                file.addfile(info, io.BytesIO(content or bytes(info.size)))
        return path

    return write


@pytest.fixture
def write_zip(tmp_path):
    def write(*members, kind=zipfile.ZIP_DEFLATED):
        path = tmp_path / "x.zip"
        with zipfile.ZipFile(path, "w", kind) as file:
            for name, content in members:
                file.writestr(name, content)
        return path

    return write


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_archive_gives_its_files_in_order_however_it_is_packed(write_tar, mode):
    folder = tarfile.TarInfo("犬")
    folder.type = tarfile.DIRTYPE
    long = "cat/" + "x" * 150 + ".jpg"
    path = write_tar(folder, ("犬/1.jpg", b"one" * 100), ("empty", b""), (long, b"two"), mode=mode)
    assert list(read(path).items()) == [("犬/1.jpg", b"one" * 100), ("empty", b""), (long, b"two")]


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_archive_gives_its_files_however_they_are_packed(write_zip, kind):
    path = write_zip(("犬/", b""), ("犬/1.jpg", b"one" * 100), ("cat/2.jpg", b"two"), kind=kind)
    assert read(path) == {"犬/1.jpg": b"one" * 100, "cat/2.jpg": b"two"}


@pytest.mark.parametrize("codec", ["cp932", "utf-8"])
def test_names_of_old_zip_programs_are_read_in_the_encoding_of_their_machine(write_zip, codec):
    names = ["写真/きゅうり/1.jpg", "写真/トマト/2.jpg", "写真/人参/3.jpg"]
    path = write_zip(*[(f"{number}{'.' * (len(name.encode(codec)) - 1)}", b"x") for number, name in enumerate(names)])
    data = path.read_bytes()
    for number, name in enumerate(names):  # without the flag that says UTF-8, as those programs write them
        data = data.replace(f"{number}{'.' * (len(name.encode(codec)) - 1)}".encode(), name.encode(codec))
    path.write_bytes(data)
    assert list(read(path)) == names


def test_backslashes_of_windows_are_folders(write_zip):
    assert list(read(write_zip((r"cat\1.jpg", b"x")))) == ["cat/1.jpg"]


def test_a_damaged_name_that_is_empty_keeps_no_other_file_from_being_read(write_zip):
    path = write_zip(("a.png", b"a"), ("?b.png", b"b"))
    path.write_bytes(path.read_bytes().replace(b"?b.png", b"\0b.png"))  # a name ends at the first NUL
    assert read(path)["a.png"] == b"a"


def test_paths_that_lead_out_are_refused_by_name(write_tar, write_zip):
    names = ["/etc/x.jpg", "a/../../x.jpg", "C:/x.jpg", r"..\x.jpg", "a\nb.jpg"]
    expected = ["an absolute path", "'..' in its path", "an absolute path", "'..' in its path", "a name that is no printable UTF-8"]
    assert list(read(write_tar(*[(name, b"x") for name in names])).values()) == expected
    assert list(read(write_zip(*[(name, b"x") for name in names])).values()) == expected


def test_links_devices_and_sparse_files_in_a_tar_archive_are_refused_by_name(write_tar):
    members = []
    for name, kind in (
        ("s", tarfile.SYMTYPE),
        ("h", tarfile.LNKTYPE),
        ("c", tarfile.CHRTYPE),
        ("p", tarfile.FIFOTYPE),
        ("g", tarfile.GNUTYPE_SPARSE),
    ):
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        members.append(info)
    assert read(write_tar(*members)) == {
        "s": "a link",
        "h": "a link",
        "c": "no regular file",
        "p": "no regular file",
        "g": "no regular file",
    }


def test_links_and_encrypted_files_in_a_zip_archive_are_refused_by_name(write_zip):
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = write_zip((link, b"/etc/passwd"), ("secret.jpg", b"x"), kind=zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1  # the flag of the last file in the list
    path.write_bytes(data)
    assert read(path) == {"link.jpg": "a link", "secret.jpg": "encrypted"}


def test_a_name_that_is_there_twice_is_read_once(write_tar):
    path = write_tar(("a.jpg", b"1"), ("a.jpg", b"2"))
    with archive.entries(path, MOST) as entries:
        assert [(entry.name, entry.problem) for entry in entries] == [("a.jpg", ""), ("a.jpg", "there twice")]


def test_a_file_that_declares_more_than_the_limit_is_refused_and_the_next_is_read(write_tar, write_zip):
    members = [("bomb.jpg", bytes(MOST + 1)), ("good.jpg", bytes(MOST))]
    for path in (write_tar(*members), write_zip(*members)):
        assert read(path) == {"bomb.jpg": "1,001 bytes unpacked, more than 1,000", "good.jpg": bytes(MOST)}


def test_a_zip_entry_that_lies_about_its_size_gives_no_more_than_it_declares(write_zip):
    path = write_zip(("bomb.jpg", bytes(1 << 20)))
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", 1 << 20), struct.pack("<I", 100)))
    assert read(path) == {"bomb.jpg": "truncated or corrupt in the archive: Bad CRC-32 for file 'bomb.jpg'"}


def test_zip_entries_that_share_their_bytes_are_refused(write_zip):
    path = write_zip(("a.jpg", bytes(500)), ("b.jpg", bytes(500)), kind=zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    second = data.rindex(b"PK\x01\x02")
    data[second + 42 : second + 46] = bytes(4)  # where its bytes are: those of the first one
    path.write_bytes(data)
    assert "its bytes are those of another file in the archive" in read(path).values()


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_that_unpacks_to_far_more_than_pictures_do_is_refused(write_tar, write_zip, monkeypatch, kind):
    monkeypatch.setattr(archive, "_LEAST_BOMB", 1 << 16)
    members = [(f"{number}.jpg", bytes(MOST)) for number in range(5000)]
    path = write_tar(*members, mode="w:bz2") if kind == "tar" else write_zip(("x.jpg", bytes(1 << 22)))
    assert error_of(path).startswith("Expected an archive that unpacks to at most 200 times its size. Received 'x.")


def test_a_header_that_would_fill_the_memory_is_refused(write_tar):
    path = write_tar(("a.jpg", b"x"), ("y" * (1 << 21) + ".jpg", b"x"), format=tarfile.GNU_FORMAT)
    assert "a file's header of more than 1,048,576 bytes" in error_of(path)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_archive_that_is_cut_anywhere_is_told_from_a_short_one(write_tar, mode):
    data = write_tar(*[(f"{number}.jpg", np.random.default_rng(number).bytes(900)) for number in range(9)], mode=mode).read_bytes()
    path = write_tar()
    for end in (len(data) // 3 // 512 * 512, 20, len(data) // 2 + 77, len(data) * 3 // 4 - 1, len(data) - 3):
        path.write_bytes(data[:end])
        if mode == "w" and (end < 512 or end > 9 * 1536):
            continue  # no header yet; or the blocks of zeros behind the last file
        assert error_of(path).startswith("Expected a sound tar archive. Received 'x.tar', which is truncated or corrupt near offset"), end


def test_a_gzipped_tar_archive_is_read_to_the_end_of_the_gzip_file(write_tar):
    path = write_tar(("a.jpg", b"x"), mode="w")
    data = gzip.compress(path.read_bytes() + bytes(1 << 20))  # blocks of zeros, as tapes had them
    path.write_bytes(data)
    assert read(path) == {"a.jpg": b"x"}
    path.write_bytes(data[:-3])
    assert "truncated or corrupt" in error_of(path)


def test_a_tar_archive_that_ends_between_two_files_or_in_a_broken_header_is_truncated(write_tar):
    path = write_tar(("a.jpg", b"x"), ("b.jpg", b"y"), mode="w")
    data = path.read_bytes()
    for damaged in (data[:1024], data[:1024] + b"?" * 512 + data[1536:]):
        path.write_bytes(damaged)
        assert "truncated or corrupt" in error_of(path)


def test_a_zip_archive_that_is_cut_or_damaged_is_told(write_zip):
    path = write_zip(("a.jpg", bytes(range(200))), ("b.jpg", b"y"))
    data = path.read_bytes()
    path.write_bytes(data[:-30])
    assert error_of(path) == (
        "Expected a sound zip archive. Received 'x.zip', which is truncated or corrupt: its list of files, at the end, is missing. "
        "Copy or download it again."
    )
    path.write_bytes(data[:60] + b"????" + data[64:])
    assert read(path)["a.jpg"].startswith("truncated or corrupt in the archive: ")
    assert read(path)["b.jpg"] == b"y"


@pytest.mark.parametrize(
    ("content", "what"), [(b"", "an empty file"), (b"\x89PNG\r\n\x1a\n", "a PNG picture"), (b"a,b\n1,2\n", "another file")]
)
def test_what_is_no_archive_is_told_by_name(tmp_path, content, what):
    path = tmp_path / "x.bin"
    path.write_bytes(content)
    assert error_of(path) == f"Expected a folder, or a zip or tar archive. Received 'x.bin', which is {what}."


def test_a_gzip_file_of_something_else_holds_no_tar_archive(tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"a,b\n" * 1000))
    assert error_of(path) == "Expected a folder, or a zip or tar archive. Received 'x.gz', which holds something else."
