"""Numbers as people and spreadsheets write them are the same numbers."""

import pyarrow as pa
import pytest

from components.example_gen.readers import cells, written_numbers


def plain(text, decimal=".", thousands=None):
    return written_numbers.plain(pa.array([text]), decimal, thousands).to_pylist()[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$1200.50", "1200.50"),
        ("-$5.25", "-5.25"),
        ("€ -3", "-3"),
        ("1200 円", "1200"),
        ("12%", "12"),
        ("１２．５％", "12.5"),
        ("(44)", "-44"),
        ("1200.5-", "-1200.5"),
        ("− 7", "-7"),
        ("▲1200円", "-1200"),
        ("△ 3.5", "-3.5"),
        ("+5", "5"),
        ("1e5 €", "1e5"),
    ],
)
def test_currencies_per_cent_brackets_and_full_width_digits_are_read(text, expected):
    assert plain(text) == expected


@pytest.mark.parametrize(
    ("text", "decimal", "thousands", "expected"),
    [
        ("$1,200.50", ".", ",", "1200.50"),
        ("12,34,567", ".", ",", "1234567"),
        ("1.200,50 €", ",", ".", "1200.50"),
        ("1\N{NO-BREAK SPACE}234,5", ",", " ", "1234.5"),
        ("1’234.5", ".", "'", "1234.5"),
        ("(1,938)", ".", ",", "-1938"),
        ("607", ".", ",", "607"),
    ],
)
def test_separators_of_thousands_go_where_they_are_named(text, decimal, thousands, expected):
    assert plain(text, decimal, thousands) == expected


@pytest.mark.parametrize("text", ["1,200", "1.2.3", "1-2", "(1", "-", "$", "abc", "", "5 kg", "1 234", "12,3"])
def test_what_is_not_written_like_a_number_is_none(text):
    assert plain(text) is None


@pytest.mark.parametrize("text", ["1,20", "1,2345", ",200", "1,,200"])
def test_a_separator_in_another_place_makes_it_no_number(text):
    assert plain(text, ".", ",") is None


def test_a_column_may_hold_plain_and_decorated_numbers_and_its_wrong_cells_keep_their_rows():
    column = cells.numbers(pa.array(["5", "$1,938", None, "n.a.?", "(3)", "NA"]), missing=("NA",), thousands=",")
    assert column.values.to_pylist() == [5, 1938, None, None, -3, None]
    assert column.wrong == {3: "'n.a.?' is no number"}
