"""Numbers of nines far from all others are missing values, and those that may be are told."""

import pytest

LOW = [number * 7 % 90 + 5 for number in range(90)]


@pytest.mark.parametrize("text", ["-999", "9999", "-9999.0", "-99999"])
def test_nines_far_from_all_other_numbers_are_missing_values_and_told(write, init, some, text):
    result = init(write(x=[*LOW, *[text] * 10], y=some("a", "b")))
    assert text in result.config.data.csv.missing
    assert f"'{text}' in column 'x' (10 rows) is taken for a missing value: all other numbers are far from it." in result.out
    assert result.config.features["x"].kind == "number"


def test_nines_that_are_not_so_far_are_told_where_they_come_often(write, init, some):
    result = init(write(x=[*LOW, *["99"] * 10], y=some("a", "b")))
    assert "99" not in result.config.data.csv.missing
    assert "'99' in column 'x' (10 rows) may stand for a missing value: add it to `data.csv.missing` if it does." in result.out


@pytest.mark.parametrize(
    ("values", "z"),
    [
        ([*[value * 100 for value in LOW], *["9999"] * 10], None),  # a number like others
        ([*LOW[:-1], *LOW[:10], "-999"], None),  # once
        ([*LOW, *["-999"] * 10], [-number for number in range(990, 1090)]),  # a usual number elsewhere
        (["1", "2"] * 45 + ["9999"] * 10, None),  # codes
    ],
)
def test_other_nines_are_numbers(write, init, some, values, z):
    columns = {"x": values, "z": z or some(), "y": some("a", "b")}
    assert not {"9999", "-999"} & set(init(write(**columns)).config.data.csv.missing)
