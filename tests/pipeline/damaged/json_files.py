"""Damaged JSON lines."""

import gzip
import json

from tests.pipeline.damaged.case import ROWS, TABLE, Case, file, row, text

_LABEL = ("--label", "y")


def _lines(rows: int = ROWS) -> list[str]:
    return [json.dumps(dict(zip(("a", "b", "y"), (float(a), b, y), strict=True))) for a, b, y in map(row, range(rows))]


def _with(line: str | bytes, at: int = 30) -> bytes:
    """The sound lines with another one in the place of line `at` + 1."""
    lines = [each.encode() for each in _lines()]
    lines[at] = line if isinstance(line, bytes) else line.encode()
    return b"\n".join(lines) + b"\n"


def _all(**values) -> str:
    return "".join(json.dumps({**json.loads(line), **values}) + "\n" for line in _lines())


def _case(name, content, init, ingest, suffix="jsonl", **more):
    return Case(name, file(f"table.{suffix}", content), "jsonl", init, ingest, **{"options": _LABEL, "columns": TABLE, **more})


_SOUND = "\n".join(_lines()) + "\n"
CASES = [
    _case("sound", _SOUND, "0", f"0 {ROWS}"),
    _case("sound, and pretty-printed", json.dumps(json.loads(_lines()[0]), indent=1) + "\n", "1", "1"),
    _case("empty", b"", "1", "1"),
    _case("only blank lines", b"\n \n\n", "1", "1"),
    _case("cut in a line", _SOUND[:-9], "0", "1"),
    _case("cut in the first line", _lines()[0][:9], "1", "1"),
    _case("one array of all", f"[{', '.join(_lines())}]", "1", "1"),
    _case("an array in one line", _with("[1, 2]"), "0", "1"),
    _case("a number in one line", _with("12"), "0", "1"),
    _case("only scalars", "1\n2\n3\n", "1", "1"),
    _case("only empty objects", "{}\n" * 9, "1", "1"),
    _case("null in one line", _with("null"), "0", "1"),
    _case("nested 100,000 deep", _with('{"a": 1, "b": ' + "[" * 100_000 + "]" * 100_000 + ', "y": "no"}'), "0", "1"),
    _case("nested 100,000 deep, nothing else", "[" * 100_000, "1", "1"),
    _case("a key twice in an object", _with('{"a": 1, "a": 2, "b": "w", "y": "no"}'), "0", f"0 {ROWS}"),
    _case(
        "NaN and Infinity as Python writes them", _with('{"a": NaN, "b": "w", "y": "no"}\n{"a": Infinity, "b": "w", "y": "no"}'), "0", "1"
    ),
    _case("a number of 5,000 digits", _with('{"a": ' + "9" * 5000 + ', "b": "w", "y": "no"}'), "0", "1"),
    _case("1e400", _with('{"a": 1e400, "b": "w", "y": "no"}'), "0", "1"),
    _case("a word in a column of numbers", _with('{"a": "many", "b": "w", "y": "no"}'), "0", "1"),
    _case("an object in a column of words", _with('{"a": 1, "b": {"c": 1}, "y": "no"}'), "0", "1"),
    _case("half of a surrogate pair", _with('{"a": 1, "b": "\\ud800", "y": "no"}'), "0", "1"),
    _case("half of a surrogate pair in a key", _with('{"\\ud800": 1, "a": 1, "b": "w", "y": "no"}'), "0", "1"),
    _case("bytes that are not UTF-8", _with(b'{"a": 1, "b": "\xff", "y": "no"}'), "0", "1"),
    _case("UTF-16", _SOUND.encode("utf-16"), "1", "1"),
    _case("UTF-8 with a byte order mark, sound", b"\xef\xbb\xbf" + _SOUND.encode(), "0", f"0 {ROWS}"),
    _case("NUL bytes", _with(b"\0" * 30), "0", "1"),
    _case("single quotes, as Python prints", _SOUND.replace('"', "'"), "1", "1"),
    _case("a comma behind every line", _SOUND.replace("}\n", "},\n"), "1", "1"),
    _case(
        "a label that no object has",
        _SOUND,
        "2",
        "2",
        options=("--label", "z"),
        columns=TABLE.model_copy(update={"kept": {"z": "string"}, "label": "z"}),
    ),
    _case("a label of null", _all(y=None), "2", "1"),
    _case("a label of objects", _all(y={"c": 1}), "2", "1"),
    _case("a label of arrays", _all(y=[1, 2]), "2", "1"),
    _case("a label of one class", _all(y="no"), "2", f"0 {ROWS}"),
    _case(
        "a label of true, false, words and numbers",
        "".join(json.dumps({"a": number, "b": "w", "y": [True, "yes", 1, 1.5][number % 4]}) + "\n" for number in range(ROWS)),
        "2",
        f"0 {ROWS}",
    ),
    _case("an empty key", _all(**{"": 1}), "0", f"0 {ROWS}"),
    _case("CSV named .jsonl", text(), "1", "1"),
    _case("a web page", "<!DOCTYPE html><html></html>", "1", "1"),
    _case("gzip cut in half", gzip.compress(_SOUND.encode())[:100], "1", "1", "jsonl.gz"),
    _case("one line of 80 MB", b'{"a": "' + b"x" * (80 << 20), "1", "1"),
    _case(
        "different keys in each line",
        "".join(json.dumps({f"k{number}": 1, "a": 1, "b": "w", "y": "yn"[number % 2]}) + "\n" for number in range(ROWS)),
        "2",
        "1",
    ),
]
