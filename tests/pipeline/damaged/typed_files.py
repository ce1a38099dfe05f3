"""Damaged Parquet files."""

import datetime
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from tests.pipeline.damaged.case import ROWS, TABLE, Case, file, text

_LABEL = ("--label", "y")
_COLUMNS = {
    "a": [number + 0.5 for number in range(ROWS)],
    "b": [f"word{number % 3}" for number in range(ROWS)],
    "y": [("yes", "no")[number % 2] for number in range(ROWS)],
}


def _bytes(**columns) -> bytes:
    """A Parquet file of the sound columns, and of others in their place."""
    buffer = pa.BufferOutputStream()
    parquet.write_table(pa.table({**_COLUMNS, **columns}), buffer)
    return buffer.getvalue().to_pybytes()


def _twice() -> bytes:
    buffer = pa.BufferOutputStream()
    parquet.write_table(pa.table([_COLUMNS["a"], _COLUMNS["b"], _COLUMNS["b"], _COLUMNS["y"]], names=["a", "b", "b", "y"]), buffer)
    return buffer.getvalue().to_pybytes()


def _of(table: pa.Table) -> bytes:
    buffer = pa.BufferOutputStream()
    parquet.write_table(table, buffer)
    return buffer.getvalue().to_pybytes()


def _flipped() -> bytes:
    """A sound footer, and pages that are none."""
    data = bytearray(_bytes())
    data[8:60] = bytes(52)
    return bytes(data)


def _footer_of_nonsense() -> bytes:
    data = bytearray(_bytes())
    length = int.from_bytes(data[-8:-4], "little")
    data[-8 - length : -8] = b"\x7f" * length
    return bytes(data)


def _case(name, content, init, ingest, suffix="parquet", **more):
    make = content if callable(content) else file(f"table.{suffix}", content)
    return Case(name, make, "parquet", init, ingest, **{"options": _LABEL, "columns": TABLE, **more})


def _two(second: bytes):
    def make(folder: Path) -> Path:
        (folder / "one.parquet").write_bytes(_bytes())
        (folder / "two.parquet").write_bytes(second)
        return folder

    return make


CASES = [
    _case("sound", _bytes(), "0", f"0 {ROWS}"),
    _case("empty", b"", "1", "1"),
    _case("only the magic number", b"PAR1", "1", "1"),
    _case("cut in half", _bytes()[: len(_bytes()) // 2], "1", "1"),
    _case("cut in its footer", _bytes()[:-4], "1", "1"),
    _case("its beginning cut off", _bytes()[100:], "1", "1"),
    _case("a footer of nonsense", _footer_of_nonsense(), "1", "1"),
    _case("a footer longer than the file", _bytes()[:-8] + (1 << 30).to_bytes(4, "little") + b"PAR1", "1", "1"),
    _case("a footer of no length", _bytes()[:-8] + bytes(4) + b"PAR1", "1", "1"),
    _case("encrypted", _bytes()[:-4] + b"PARE", "1", "1"),
    _case("pages of nonsense", _flipped(), "1", "1"),
    _case("zero rows", _of(pa.table({name: pa.array([], pa.string()) for name in "aby"})), "1", "1"),
    _case("zero columns", _of(pa.table({})), "1", "2"),
    _case("a column named twice", _twice(), "1", "1"),
    _case("a nested column", _bytes(b=[{"c": 1}] * ROWS), "0", "2"),
    _case("a map column", _bytes(b=pa.array([[("k", 1)]] * ROWS, pa.map_(pa.string(), pa.int64()))), "0", "2"),
    _case("a list column", _bytes(b=[["x", "y"]] * ROWS), "0", "2"),
    _case("a label of lists", _bytes(y=[["x", "y"]] * ROWS), "2", "2"),
    _case("a label of a struct", _bytes(y=[{"c": 1}] * ROWS), "2", "2"),
    _case("a column of null", _bytes(b=pa.nulls(ROWS)), "0", f"0 {ROWS}"),
    _case("a label of null", _bytes(y=pa.nulls(ROWS)), "2", "1"),
    _case("a label of one class", _bytes(y=["no"] * ROWS), "2", f"0 {ROWS}"),
    _case("bytes that are not UTF-8", _bytes(b=[b"\xff\xfe"] * ROWS), "0", "1"),
    _case("words in a column of numbers", _bytes(a=["word"] * ROWS), "0", "1"),
    _case("infinite numbers", _bytes(a=[float("inf")] * ROWS), "0", "1"),
    _case("a time in a column of numbers", _bytes(a=[datetime.datetime(2024, 1, 1)] * ROWS), "0", "2"),
    _case("text named .parquet", text(), "1", "1"),
    _case("a folder without files", lambda folder: folder, "2", "2"),
    _case("two files, the second one garbage", _two(b"garbage" * 99), "1", "1"),
    _case(
        "two files, the second one without rows", _two(_of(pa.table({name: pa.array([], pa.string()) for name in "aby"}))), "0", f"0 {ROWS}"
    ),
    _case("two files, the second one without a column", _two(_of(pa.table({"a": [1.0], "y": ["no"]}))), "2", "2"),
    _case("two files, a column of another type", _two(_bytes(b=[1] * ROWS)), "0", "0 120"),
]
