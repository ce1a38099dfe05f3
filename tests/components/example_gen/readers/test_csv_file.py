"""Reading CSV and TSV: which rows are given, with which line, and what is said of one that cannot be read."""

import gzip
import hashlib
import os
import pickle
from pathlib import Path

import pyarrow as pa
import pytest

from components.example_gen.readers.csv_file import open_csv
from components.example_gen.readers.dialect import Dialect
from components.example_gen.readers.rows import MOST_ROWS, Reject
from components.example_gen.readers.sniffer import sniff
from trainer.errors import ConfigError, DataError

DATA = Path(os.environ.get("TAPELINE_DATA", Path(__file__).parents[5] / "shared" / "data"))
TEXT, NUMBER, TIME = pa.string(), pa.float64(), pa.int64()


@pytest.fixture
def write(tmp_path):
    def write(content, name="x.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def read(path, columns, dialect=None, orders=None):
    """(rows as tuples, line of each, rejects) of a file."""
    [part] = open_csv([path], dialect or Dialect(), columns, orders)
    rejects, rows, lines = [], [], []
    for given in part.read(rejects.append):
        assert given.file == path.name
        assert given.batch.schema == pa.schema(list(columns.items()))
        assert 0 < given.batch.num_rows == len(given.lines) <= MOST_ROWS
        rows += zip(*(column.to_pylist() for column in given.batch.columns), strict=True)
        lines += given.lines.tolist()
    return rows, lines, rejects


def test_the_named_columns_are_given_in_their_order_under_their_types(write):
    path = write("id,code,x,day\n1,01234,1.5,2020-01-02\n2,, 2e3 ,2020-01-02 03:04:05\n3,NA,NA,NA\n")
    rows, lines, rejects = read(path, {"x": NUMBER, "code": TEXT, "day": TIME})
    assert rows == [(1.5, "01234", 1577923200), (2000.0, None, 1577934245), (None, None, None)]
    assert lines == [2, 3, 4]
    assert rejects == []


NUMBERS = [
    "1",
    "-.5",
    "1e5",
    "00012",
    "1e-400",
    "9007199254740993",
    "nan",
    "-nan",
    "NaN",
    "NA",
    "",
    " 2 ",
    "\t3",
    "NA ",
    "1e400",
    "inf",
    "x",
]


@pytest.mark.parametrize("decimal", [".", ","])
def test_a_number_is_the_same_one_whether_the_numbers_around_it_are_written_by_a_program_or_not(write, decimal):
    dialect = Dialect(delimiter=";", decimal=decimal)
    for number in [*NUMBERS, "1,5", "1.5", "1_0"]:
        number = number.replace(".", decimal) if number in NUMBERS else number
        rows, _, rejects = read(write(f"a;b\n{number};1\n"), {"a": NUMBER, "b": NUMBER}, dialect)
        beside, _, its_rejects = read(write(f"a;b\n{number};1\n$3;1\n"), {"a": NUMBER, "b": NUMBER}, dialect)
        assert (rows, rejects) == (beside[:-1], its_rejects), number


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_each_row_has_the_line_it_begins_on_whatever_ends_lines_and_stands_inside_quotes(write, end):
    text = end.join(["a,b", "1,x", '2,"y', ',""z"""', "", '3,5" pipe', "4,w"])
    rows, lines, _ = read(write(text), {"a": NUMBER, "b": TEXT})
    assert rows == [(1, "x"), (2, f'y{end},"z"'), (3, '5" pipe'), (4, "w")]
    assert lines == [2, 3, 6, 7]


def test_mixed_line_ends_are_line_ends(write):
    assert read(write("a,b\r\n1,x\n2,y\r3,z"), {"b": TEXT})[:2] == ([("x",), ("y",), ("z",)], [2, 3, 4])


def test_fields_in_single_quotes_may_hold_delimiters_line_ends_and_double_quotes(write):
    path = write("text,n\n'a, \"b\"',1\n'it''s\nhere',2\n\"c\",3\n")
    rows, lines, rejects = read(path, {"text": TEXT, "n": NUMBER}, Dialect(quote="'"))
    assert rows == [('a, "b"', 1.0), ("it's\nhere", 2.0), ('"c"', 3.0)]
    assert (lines, rejects) == ([2, 3, 5], [])


def test_rows_of_another_width_are_left_out_with_line_and_widths(write):
    rows, lines, rejects = read(write("a,b\n1,x\n2\n3,y,z\n4,w\n"), {"a": NUMBER})
    assert (rows, lines) == ([(1,), (4,)], [2, 5])
    assert rejects == [Reject("x.csv", 3, "1 field instead of 2"), Reject("x.csv", 4, "3 fields instead of 2")]


def test_a_value_that_is_no_number_or_time_leaves_its_row_out_with_column_and_value(write):
    path = write(
        'x,day,s\n1,2020-01-02,a\none,2020-01-02,b\n2,soon,c\ninf,2020-01-02,d\n3,01/02/2020,e\n"1,5",2020-01-02,f\n4,2020-01-03,g\n'
    )
    rows, lines, rejects = read(path, {"x": NUMBER, "day": TIME, "s": TEXT})
    assert ([row[2] for row in rows], lines) == (["a", "g"], [2, 8])
    assert rejects == [
        Reject("x.csv", 3, "column 'x': 'one' is no number"),
        Reject("x.csv", 4, "column 'day': 'soon' is no time"),
        Reject("x.csv", 5, "column 'x': 'inf' is no finite number"),
        Reject("x.csv", 6, "column 'day': '01/02/2020' is no time; say whether day or month comes first"),
        Reject("x.csv", 7, "column 'x': '1,5' is no number"),
    ]


def test_a_quote_that_is_never_closed_costs_the_line_that_opened_it_and_no_other(write):
    rows, lines, rejects = read(write('a,b\n1,"x\n2,y\n3,"z"\n4,"w\n5,v\n'), {"a": NUMBER, "b": TEXT})
    assert (rows, lines) == ([(2, "y"), (3, "z"), (5, "v")], [3, 4, 6])
    assert rejects == [Reject("x.csv", line, "a quote that is not closed") for line in (2, 5)]


@pytest.mark.parametrize(("codec", "name", "bad"), [("utf-8", "UTF-8", b"\xff"), ("cp932", "CP932 (Shift_JIS)", b"\x81\x7f")])
def test_bytes_that_are_not_of_the_encoding_and_nul_bytes_leave_their_row_out(write, codec, name, bad):
    good = "表,b\n".encode(codec)
    path = write(good + b"1,%b%b\n2,x\n3,\0\n4,%b,,\n5,y\n" % (bad, bad, bad))
    rows, lines, rejects = read(path, {"b": TEXT}, Dialect(encoding=codec))
    assert (rows, lines) == ([("x",), ("y",)], [3, 6])
    assert rejects == [
        Reject("x.csv", 2, f"bytes that are not {name}"),
        Reject("x.csv", 4, "a NUL byte"),
        Reject("x.csv", 5, f"bytes that are not {name}"),
    ]


def test_the_damage_that_spreadsheets_leave_is_read_over(write):
    path = write("a;b;;\r\n1,5;x;;\r\n;;;\r\n2,5;#REF!;;\r\n;;\r\n3,5;y;;;;\r\n;;;\r\n")
    dialect = Dialect(delimiter=";", decimal=",", missing=("", "#REF!"))
    rows, lines, rejects = read(path, {"a": NUMBER, "b": TEXT}, dialect)
    assert (rows, lines, rejects) == ([(1.5, "x"), (2.5, None), (3.5, "y")], [2, 4, 6], [])


def test_a_delimiter_at_the_end_of_every_row_is_no_column(write):
    assert read(write("a,b\n1,x,\n2,y,\n"), {"a": NUMBER, "b": TEXT}) == ([(1, "x"), (2, "y")], [2, 3], [])


def test_spaces_behind_delimiters_are_no_part_of_a_value_but_inside_quotes_they_are(write):
    path = write('a, b, c\n1, x y,  z\n2, " p, q", r\n3,s,t\n')
    rows, _, rejects = read(path, {"a": NUMBER, "b": TEXT, "c": TEXT}, Dialect(delimiter=", "))
    assert rows == [(1, "x y", "z"), (2, " p, q", "r"), (3, "s", "t")]
    assert rejects == []


def test_quotes_are_characters_where_the_dialect_has_none(write):
    dialect = Dialect(delimiter="\t", quote=None, header=False, names=("label", "text"))
    assert read(write('ham\t"ok\nspam\tsay "no"\n'), {"text": TEXT}, dialect)[:2] == ([('"ok',), ('say "no"',)], [1, 2])


def test_lines_before_the_header_are_skipped_whatever_they_hold(write):
    assert read(write('made "by Ann\r\n\r\na,b\r\n1,x\r\n'), {"b": TEXT}, Dialect(skip=2)) == ([("x",)], [4], [])


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-16-le", "cp932", "euc_jp", "iso2022_jp"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_text_in_any_encoding_gzipped_or_not_is_the_same(write, codec, pack):
    path = write(pack('名前,"点数"\r\n山田,80\r\n佐藤,90\r\n'.encode(codec)))
    assert read(path, {"名前": TEXT, "点数": NUMBER}, Dialect(encoding=codec))[0] == [("山田", 80), ("佐藤", 90)]


def test_a_byte_order_mark_is_no_part_of_the_first_name_whatever_the_dialect_says(write):
    assert read(write("a,b\n1,x\n".encode("utf-8-sig")), {"a": TEXT}, Dialect(encoding="utf-8"))[0] == [("1",)]


def test_a_part_can_be_sent_to_a_worker(write):
    [part] = open_csv([write("a\n1\n")], Dialect(), {"a": NUMBER})
    [rows] = pickle.loads(pickle.dumps(part)).read(print)  # noqa: S301 - it was written on this line
    assert rows.batch.to_pydict() == {"a": [1.0]}


@pytest.mark.parametrize(("name", "more"), [("utf-9", r"Did you mean 'utf-8'\?"), ("hex", "")])
def test_an_encoding_that_python_does_not_know_or_that_is_of_no_text_is_refused(name, more):
    with pytest.raises(ValueError, match=rf"data\.csv\.encoding: Expected Python's name of .* Received: '{name}'\. ?{more}"):
        Dialect(encoding=name)


def test_columns_without_a_name_are_called_by_their_place(write):
    assert read(write(",x,\n0,1.5,a\n"), {"column_1": TEXT, "column_3": TEXT})[0] == [("0", "a")]


def test_rows_beyond_one_block_keep_their_lines_and_order(write):
    """Records that are cut in two by blocks of four MiB, and more rows than one batch holds."""
    count = 120_000
    text = "n,text\n" + "".join(f'{number},"{"é" * 20}\n{number}"\n' for number in range(count))
    path = write(text)
    assert path.stat().st_size > 1 << 22
    rows, lines, rejects = read(path, {"n": NUMBER, "text": TEXT})
    assert rows == [(number, f"{'é' * 20}\n{number}") for number in range(count)]
    assert lines == list(range(2, 2 * count + 2, 2))
    assert rejects == []


def test_a_part_names_its_file_with_its_sha256(write):
    path = write("a\n1\n")
    [part] = open_csv([path], Dialect(), {"a": TEXT})
    assert (part.split, part.name, part.files) == (None, "x.csv", {"x.csv": hashlib.sha256(b"a\n1\n").hexdigest()})


def test_a_file_that_changes_between_the_check_and_the_reading_is_refused(write):
    path = write("a\n1\n")
    [part] = open_csv([path], Dialect(), {"a": TEXT})
    path.write_text("a\n2\n")
    with pytest.raises(DataError) as caught:
        list(part.read(lambda _: None))
    assert (
        str(caught.value) == f"Expected '{path}' to stay as it is while it is read. Received: another content than a moment ago. Run again."
    )


@pytest.mark.parametrize(
    ("content", "columns", "error", "message"),
    [
        ("", ["a"], DataError, "Expected rows in '{}'. Received: a file that is empty. Copy or download it again."),
        ("a,b\n", ["a"], DataError, "Expected rows in '{}'. Received: a file of only a header, 2 columns. Copy or download it again."),
        ("age,b\n1,2\n", ["aeg"], ConfigError, "Expected the column 'aeg' in '{}'. Received: 'age', 'b'. Did you mean 'age'?"),
        ("a,b,a\n1,2,3\n", ["a"], DataError, "Expected the column 'a' once in '{}'. Received: it 2 times. Rename all but one."),
        (b"\x89PNG\r\n", ["a"], DataError, "Expected a CSV or TSV file. Received '{}', which is a PNG picture."),
        (gzip.compress(b"PK\x03\x04"), ["a"], DataError, "Expected a CSV or TSV file. Received '{}', which is a ZIP archive."),
    ],
    ids=["empty", "only a header", "no such column", "a column twice", "a picture", "a gzipped archive"],
)
def test_a_file_that_cannot_be_read_at_all_is_one_clear_line(write, content, columns, error, message):
    path = write(content)
    with pytest.raises(error) as caught:
        open_csv([path], Dialect(), dict.fromkeys(columns, TEXT))
    assert str(caught.value) == message.format(path)


def test_a_column_that_is_there_twice_does_no_harm_where_it_is_not_asked_for(write):
    assert read(write("a,b,a\n1,x,3\n"), {"b": TEXT})[0] == [("x",)]


def test_a_truncated_gzip_file_is_named(write):
    path = write(gzip.compress(b"a,b\n" + os.urandom(100_000).hex().encode())[:-100])
    with pytest.raises(DataError, match=r"^Expected a sound gzip file\. Received '.*x\.csv', which is truncated or corrupt near offset "):
        open_csv([path], Dialect(), {"a": TEXT})


def test_a_path_that_is_no_file_is_a_configuration_error(tmp_path):
    with pytest.raises(ConfigError, match=r"^Expected a CSV or TSV file\. Received: '.*nowhere\.csv', which is not there\.$"):
        open_csv([tmp_path / "nowhere.csv"], Dialect(), {"a": TEXT})


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("text/SMSSpamCollection.tsv", 5574),
        ("text/banking77_train.csv", 10003),
        ("text/banking77_test.csv", 3080),
        ("text/jcola_in_domain_train-v1.0.tsv", 6919),
        ("text/jcola_in_domain_valid-v1.0.tsv", 865),
        ("tabular/penguins.csv", 344),
        ("tabular/penguins_raw.csv", 344),
        ("tabular/penguins_processed.csv", 334),
        ("tabular/penguins_processed_skewed.csv", 334),
        ("tabular/penguins_unlabelled.csv", 10),
        ("tabular/chicago_taxi_simple.csv", 15002),
        ("tabular/california_housing.csv", 20640),
        ("tabular/222127_traffic_accident_2019.csv", 907),
        ("tabular/222127_traffic_accident_2020.csv", 773),
        ("tabular/222127_traffic_accident_2021.csv", 729),
    ],
)
def test_public_data_is_read_whole_as_it_is_sniffed(name, rows):
    if not (path := DATA / name).exists():
        pytest.skip("the shared data is not on this machine")
    found = sniff(path)
    received, _, rejects = read(path, dict.fromkeys(found.columns, TEXT), found.dialect)
    assert (len(received), rejects) == (rows, [])
