"""Reads JSON lines, gzipped or not: one object a line, the named keys in the types that are wanted.

check that the keys are there and take digests -> unpack and decode in blocks -> lines -> objects -> values of the types
-> is it still the file that was checked?
"""

import base64
import binascii
import functools
import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen.readers import cells
from components.example_gen.readers.cells import Column
from components.example_gen.readers.data_files import check_column, check_unchanged, files_at
from components.example_gen.readers.encoding import MARK, binary_name, to_utf8
from components.example_gen.readers.raw_file import RawFile, sha256
from components.example_gen.readers.rows import MOST_BYTES, MOST_ROWS, Part, Reject, Rows
from components.example_gen.readers.typed import good_rows, is_list
from trainer import json_text
from trainer.errors import DataError

SUFFIXES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
_SHOWN = 40  # characters of a value in a message
_MARK = MARK.encode()
_OUTLINE = bytes.maketrans(b"123456789{", b"000000000[")  # what has to be looked for in a line, with a sign for each sort
_LONG_NUMBER = b"0" * 19  # orjson makes a float64 of a whole number beyond 64 bits
_MOST_NESTED = 100  # it also nests a little deeper than Python's own


class _Line(NamedTuple):
    """An object and the line it stands on, or why there is none."""

    number: int
    value: dict[str, Any]
    reason: str
    size: int


def open_json_lines(
    place: Path | str, columns: Mapping[str, pa.DataType], orders: Mapping[str, cells.TimeOrder] | None = None
) -> list[Part]:
    """One part for each file that has lines, whose batches hold `columns` in their order. A key that is not there is a missing value.

    The keys of an object in the object are there as `outer.inner`.

    What becomes what: for string, a string, or a number or boolean as JSON writes it; for float64, a number, in quotes or not; for int64,
    a whole number, or a string that is a time, in seconds since 1970, UTC; for binary, a string as UTF-8, or {"b64": "..."}; for a list,
    an array of those; for large_string, the JSON of any value.

    Args:
      place: a file, a folder or a pattern.
      columns: by the key the type that is wanted: string, float64, int64, binary or a list of one.
      orders: of the columns of times whose dates do not begin with the year, whether the day or the month comes first.

    Raises:
      ConfigError: there is no such file, or a key that no object has.
      DataError: a file that is no text, or no object in any file.
    """
    files = files_at(place, SUFFIXES, "JSON lines")
    digests = {name: sha256(path) for name, path in files.items()}
    keys: dict[str, None] = {}
    filled, reason = [], "only blank lines"  # of the first line that is no object
    for name, path in files.items():
        _check_text(path)
        for line in _lines(RawFile(path)):
            if not filled or filled[-1] != name:
                filled.append(name)
            keys.update(dict.fromkeys(line.value if columns.keys() <= line.value.keys() else (*line.value, *flat(line.value))))
            if reason == "only blank lines":
                reason = f"'{name}', line {line.number:,}: {line.reason or 'an object without keys'}"
            if columns.keys() <= keys.keys():
                break
    if not keys:
        raise DataError(f"Expected an object on each line of '{place}', {{\"name\": value, ...}}. Received: {reason}.")
    for column in columns:
        check_column(Path(place), column, keys)
    return [
        Part(None, name, {name: digests[name]}, functools.partial(_read, reading))
        for name in filled
        for reading in [_Reading(name, files[name], dict(columns), orders or {}, digests[name])]
    ]


def objects(place: Path | str, reject: Callable[[Reject], None]) -> Iterator[list[dict[str, Any]]]:
    """The objects of all files, some at once; tells of lines that are none. Raises ConfigError where there is no file, else DataError."""
    for name, path in files_at(place, SUFFIXES, "JSON lines").items():
        _check_text(path)
        lines = _lines(RawFile(path))
        while some := list(itertools.islice(lines, MOST_ROWS)):
            for line in some:
                if line.reason:
                    reject(Reject(name, line.number, line.reason))
            if good := [line.value for line in some if not line.reason]:
                yield good


def flat(value: Mapping[str, Any]) -> dict[str, Any]:
    """An object without objects in it: their keys are `outer.inner`; bytes, {"b64": "..."}, stay as they are."""
    plain: dict[str, Any] = {}
    for key, each in value.items():
        if is_nested(each):
            plain |= {name: inner for below, inner in flat(each).items() if (name := f"{key}.{below}") not in value}
        else:
            plain[key] = each
    return plain


def is_nested(value: Any) -> bool:
    """Whether it is an object that is no bytes."""
    return isinstance(value, dict) and value.keys() != {"b64"}


def as_text(values: list[Any]) -> Column:
    """Text of values of a key, as a reader gives it where text is wanted."""
    return _column(values, pa.string())


def first_keys(place: Path | str, lines: int = 1000) -> list[str]:
    """The keys of the objects on the first `lines` of the first file, in the order in which they come. Raises as `open_json_lines`."""
    [path, *_] = files_at(place, SUFFIXES, "JSON lines").values()
    _check_text(path)
    return list(dict.fromkeys(key for line in itertools.islice(_lines(RawFile(path)), lines) for key in line.value))


def _check_text(path: Path) -> None:
    start = next(RawFile(path).blocks(1 << 12), b"")
    if name := binary_name(start):
        raise DataError(f"Expected JSON lines. Received '{path}', which is {name}.")
    first = start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if first == b"[":
        raise DataError(
            f"Expected an object on each line of '{path}'. Received: one array. Write its elements a line each, as `jq -c '.[]'` does."
        )


class _Reading(NamedTuple):
    """All that reading a file needs, so that a part can be sent to a worker."""

    name: str
    path: Path
    columns: dict[str, pa.DataType]
    orders: Mapping[str, cells.TimeOrder]
    digest: str


def _read(reading: _Reading, reject: Callable[[Reject], None]) -> Iterator[Rows]:
    """As `Part.read`."""
    file = RawFile(reading.path)
    waiting: list[_Line] = []
    size = 0
    for line in _lines(file):
        if line.reason:
            reject(Reject(reading.name, line.number, line.reason))
            continue
        if waiting and (len(waiting) == MOST_ROWS or size + line.size > MOST_BYTES):
            yield from _rows(reading, waiting, reject)
            waiting, size = [], 0
        waiting.append(line)
        size += line.size
    yield from _rows(reading, waiting, reject)
    check_unchanged(reading.path, reading.digest, file.digest)


def _rows(reading: _Reading, lines: list[_Line], reject: Callable[[Reject], None]) -> Iterator[Rows]:
    values = [line.value for line in lines]
    columns = {
        name: _column([_at(value, name) for value in values], kind, reading.orders.get(name, "year_first"))
        for name, kind in reading.columns.items()
    }
    rows = good_rows(reading.name, columns, np.array([line.number for line in lines], np.int64), reject)
    if len(rows.lines):
        yield rows


def _at(value: dict[str, Any], name: str) -> Any:
    return value.get(name) if name in value or "." not in name else flat(value).get(name)


def _lines(file: RawFile) -> Iterator[_Line]:
    """Each line that is not blank."""
    rest, number = b"", 0
    for block in to_utf8(file.blocks(), "utf-8"):
        *whole, rest = (rest + block).split(b"\n")
        for text in whole:
            number += 1
            if text.strip():
                yield _line(number, text)
        if len(rest) > MOST_BYTES:
            raise DataError(
                f"Expected lines of at most {MOST_BYTES >> 20} MiB. Received: a longer one, line {number + 1:,} of '{file.path}'."
            )
    if rest.strip():
        yield _line(number + 1, rest)


def _line(number: int, text: bytes) -> _Line:
    if not text.isascii() and _MARK in text:
        return _Line(number, {}, "bytes that are not UTF-8", 0)
    value = _quickly(text)
    return _Line(number, value, "", len(text)) if isinstance(value, dict) else _slowly(number, text)


def _quickly(text: bytes) -> Any:
    """The value of a line of which orjson makes what `json` does, else None. It refuses NaN, infinities and halves of surrogate pairs."""
    outline = text.translate(_OUTLINE)
    if _LONG_NUMBER in outline or outline.count(b"[") > _MOST_NESTED:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _slowly(number: int, text: bytes) -> _Line:
    """As Python's own `json` reads it, whose words tell what is wrong."""
    try:
        value = json_text.loads(text.decode())
    except json.JSONDecodeError as error:
        return _Line(number, {}, f"no JSON: {error.msg}, column {error.pos + 1:,}", 0)
    except ValueError as error:  # nested too deeply, or a number of thousands of digits
        return _Line(number, {}, f"no JSON: {str(error).split(';')[0]}", 0)
    if not isinstance(value, dict):
        return _Line(number, {}, f"{_told(value)}, not an object", 0)
    # Only an escape can be half of a pair.
    if b"\\u" in text and (broken := next((key for key in value if any("\ud800" <= sign <= "\udfff" for sign in key)), None)):
        return _Line(number, {}, f"a key with half of a surrogate pair, {_told(broken)}", 0)
    return _Line(number, value, "", len(text))


def _column(values: list[Any], wanted: pa.DataType, order: cells.TimeOrder = "year_first") -> Column:
    if (plain := _plain(values, wanted)) is not None:
        return Column(plain, {})
    wrong: dict[int, str] = {}
    if is_list(wanted):
        inner = _column([item for value in values if isinstance(value, list) for item in value], wanted.value_type, order)
        if pa.types.is_floating(wanted.value_type):
            inner = Column(pc.fill_null(inner.values, math.nan), inner.wrong)
        return _lists(values, inner, wanted)
    if pa.types.is_integer(wanted):
        values = _with_strings_read(values, functools.partial(cells.times, order=order), wrong)
    if pa.types.is_floating(wanted):
        values = _with_strings_read(values, cells.numbers, wrong)
    convert = next(convert for is_kind, convert in _KINDS if is_kind(wanted))
    good = []
    for row, value in enumerate(values):
        try:
            good.append(None if value is None else convert(value))
        except (ValueError, OverflowError) as error:
            wrong.setdefault(row, f"{_told(value)} is no {error}")
            good.append(None)
    return Column(pa.array(good, wanted), wrong)


def _plain(values: list[Any], wanted: pa.DataType) -> pa.Array | None:
    """All values at once where all are texts, or numbers, as they are wanted; None where one of them has to be looked at by itself."""
    expected = {str} if pa.types.is_string(wanted) else {int, float} if pa.types.is_floating(wanted) else set()
    if not {*map(type, values)} <= expected | {type(None)}:
        return None
    try:
        array = pa.array(values, wanted)
    except (pa.ArrowInvalid, UnicodeEncodeError):  # a whole number that is only near a float64, half of a surrogate pair
        return None
    return cells.finite(array) if pa.types.is_floating(wanted) else array


def _lists(values: list[Any], inner: Column, wanted: pa.DataType) -> Column:
    wrong: dict[int, str] = {}
    items, place, lists = inner.values.to_pylist(), 0, []
    for row, value in enumerate(values):
        if not isinstance(value, list):
            if value is not None:
                wrong[row] = f"{_told(value)} is no array"
            lists.append(None)
            continue
        mine = items[place : place + len(value)]
        at = next((at for at, item in enumerate(mine) if item is None or place + at in inner.wrong), None)
        if at is not None:
            wrong[row] = inner.wrong.get(place + at, "null in an array")
        lists.append(None if row in wrong else mine)
        place += len(value)
    return Column(pa.array(lists, wanted), wrong)


def _with_strings_read(values: list[Any], read: Callable[[pa.Array], Column], wrong: dict[int, str]) -> list[Any]:
    """The values with a number for each string that is one, or a time, and None for others, which are added to `wrong`."""
    rows = [row for row, value in enumerate(values) if isinstance(value, str)]
    if not rows:
        return values
    found = read(pa.array([values[row].encode(errors="replace").decode() for row in rows], pa.string()))
    values = list(values)
    for place, (row, number) in enumerate(zip(rows, found.values.to_pylist(), strict=True)):
        values[row] = number
        if place in found.wrong:
            wrong[row] = found.wrong[place]
    return values


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return _encoded(value).decode()
    if isinstance(value, (dict, list)):
        raise ValueError("text")
    return None if value != value else json.dumps(value)  # NaN, which Python's own writer makes of what is missing


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise ValueError("finite number")
    return None if math.isnan(number) else number


def _whole(value: Any) -> int | None:
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value // 1 or not -(2**63) <= value < 2**63:
        raise ValueError("whole number of 64 bits")
    return int(value)


def _bytes(value: Any) -> bytes:
    if isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str):
        try:
            return base64.b64decode(value["b64"], validate=True)
        except binascii.Error:
            raise ValueError("base64") from None
    if not isinstance(value, str):
        raise ValueError('text or {"b64": "..."}')
    return _encoded(value)


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ValueError("text: half of a surrogate pair") from None


_KINDS: list[tuple[Callable[[pa.DataType], bool], Callable[[Any], Any]]] = [
    (pa.types.is_string, _text),
    (pa.types.is_large_string, json.dumps),
    (pa.types.is_floating, _number),
    (pa.types.is_integer, _whole),
    (pa.types.is_binary, _bytes),
]


def _told(value: Any) -> str:
    """A value in a message."""
    line = (
        json.dumps(value, ensure_ascii=False)
        if not isinstance(value, (dict, list))
        else "an object"
        if isinstance(value, dict)
        else "an array"
    )
    line = line.encode(errors="replace").decode()
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
