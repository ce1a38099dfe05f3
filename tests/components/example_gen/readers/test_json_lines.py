"""Reading JSON lines: which rows are given, with which line, and what is said of one that cannot be read."""

import gzip
import json
import pickle
import sys

import pyarrow as pa
import pytest

from components.example_gen.readers import json_lines
from components.example_gen.readers.json_lines import open_json_lines
from components.example_gen.readers.rows import Reject
from trainer.errors import ConfigError, DataError

TEXT, NUMBER, WHOLE, BYTES, TEXTS = pa.string(), pa.float64(), pa.int64(), pa.binary(), pa.list_(pa.string())


@pytest.fixture
def write(tmp_path):
    def write(content, name="x.jsonl"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def read(place, columns):
    """(rows as tuples, line of each, rejects)."""
    rejects, rows, lines = [], [], []
    for part in pickle.loads(pickle.dumps(open_json_lines(place, columns))):  # noqa: S301  # our own
        for given in part.read(rejects.append):
            assert given.batch.schema == pa.schema(list(columns.items()))
            rows += zip(*(column.to_pylist() for column in given.batch.columns), strict=True)
            lines += given.lines.tolist()
    return rows, lines, rejects


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_each_object_is_a_row_and_a_key_that_is_not_there_is_missing(write, zipped, start, end):
    text = end.join(['{"a": "犬", "b": 1, "c": {}}', "", '{"b": null}', '  {"a": "x\\u2028y\u2028z"}'])
    data = start + text.encode()
    rows, lines, rejects = read(write(gzip.compress(data) if zipped else data), {"b": NUMBER, "a": TEXT})
    assert rows == [(1.0, "犬"), (None, None), (None, "x\u2028y\u2028z")]
    assert lines == [1, 3, 4]
    assert rejects == []


@pytest.mark.parametrize(
    ("value", "wanted", "expected"),
    [
        ('"x"', TEXT, "x"),
        ("7", TEXT, "7"),
        ("1.50", TEXT, "1.5"),
        ("true", TEXT, "true"),
        ("7", NUMBER, 7.0),
        ("NaN", NUMBER, None),
        ("7", WHOLE, 7),
        ("7.0", WHOLE, 7),
        ('"2020-01-02T03:04:05Z"', WHOLE, 1577934245),
        ('"犬"', BYTES, "犬".encode()),
        ('{"b64": "/9g="}', BYTES, b"\xff\xd8"),
        ('["a", "b", 1]', TEXTS, ["a", "b", "1"]),
        ("[]", TEXTS, []),
        ("[1, 2.5]", pa.list_(NUMBER), [1.0, 2.5]),
    ],
)
def test_values_become_the_type_that_is_wanted(write, value, wanted, expected):
    rows, _, rejects = read(write(f'{{"x": {value}}}\n{{"x": null}}\n{{}}\n'), {"x": wanted})
    assert rows == [(expected,), (None,), (None,)]
    assert rejects == []


@pytest.mark.parametrize(
    ("value", "wanted", "reason"),
    [
        ('{"y": 1}', TEXT, "an object is no text"),
        ('"\\ud800"', TEXT, '"?" is no text: half of a surrogate pair'),
        ('"1.5 kg"', NUMBER, "'1.5 kg' is no number"),
        ("true", NUMBER, "true is no number"),
        ("1e999", NUMBER, "Infinity is no finite number"),
        ("1.5", WHOLE, "1.5 is no whole number of 64 bits"),
        ("1e999", WHOLE, "Infinity is no whole number of 64 bits"),
        ("9223372036854775808", WHOLE, "9223372036854775808 is no whole number of 64 bits"),
        ('"soon"', WHOLE, "'soon' is no time"),
        ("1", BYTES, '1 is no text or {"b64": "..."}'),
        ('{"b64": "?"}', BYTES, "an object is no base64"),
        ('"a"', TEXTS, '"a" is no array'),
        ('["a", null]', TEXTS, "null in an array"),
        ('["a", ["b"]]', TEXTS, "an array is no text"),
    ],
)
def test_a_value_of_another_type_leaves_its_row_out_with_key_and_value(write, value, wanted, reason):
    rows, lines, rejects = read(write(f'{{"y": 1}}\n{{"x": {value}, "y": 2}}\n{{"y": 3}}\n'), {"x": wanted, "y": NUMBER})
    assert [row[1] for row in rows] == [1, 3]
    assert lines == [1, 3]
    assert rejects == [Reject("x.jsonl", 2, f"column 'x': {reason}")]


def test_lines_that_are_no_objects_are_left_out_with_the_reason(write):
    path = write(
        b'{"x": 1}\n{"x": 2\n[1, 2]\n"text"\nx: 1\n'
        + b'{"x": "caf\xe9"}\n'
        + b'{"x": '
        + b"[" * 100_000
        + b'\n{"x": '
        + b"9" * 10_000
        + b'}\n{"x": 3} {"x": 4}\n{"x": 5}'
    )
    rows, lines, rejects = read(path, {"x": NUMBER})
    assert (rows, lines) == ([(1.0,), (5.0,)], [1, 10])
    assert rejects == [
        Reject("x.jsonl", 2, "no JSON: Expecting ',' delimiter, column 8"),
        Reject("x.jsonl", 3, "an array, not an object"),
        Reject("x.jsonl", 4, '"text", not an object'),
        Reject("x.jsonl", 5, "no JSON: Expecting value, column 1"),
        Reject("x.jsonl", 6, "bytes that are not UTF-8"),
        Reject("x.jsonl", 7, "no JSON: nested too deeply"),
        Reject("x.jsonl", 8, "no JSON: Exceeds the limit (4300 digits) for integer string conversion: value has 10000 digits"),
        Reject("x.jsonl", 9, "no JSON: Extra data, column 10"),
    ]


@pytest.mark.parametrize("size", [1, 5, 17])
def test_wherever_blocks_end_the_lines_are_the_same(write, monkeypatch, size):
    path = write('{"x": "犬"}\r\n\n{"x": "猫"}\n{"x": "no end"}')
    whole = read(path, {"x": TEXT})
    monkeypatch.setattr(json_lines.RawFile.blocks, "__defaults__", (size,))
    assert read(path, {"x": TEXT}) == whole == ([("犬",), ("猫",), ("no end",)], [1, 3, 4], [])


def test_a_folder_gives_a_part_for_each_file_and_a_key_may_be_in_any_of_them(write, tmp_path):
    write('{"a": 1}\n', "d/1.jsonl")
    write(gzip.compress(b'{"b": 2}\n'), "d/2.ndjson.gz")
    write("\n", "d/3.jsonl")
    write("x", "d/notes.txt")
    assert read(tmp_path / "d", {"a": WHOLE, "b": WHOLE})[0] == [(1, None), (None, 2)]
    assert [part.name for part in open_json_lines(tmp_path / "d", {"a": WHOLE, "b": WHOLE})] == ["1.jsonl", "2.ndjson.gz"]


def test_a_key_that_no_object_has_is_told_with_those_that_are_there(write):
    with pytest.raises(ConfigError, match=r"Received: 'apple', 'b'\. Did you mean 'apple'\?$"):
        open_json_lines(write('{"apple": 1}\n{"b": 1}\n'), {"aple": NUMBER})


@pytest.mark.parametrize(
    ("content", "received"),
    [
        (b"", "Received: only blank lines."),
        (b"\n \n", "Received: only blank lines."),
        (b"a,b\n1,2\n", "Received: 'x.jsonl', line 1: no JSON: Expecting value, column 1."),
        (b'[\n{"x": 1}\n]', "Received: one array. Write its elements a line each, as `jq -c '.[]'` does."),
        (b"\x89PNG\r\n\x1a\n", "which is a PNG picture."),
    ],
)
def test_what_has_no_objects_on_its_lines_is_told_in_a_line(write, content, received):
    with pytest.raises(DataError) as caught:
        open_json_lines(write(content), {"x": NUMBER})
    assert str(caught.value).endswith(received)
    assert "\n" not in str(caught.value)


def test_a_cut_gzip_file_is_told_as_such(write):
    data = gzip.compress(b"".join(b'{"x": %d}\n' % number for number in range(10_000)))
    with pytest.raises(DataError, match="Expected a sound gzip file"):
        read(write(data[:-50]), {"x": NUMBER})


def test_batches_end_where_their_rows_or_bytes_are_too_many(write, monkeypatch):
    [part] = open_json_lines(write('{"x": 1}\n' * 10), {"x": NUMBER})
    monkeypatch.setattr(json_lines, "MOST_ROWS", 4)
    assert [given.batch.num_rows for given in part.read(print)] == [4, 4, 2]
    monkeypatch.setattr(json_lines, "MOST_BYTES", 20)
    assert [given.batch.num_rows for given in part.read(print)] == [2] * 5


def test_a_line_that_is_too_long_for_memory_is_refused_with_its_number(write, monkeypatch):
    path = write('{"x": 1}\n{"x": "' + "y" * 3000)
    [part] = open_json_lines(path, {"x": NUMBER})
    monkeypatch.setattr(json_lines, "MOST_BYTES", 1000)
    with pytest.raises(DataError, match=r"Received: a longer one, line 2 of"):
        list(part.read(print))


def test_a_file_that_changes_between_opening_and_reading_is_noticed(write):
    [part] = open_json_lines(write('{"x": 1}\n'), {"x": NUMBER})
    write('{"x": 2}\n')
    with pytest.raises(DataError, match="another content than a moment ago"):
        list(part.read(print))


def test_a_value_may_stay_the_json_that_it_is(write):
    path = write('{"a": {"b": [1, null]}}\n{"a": "x", "c": 1}\n{"a": null}\n')
    assert read(path, {"a": pa.large_string()})[0] == [('{"b": [1, null]}',), ('"x"',), (None,)]
    assert json_lines.first_keys(path) == ["a", "c"]
    assert json_lines.first_keys(path, lines=1) == ["a"]


def test_keys_of_an_object_in_an_object_are_read_with_a_point_between_unless_a_key_is_called_so(write):
    path = write('{"a": {"b": {"c": 1}, "d": 2}}\n{"a.b.c": 3, "a": {"b": {"c": 4}}}\n{"a": null}\n{"a": 5}\n')
    rows, _, rejects = read(path, {"a.b.c": NUMBER, "a.d": NUMBER})
    assert (rows, rejects) == ([(1, 2), (3, None), (None, None), (None, None)], [])


@pytest.mark.parametrize(
    "value",
    [
        "NaN",
        "-Infinity",
        "1e999",
        "-0",
        "-0.0",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775809",
        "123456789012345678901234567890",
        "0.30000000000000004",
        "5e-324",
        '[1, {"y": 100000000000000000000}]',
        '{"b": 1, "a": 2, "b": 3}',
        '"\\ud800"',
        '"\\ud83d\\ude00 \\u0000 \\/ \u2028"',
        '"犬 \\udc00"',
        "[" * 500 + "]" * 500,
        '{"y": ' * 150 + "1" + "}" * 150,
    ],
    ids=lambda value: value[:20],
)
def test_a_value_is_what_pythons_own_json_makes_of_it(write, value):
    assert read(write(f'{{"x": {value}}}\n'), {"x": pa.large_string()}) == ([(json.dumps(json.loads(value)),)], [1], [])


def test_a_line_nested_too_deeply_for_pythons_own_json_is_left_out_wherever_it_is_read(write):
    depth = sys.getrecursionlimit() - 1
    rows, _, rejects = read(write(f'{{"x": {"[" * depth}{"]" * depth}}}\n{{"x": 1}}\n'), {"x": pa.large_string()})
    assert (rows, rejects) == ([("1",)], [Reject("x.jsonl", 1, "no JSON: nested too deeply")])


def test_of_a_key_that_is_there_twice_the_last_value_counts(write):
    assert read(write('{"x": 1, "y": 2, "x": 3}\n'), {"x": NUMBER, "y": NUMBER})[0] == [(3.0, 2.0)]
