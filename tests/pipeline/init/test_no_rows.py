"""Totals, units and notes around a table are found, told, and no rows."""

import pytest

BODY = "".join(f"{place},{number * 7 % 90 + 10},{'ab'[number % 3 % 2]}\n" for number, place in enumerate(["north", "south"] * 30))


@pytest.mark.parametrize(
    ("before", "after", "begins", "what"),
    [
        ("", "Total,3000,\n", "Total", "a total"),
        ("", "合計,3000,\n", "合計", "a total"),
        ("", "Gesamt,3000\n", "Gesamt", "a total"),
        ("", "※税込です。,,\n", "※税込です。", "a note"),
        ("", "taken from the register,,\n", "taken from the register", "a note"),
        ("", "Source: us\n", "Source: us", "a note"),
        (",(km),\n", "", "(km)", "units"),
    ],
)
def test_a_line_that_is_no_row_is_told_and_left_out(tmp_path, init, before, after, begins, what):
    (tmp_path / "t.csv").write_text("place,size,label\n" + before + BODY + after, encoding="utf-8")
    result = init("t.csv")
    assert result.config.data.csv.not_rows == (begins,)
    assert f"A line that begins with '{begins}' is taken for no row: {what}." in result.out.replace("\n", " ")
    assert result.out.startswith("60 rows, ")
    assert "cannot be read" not in result.out


@pytest.mark.parametrize(
    "after",
    [
        "Total,30,a\n",  # a whole row
        "total cost,30,\n",  # a value like others
        "17\n",  # a row that was cut
    ],
)
def test_what_may_be_a_row_is_left_to_people(tmp_path, init, after):
    (tmp_path / "t.csv").write_text("place,size,label\n" + BODY + after, encoding="utf-8")
    assert init("t.csv").config.data.csv.not_rows == ()


def test_a_word_that_comes_often_is_a_value(tmp_path, init):
    rows = "".join(f"{place},{number},{'ab'[number % 3 % 2]}\n" for number, place in enumerate(["total", ""] * 30))
    (tmp_path / "t.csv").write_text("place,size,label\n" + rows.replace("total,2,", "total,,"), encoding="utf-8")
    assert init("t.csv").config.data.csv.not_rows == ()
