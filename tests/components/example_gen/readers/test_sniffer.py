"""How a CSV or TSV file is written is found out: its delimiter, quotes, header, preamble, decimal point and markers of missing values."""

import csv
import gzip
import os
import re
import subprocess
from pathlib import Path

import pytest

from components.example_gen.readers.sniffer import SAMPLE_BYTES, sniff
from trainer.errors import DataError

DATA = Path(os.environ.get("TAPELINE_DATA", Path(__file__).parents[5] / "shared" / "data"))

# What it is: (text, delimiter, header, lines to skip, columns)
FILES = {
    "plain": ("id,name,age\n1,Ann,34\n2,Bob,28\n3,Cid,41\n", ",", True, 0, "id name age"),
    "semicolons and a decimal comma": ("x;y\n1,5;2,25\n3,5;4,75\n0,5;1,0\n", ";", True, 0, "x y"),
    "semicolons and CR line ends": ("a;b\r1;x\r2;y\r3;z\r", ";", True, 0, "a b"),
    "a space after each comma": (
        "age, job, pay\n39, State-gov, 77516\n50, Private, 83311\n38, Private, 215646\n",
        ", ",
        True,
        0,
        "age job pay",
    ),
    "a space after each comma, and quotes": ('id, text\n1, "a, b"\n2, "c, d, e"\n3, f\n', ", ", True, 0, "id text"),
    "no header, numbers": ("5.1,3.5,setosa\n4.9,3.0,setosa\n6.1,2.2,virginica\n", ",", False, 0, "column_1 column_2 column_3"),
    "no header, all text": (
        "ham\tGo until jurong\nham\tOk lar, joking\nspam\tFree entry, win\nham\tFine\n",
        "\t",
        False,
        0,
        "column_1 column_2",
    ),
    "a preamble": ("Report of sales\nmade 2020-01-02, by Ann\n\nid,shop,sum\n1,A,3.5\n2,B,4.5\n3,A,1.0\n", ",", True, 3, "id shop sum"),
    "a preamble padded by a spreadsheet": ("Sales 2020;;\n;;\nid;shop;sum\n1;A;3\n2;B;4\n3;A;5\n", ";", True, 2, "id shop sum"),
    "comments before the header": ("# version 2\n# units: mm\na,b,c\n1,2,3\n4,5,6\n", ",", True, 2, "a b c"),
    "one column of texts with a header": ("text\nI like it, really\nNo, not at all, never\nWhat a day\nSo, so\n", "\t", True, 0, "text"),
    "one column of texts without a header": (
        "I like it, really.\nNo, not at all, never!\nWhat a day.\nSo, so.\n",
        "\t",
        False,
        0,
        "column_1",
    ),
    "one column of numbers": ("value\n1.5\n2.5\n3.5\n", ",", True, 0, "value"),
    "one column of numbers with a decimal comma": ("value\n1,5\n2,5\n3,75\n", "\t", True, 0, "value"),
    "one row of numbers": ("1,2,3\n", ",", False, 0, "column_1 column_2 column_3"),
    "a header and one row": ("name,age\nAnn,34\n", ",", True, 0, "name age"),
    "quotes only at the end": ("a,b\n" + "1,x\n" * 500 + '2,"y,\nz"\n', ",", True, 0, "a b"),
    "line breaks in quotes": ('text,label\n"one,\ntwo",a\n"three, four",b\nfive,a\n"six\n\nseven",b\n', ",", True, 0, "text label"),
    "texts with quotes inside": (
        "text,label\n" + "".join(f'"He said ""{word}"", and then ""no"", and was gone",x\n' for word in ("yes", "no", "maybe")),
        ",",
        True,
        0,
        "text label",
    ),
    "bare quotes": ('id,size,name\n1,5" pipe,x\n2,7" pipe,y\n3,9",z\n', ",", True, 0, "id size name"),
    "vertical bars": ("a|b|c\n1|x, y|2.5\n2|z|3.5\n", "|", True, 0, "a b c"),
    "tabs around decimal commas": ("x\ty\n1,5\t2,5\n2,5\t3,5\n4,5\t1,5\n", "\t", True, 0, "x y"),
    "a first line that names the delimiter": ("sep=;\r\na;b,c\r\n1;2\r\n3;4\r\n", ";", True, 1, "a b,c"),
    "a delimiter at the end of each line": ("a,b,c,\n1,2,3,\n4,5,6,\n", ",", True, 0, "a b c"),
    "a delimiter at the end of each row but the header": ("a,b,c\n1,2,3,\n4,5,6,\n7,8,9,\n", ",", True, 0, "a b c"),
    "blank lines at the end": ("a,b\n1,2\n3,4\n\n\n\n", ",", True, 0, "a b"),
    "rows of delimiters at the end": ("a;b;c\n1;2;3\n4;5;6\n;;\n;;\n;;\n;;\n;;\n", ";", True, 0, "a b c"),
    "empty columns of a spreadsheet": ("a,b,,\n1,x,,\n2,y,,\n3,z,,\n", ",", True, 0, "a b"),
    "a column without a name": (",x,y\n0,1.5,a\n1,2.5,b\n2,3.5,a\n", ",", True, 0, "column_1 x y"),
    "names of rows as R writes them": ('"x" "y"\n'.replace(" ", ",") + '"r1",1,2\n"r2",3,4\n"r3",5,6\n', ",", False, 1, "row x y"),
    "JSON inside": ('id\tjson\n1\t{"a": 1, "b": [2, 3]}\n2\t{"a": 2, "b": []}\n3\t{"c": "x"}\n', "\t", True, 0, "id json"),
    "years as names": ("country,1990,1991,1992\nPeru,1.5,2.5,3.0\nChad,2.5,1.5,2.0\n", ",", True, 0, "country 1990 1991 1992"),
    "times of day": ("time;temp\n2020-01-02 10:00:00;1,5\n2020-01-02 11:00:00;2,5\n", ";", True, 0, "time temp"),
    "groups of columns above their names": ("who,,when\nsex,smoker,day\nm,yes,1\nf,no,2\nf,yes,3\n", ",", False, 2, "sex smoker day"),
    "groups of columns above the same names": (
        "in_2019,,in_2020,\nmen,women,men,women\n1,2,3,4\n5,6,7,8\n9,1,2,3\n",
        ",",
        False,
        2,
        "in_2019 men in_2019 women in_2020 men in_2020 women",
    ),
    "the header once more": ("a,b\nx,y\na,b\nz,w\n", ",", True, 0, "a b"),
    "Japanese": ("名前,性別,点数\n山田,男,80\n佐藤,女,90\n鈴木,女,85\n", ",", True, 0, "名前 性別 点数"),
    "a few ragged rows": ("a,b,c\n" + "1,2,3\n" * 20 + "1,2\n1,2,3,4\n", ",", True, 0, "a b c"),
    "texts with commas beside labels": (
        "label;text\npos;good, very good, fine\nneg;bad, bad\npos;nice\nneg;no, no\n",
        ";",
        True,
        0,
        "label text",
    ),
    "spaces between numbers": ("18.0 8 307.0\n15.0 8 350.0\n16.0 8 304.0\n17.0 6 302.0\n", " ", False, 0, "column_1 column_2 column_3"),
    "a doubled quote": ('q,a\n"He said ""no"", twice",1\n"plain, text",0\nx,1\n', ",", True, 0, "q a"),
    "no header, unique texts beside a category": (
        "good film,pos\nbad film,neg\nfine day,pos\nno way,neg\n",
        ",",
        False,
        0,
        "column_1 column_2",
    ),
}


def found(text):
    return sniff(text.encode() if isinstance(text, str) else text)


@pytest.mark.parametrize("what", FILES)
def test_delimiter_header_preamble_and_columns_are_found(what):
    text, delimiter, header, skip, columns = FILES[what]
    result = found(text)
    assert (result.dialect.delimiter, result.dialect.header, result.dialect.skip, " ".join(result.columns)) == (
        delimiter,
        header,
        skip,
        columns,
    )


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("a\tb\n1\tx\n2\ty\n", '"'),  # quotes may still come
        ('ham\tGo on, "now" or never\nham\t"Ok" he said\nspam\t"Free entry\nham\tI say "no"\nspam\t"never ends\n', None),
        ('a,b\n"x, y",1\n"z",2\n', '"'),
        ('id,size\n1,5" pipe\n2,7" pipe\n', '"'),  # quotes inside a field are characters anyway
    ],
    ids=["none yet", "unbalanced", "quoted", "bare"],
)
def test_quotes_are_switched_off_only_where_text_makes_more_sense_without(text, quote):
    assert found(text).dialect.quote == quote


@pytest.mark.parametrize(
    ("text", "decimal"),
    [
        ("x;y\n1,5;a\n2,5;b\n", ","),
        ("x;y\n1.5;a\n2.5;b\n", "."),
        ('x,y\n"1,5",a\n"2,25",b\n', ","),
        ("x;y\n1;a\n2;b\n", "."),
        ("n,x\n" + "1,1.5\n2,2.5\n" * 9 + "n,x\n", "."),
        ("n;x\n" + "1;1,5\n2;2,5\n" * 9 + "(km);(EUR)\n", ","),
    ],
    ids=["comma", "point", "comma in quotes", "whole numbers", "point and words", "comma and words"],
)
def test_the_decimal_point_is_that_of_the_numbers(text, decimal):
    assert found(text).dialect.decimal == decimal


def test_a_comma_that_may_part_thousands_off_is_a_doubt():
    result = found("x;y\n1,500;a\n2,250;b\n")
    assert result.dialect.decimal == "."
    assert result.doubts == ("The comma in column 'x' could be a decimal comma or part thousands off, and it is not read as a number.",)


@pytest.mark.parametrize(
    ("values", "decimal", "thousands"),
    [
        (["1,200.50", "3.25"], ".", ","),
        (["1.200,50 €", "3,25 €"], ",", "."),
        (["1,200,000", "7"], ".", ","),
        (["1 200,5", "3,5"], ",", " "),
        (["1'200", "7"], ".", "'"),
        ([f"{number:,}" for number in range(100, 9000, 300)], ".", ","),
        (["1.125", "0.250", "7"], ".", None),
        ([f"{number / 1000:.3f}" for number in range(1000, 9000, 77)] + ["12"], ".", None),
    ],
)
def test_what_separates_thousands_is_told_where_a_column_can_only_be_read_so(values, decimal, thousands):
    dialect = found("x;y\n" + "".join(f"{value};a\n" for value in values)).dialect
    assert (dialect.decimal, dialect.thousands) == (decimal, thousands)


def test_commas_in_many_quoted_numbers_part_thousands_off_where_commas_stand_between_fields():
    dialect = found("x,y\n" + "".join(f'"{number:,}",a\n' for number in range(1000, 30_000, 999))).dialect
    assert (dialect.decimal, dialect.thousands) == (".", ",")
    dialect = found("x,y\n" + "".join(f'"{number},250",a\n' for number in range(30))).dialect
    assert dialect.thousands is None


def test_a_comma_parts_thousands_off_where_other_columns_have_a_decimal_point():
    result = found("x;y\n1,500;2.5\n2,250;3.5\n")
    assert (result.dialect.decimal, result.dialect.thousands, result.doubts) == (".", ",", ())
    assert "thousands separated by commas" in result.reasons


@pytest.mark.parametrize(("mark", "decimal"), [(",", ","), (".", ".")])
def test_three_digits_behind_a_zero_are_a_fraction_and_no_thousands(mark, decimal):
    result = found(f"x;y\n0{mark}125;a\n1{mark}250;b\n-0{mark}375;c\n")
    assert (result.dialect.decimal, result.dialect.thousands, result.doubts) == (decimal, None, ())


def test_markers_of_missing_values_are_those_of_columns_that_otherwise_are_numbers():
    result = found("x,y,said\n1,2.5,None\n-,3.5,yes\n3,None,-?\n4,#REF!,no\n5,1.5,a\n6,2.5,b\n")
    assert set(result.dialect.missing) - {"", "NA", "N/A", "NaN", "nan", "null", "NULL"} == {"-", "None", "#REF!"}
    assert "'-' for a missing value, as in column 'x'" in result.reasons


def test_words_and_masks_that_say_that_a_number_is_not_known_are_missing_values_however_often():
    """Surveys and statistics have them in a tenth of the rows; among words alone they are values."""
    for marker in ("unknown", "missing", "不明", "未回答", "***", "…"):
        result = found("x,job\n" + "1.5,cook\n2.5,clerk\n" * 9 + f"{marker},cook\n" * 4)
        assert marker in result.dialect.missing
        assert f"'{marker}' for a missing value, as in column 'x'" in result.reasons
        assert marker not in found("x,job\n" + "1.5,cook\n2.5,clerk\n" * 9 + f"3.5,{marker}\n" * 4).dialect.missing


def test_a_dash_of_any_width_is_missing_among_amounts_of_money_too():
    result = found('price,job\n"1,200円",駅員\n"3,500円",教師\n"2,250円",―\n－,医師\n"4,100円",駅員\n')
    assert {"－", "―"} <= set(result.dialect.missing)
    assert "'－' for a missing value, as in column 'price'" in result.reasons
    assert "'―' in column 'job' is taken for a missing value." in result.doubts


def test_columns_aligned_by_spaces_and_a_tab_before_a_text_are_refused_with_what_makes_csv_of_them(tmp_path):
    rows = [(18.0, 8, 307.0, "chevrolet chevelle malibu"), (15.0, 8, 350.0, "buick skylark 320"), (9.5, 8, 304.0, "hi 1200d")]
    path = tmp_path / "auto-mpg.data"
    path.write_text("".join(f'{mpg:<7}{cylinders:<4}{size:<11}\t"{name}"\n' for mpg, cylinders, size, name in rows))
    with pytest.raises(DataError, match=r"Received: 4 columns aligned by several spaces\. Write commas: `perl") as refused:
        sniff(path)
    command = re.search("`(.*)`", str(refused.value))[1].replace("FILE", str(path))
    subprocess.run(["bash", "-c", command], check=True)
    written = csv.reader(Path(f"{path}.csv").read_text(encoding="utf-8").splitlines())
    assert [(float(row[0]), int(row[1]), float(row[2]), row[3]) for row in written] == rows


def test_columns_aligned_by_spaces_are_refused_with_what_to_type():
    with pytest.raises(DataError, match=r"Received: 3 columns aligned by several spaces\. Write commas: `perl"):
        found(" 0.01  18.00   2\n 0.02   0.00   7\n 12.3   1.50  11\n")
    assert found("I saw 3\nno 2 2\nall 5 6\nso 7 8\nnever 9\n").columns == ("column_1",)


def test_what_a_spreadsheet_writes_of_a_column_that_is_too_narrow_is_a_missing_value():
    missing = found("x,y\n" + "1.5,a\n2.5,b\n" * 5 + "#####,c\n########,d\n").dialect.missing
    assert {"#####", "########"} <= set(missing)


def test_a_question_mark_among_words_is_taken_for_missing_and_told_as_a_doubt():
    result = found("age, job\n39, State-gov\n50, ?\n38, Private\n31, Private\n")
    assert "?" in result.dialect.missing
    assert result.doubts == ("'?' in column 'job' is taken for a missing value.",)


def test_a_question_mark_among_other_signs_is_a_value():
    assert "?" not in found("n,sign\n1,?\n2,*\n3,g\n4,?\n").dialect.missing


def test_missing_values_among_codes_of_two_letters_are_a_doubt():
    assert found("country,n\nDE,1\nNA,2\nFR,3\nJP,4\n").doubts == (
        "'NA' in column 'country' is taken for a missing value, but could be a code like 'DE'.",
    )


def test_a_column_that_is_there_twice_is_a_doubt():
    assert found("a,b,a\n1,x,2\n2,y,3\n").doubts == ("The column 'a' is there 2 times; it cannot be read until all but one are renamed.",)


def test_rows_of_another_width_are_a_doubt():
    assert found("a,b,c\n" + "1,2,3\n" * 20 + "1,2\n").doubts == ("1 of 21 rows have another number of fields than 3.",)


def test_a_first_row_that_may_be_names_or_data_is_a_doubt():
    assert found("a,b\nc,d\ne,f\n").doubts == ("The first row (a | b) could also be a row of data.",)


def test_one_comma_in_every_number_may_be_a_decimal_comma_or_part_columns():
    assert found("1,5\n2,5\n3,7\n").doubts == ("The file could also be one column of numbers with a decimal comma.",)
    [doubt] = found("value\n1,5\n2,5\n3,7\n").doubts
    assert doubt.startswith("The file could also be two columns of whole numbers")


def test_a_very_long_text_is_no_hindrance():
    result = found('id,text\n1,short\n2,"' + "long, " * 40_000 + '"\n3,short\n4,short\n')
    assert (result.dialect.delimiter, result.columns) == (",", ("id", "text"))


def test_encoding_and_dialect_are_found_together(tmp_path):
    text = "名前\t性別\t点数\n" + "山田さん\t男性\t80\n佐藤さん\t女性\t90\n" * 5
    for codec, expected in (("utf-16", "utf-16"), ("cp932", "cp932"), ("utf-8-sig", "utf-8-sig"), ("euc_jp", "euc_jp")):
        path = tmp_path / f"{codec}.txt.gz"
        path.write_bytes(gzip.compress(text.encode(codec)))
        result = sniff(path)
        assert (result.dialect.encoding, result.dialect.delimiter, result.columns) == (expected, "\t", ("名前", "性別", "点数"))
        assert [doubt.startswith("The encoding is a guess") for doubt in result.doubts] == ([True] if codec in {"cp932", "euc_jp"} else [])


@pytest.mark.parametrize(
    ("content", "received"),
    [
        (b"PK\x03\x04" + bytes(30), "a ZIP archive"),
        (b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml", "an Excel workbook or another Office document"),
        (b"PAR1" + bytes(9), "a Parquet file"),
        (b"a,b\n1,\0\n", "binary data, with a NUL byte at offset 6"),
        (b"<!DOCTYPE html><html>", "a web page"),
    ],
    ids=["zip", "xlsx", "parquet", "NUL", "web page"],
)
def test_what_is_no_text_is_named_in_one_line(tmp_path, content, received):
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        sniff(path)
    assert str(caught.value) == f"Expected a CSV or TSV file. Received '{path}', which is {received}."


@pytest.mark.parametrize(("content", "received"), [(b"", "an empty file"), (b"\n\n \n", "only blank lines")])
def test_no_rows_at_all_are_refused(content, received):
    with pytest.raises(DataError) as caught:
        sniff(content)
    assert str(caught.value) == f"Expected rows in the text. Received: {received}."


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("text/SMSSpamCollection.tsv", ("\t", None, False, "utf-8", 2)),
        ("text/banking77_train.csv", (",", '"', True, "utf-8", 2)),
        ("text/banking77_test.csv", (",", '"', True, "utf-8", 2)),
        ("text/jcola_in_domain_train-v1.0.tsv", ("\t", '"', True, "utf-8", 6)),
        ("text/jcola_in_domain_valid-v1.0.tsv", ("\t", '"', True, "utf-8", 6)),
        ("tabular/penguins.csv", (",", '"', True, "utf-8", 8)),
        ("tabular/penguins_raw.csv", (",", '"', True, "utf-8", 17)),
        ("tabular/penguins_processed.csv", (",", '"', True, "utf-8", 5)),
        ("tabular/penguins_unlabelled.csv", (",", '"', True, "utf-8", 4)),
        ("tabular/chicago_taxi_simple.csv", (",", '"', True, "utf-8", 18)),
        ("tabular/california_housing.csv", (",", '"', True, "utf-8", 10)),
        ("tabular/222127_traffic_accident_2019.csv", (",", '"', True, "utf-8-sig", 27)),
    ],
)
def test_public_data_is_understood_without_a_doubt(name, expected):
    if not (path := DATA / name).exists():
        pytest.skip("the shared data is not on this machine")
    result = sniff(path)
    dialect = result.dialect
    assert (dialect.delimiter, dialect.quote, dialect.header, dialect.encoding, len(result.columns)) == expected
    assert result.doubts == ()


@pytest.mark.parametrize(
    "text",
    [
        "name,size\n'big, round',3\n'small',4\nplain,5\n",
        "'a name';'n'\n'it''s; so';1\n'two, three';2\n",
        "'name', 'size'\n'a, b', 3\n'c', 4\n'd, e, f', 5\n",
        "name\tsize\n'a\tb'\t1\n'c \"d\"'\t2\n",
    ],
)
def test_single_quotes_are_quotes_where_fields_begin_and_end_with_them(text):
    found = sniff(text.encode())
    assert found.dialect.quote == "'"
    assert "single quotes around fields" in found.reasons
    assert len(found.columns) == 2
    assert not found.doubts


@pytest.mark.parametrize(
    "text",
    [
        "text,label\n'tis the season,a\n'twas the night,b\nrock 'n' roll,a\n",
        "text,label\n'quoted' he said,a\n'quoted' she said,b\nfine,a\n",
        "height,name\n5'11,Ann\n6',Bob\n5'2,Cid\n",
        "text,label\n'one',a\ntwo,b\nthree,a\n",
        'text,label\n"\'a, b\'",x\n"\'c, d\'",y\n"e, f",x\n',
        "text,label\n\"a, b\",'x'\n\"c\",'y'\n",
    ],
)
def test_apostrophes_are_no_quotes(text):
    found = sniff(text.encode())
    assert found.dialect.quote != "'"
    assert len(found.columns) == 2


def test_single_quotes_are_found_in_a_file_that_is_longer_than_what_is_looked_at():
    text = "name,size\n" + "'big, round and rather long',3\n" * (SAMPLE_BYTES // 20)
    assert sniff(text.encode()).dialect.quote == "'"
