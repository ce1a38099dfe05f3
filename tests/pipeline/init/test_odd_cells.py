"""Odd cells in a column of numbers or dates are told, and do not cost the column."""

import pytest

DAYS = [f"{1 + day % 28:02d}.0{1 + day % 9}.2023" for day in range(99)]


def test_an_odd_cell_is_taken_for_missing_and_the_column_keeps_its_kind(write, init, some):
    result = init(write(x=["12.5", *range(0, 196, 2), "n.a.?"], when=[*DAYS, "total"], y=some("a", "b")))
    written = result.config
    assert {name: feature.kind for name, feature in written.features.items()} == {"x": "number", "when": "time"}
    assert {"n.a.?", "total"} <= set(written.data.csv.missing)
    assert "'n.a.?' in column 'x' (1 row) is taken for a missing value." in result.out
    assert "'total' in column 'when' (1 row) is taken for a missing value." in result.out


@pytest.mark.parametrize(
    "values",
    [
        ["x", "y", "z", *range(97)],  # more than a few rows
        [*range(0, 96, 2), *range(50), "x" * 41, 1],  # no marker
    ],
)
def test_what_is_more_than_a_few_cells_or_a_sentence_is_not_decided(write, init, some, values):
    written = init(write(x=values, z=some(), y=some("a", "b"))).config
    assert list(written.features) == ["z"]
    assert "x" not in written.data.csv.missing


def test_words_stay_a_category(write, init, some):
    written = init(write(x=some("red", "blue", "10.5"), y=some("a", "b"))).config
    assert (written.features["x"].kind, "red" in written.data.csv.missing) == ("category", False)
