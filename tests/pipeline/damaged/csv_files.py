"""Things that are named like a CSV file, and are none."""

import bz2
import gzip
import io
import os
import sqlite3
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from tests.pipeline.damaged.case import ROWS, TABLE, Case, file, text

_LABEL = ("--label", "y")
_GZIPPED = gzip.compress(text(3000).encode())


def _case(name, make, init, ingest, suffix="csv", **more):
    make = make if callable(make) else file(f"table.{suffix}", make)
    return Case(name, make, "csv", init, ingest, **{"options": _LABEL, "columns": TABLE, **more})


def _png() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (30, 30)).save(data, "PNG")
    return data.getvalue()


def _office() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return data.getvalue()


def _zip() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("table.csv", text())
    return data.getvalue()


def _tar() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        info = tarfile.TarInfo("table.csv")
        info.size = len(text())
        archive.addfile(info, io.BytesIO(text().encode()))
    return data.getvalue()


def _sqlite(folder: Path) -> Path:
    with sqlite3.connect(folder / "table.csv") as connection:
        connection.execute("CREATE TABLE rows (a, b, y)")
    connection.close()
    return folder / "table.csv"


def _parquet(folder: Path) -> Path:
    parquet.write_table(pa.table({"a": [1.0], "y": ["no"]}), folder / "table.csv")
    return folder / "table.csv"


def _folder(folder: Path) -> Path:
    (folder / "table.csv").mkdir()
    return folder / "table.csv"


def _loop(folder: Path) -> Path:
    (folder / "table.csv").symlink_to("table.csv")
    return folder / "table.csv"


def _dangling(folder: Path) -> Path:
    (folder / "table.csv").symlink_to("nowhere.csv")
    return folder / "table.csv"


def _fifo(folder: Path) -> Path:
    os.mkfifo(folder / "table.csv")
    return folder / "table.csv"


def _fifo_among_files(folder: Path) -> str:
    (folder / "one.csv").write_text(text())
    os.mkfifo(folder / "two.csv")
    return f"{folder}/*.csv"


def _unreadable(folder: Path) -> Path:
    if os.geteuid() == 0:
        pytest.skip("root reads every file")
    (folder / "table.csv").write_text(text())
    (folder / "table.csv").chmod(0)
    return folder / "table.csv"


def _two(second: str, name: str = "two.csv"):
    def make(folder: Path) -> str:
        (folder / "one.csv").write_text(text())
        (folder / name).write_bytes(second if isinstance(second, bytes) else second.encode())
        return f"{folder}/*.csv"

    return make


CASES = [
    _case("not there", lambda folder: folder / "table.csv", "2", "2"),
    _case("not there, but one of a near name", lambda folder: file("tables.csv", text())(folder).with_name("table.csv"), "2", "2"),
    _case("a pattern without a file", lambda folder: f"{folder}/*.csv", "2", "2"),
    _case("a name of 300 letters", lambda folder: folder / ("t" * 300 + ".csv"), "2", "2"),
    _case("a name with a NUL byte", lambda folder: f"{folder}/ta\0ble.csv", "2", "2"),
    _case("a name with a line end, sound", file("ta\nble.csv", text()), "0", f"0 {ROWS}"),
    _case("a path below a file", lambda folder: file("table.csv", text())(folder) / "table.csv", "2", "2"),
    _case("an empty folder", _folder, "2", "2"),
    _case("a symbolic link to itself", _loop, "2", "2"),
    _case("a symbolic link to nothing", _dangling, "2", "2"),
    _case("a FIFO", _fifo, "2", "2"),
    _case("a FIFO among files", _fifo_among_files, "0", f"0 {ROWS}"),
    _case("a device", lambda folder: "/dev/zero", "2", "2"),
    _case("no permission", _unreadable, "1", "1"),
    _case("garbage named .gz", b"\x1f\x8b" + b"garbage" * 99, "1", "1", "csv.gz"),
    _case("text named .gz, sound", text(), "0", f"0 {ROWS}", "csv.gz"),
    _case("gzip not named so, sound", gzip.compress(text().encode()), "0", f"0 {ROWS}"),
    _case("gzip cut in half", _GZIPPED[: len(_GZIPPED) // 2], "1", "1", "csv.gz"),
    _case("gzip cut in its header", _GZIPPED[:5], "1", "1", "csv.gz"),
    _case("gzip cut before its checksum", _GZIPPED[:-8], "1", "1", "csv.gz"),
    _case("gzip with another checksum", _GZIPPED[:-8] + bytes(4) + _GZIPPED[-4:], "1", "1", "csv.gz"),
    _case("gzip with garbage behind it", _GZIPPED + b"garbage", "1", "1", "csv.gz"),
    _case("gzip of nothing", gzip.compress(b""), "1", "1", "csv.gz"),
    _case("gzip of gzip", gzip.compress(_GZIPPED), "1", "1", "csv.gz"),
    _case("gzip of a PNG", gzip.compress(_png()), "1", "1", "csv.gz"),
    _case("a tar.gz named .csv.gz", _tar(), "1", "1", "csv.gz"),
    _case("a PNG", _png(), "1", "1"),
    _case("a PDF", b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n", "1", "1"),
    _case("an Excel workbook", _office(), "1", "1"),
    _case("a zip archive, sound", _zip(), "0", f"0 {ROWS}"),
    _case("an SQLite database", _sqlite, "1", "1"),
    _case("a Parquet file", _parquet, "1", "1"),
    _case("a pickle", b"\x80\x04\x95\x10\0\0\0\0\0\0\0]\x94(K\x01K\x02e.", "1", "1"),
    _case("a bzip2 file", bz2.compress(text().encode()), "1", "1"),
    _case("a zstd file", b"\x28\xb5\x2f\xfd\x04\x58" + text().encode(), "1", "1"),
    _case("two files of different headers", _two(text(header="a,c,y")), "2", "2"),
    _case("two files, the second one empty", _two(""), "1", "1"),
    _case("two files, the second one a picture", _two(_png()), "1", "1"),
    _case("two files with other delimiters", _two(text(delimiter=";")), "2", "2"),
]
