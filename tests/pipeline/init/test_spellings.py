"""Spellings of one value are told, and read as one."""

import pytest


@pytest.mark.parametrize(
    ("values", "replace", "trim"),
    [
        (["Yes"] * 40 + ["no"] * 40 + ["YES", "yes "] * 10, {"YES": "Yes", "yes": "Yes"}, True),
        (["<=50K"] * 40 + [">50K"] * 30 + ["<=50K.", ">50K."] * 15, {"<=50K.": "<=50K", ">50K.": ">50K"}, False),
        (["ＡＢ社"] * 20 + ["AB社"] * 50 + ["他社"] * 30, {"ＡＢ社": "AB社"}, False),
        (["yes"] * 60 + ["yes\N{ZERO WIDTH SPACE}"] * 10 + ["\N{NO-BREAK SPACE}no"] * 30, {}, True),
        (["yes "] * 60 + ["no  "] * 40, {}, True),
        (["yes"] * 60 + ["no"] * 40, {}, False),
    ],
)
def test_several_spellings_of_a_class_are_one_class(write, init, some, values, replace, trim):
    result = init(write(x=some(), label=values))
    written = result.config.data.csv
    assert (written.replace, written.trim) == (replace, trim)
    assert result.config.task.kind == "binary"
    assert ("'label' differ" in result.out, "'label' have spaces around" in result.out) == (bool(replace), trim)


def test_letters_are_told_and_left_as_they_are(write, init, some):
    result = init(write(x=some(), letter=["m", "M"] * 50, label=some("a", "b")))
    assert result.config.data.csv.replace == {}
    assert "Values of 'letter' differ by capitals, width or a last dot alone ('m' is also 'M')" in result.out


def test_what_is_hardly_ever_said_again_is_no_spelling(write, init, some):
    result = init(
        write(x=some(), said=[f"word {number}" for number in range(50)] + [f"Word {number}" for number in range(50)], y=some("a", "b"))
    )
    assert result.config.data.csv.replace == {}


def test_spaces_around_numbers_make_no_further_values_and_hide_no_missing_one(write, init, some):
    values = some("1", "2", " 1 ", " ")
    result = init(write(x=values, n=some(), label=["0"] * 60 + [" 0 "] * 10 + ["1"] * 25 + ["1 "] * 5))
    assert result.config.data.csv.trim
    assert result.config.task.kind == "binary"
    assert "2 classes: 0 70, 1 30." in result.out
    assert "Values of 'x', 'label' have spaces around them" in result.out
    row = next(line for line in result.out.splitlines() if line.startswith("x "))
    assert row.split()[2:4] == [str(values.count(" ")), "2"]


def test_a_label_of_numbers_with_spaces_in_empty_cells_is_given_away_by_no_column(write, init, some):
    result = init(write(x=some("1", "2"), z=some(), y=[*some()[:98], " ", "  "]))
    assert "gives the label away" not in result.out
    assert "2 rows have no 'y' and are left out." in result.out
