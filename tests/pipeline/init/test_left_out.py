"""Columns that no model should be given are written as comments with the reason, and the others are features."""

import pytest

from pipeline import config


def reason(result, name):
    """Why the config leaves the column out, None where it is a feature."""
    if name in result.config.features:
        return None
    [line] = [line for line in result.text.splitlines() if line.startswith(f"  # {name}: ")]
    return line.split("  # ", 2)[2]


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (["same"] * 100, "always the same value"),
        ([""] * 100, "empty"),
        (["a", "b", *[""] * 98], "almost empty: 2 of 100 rows have a value"),
        (["a", "b"] * 10 + [""] * 80, None),
        (range(100), "row numbers"),
        ([number * 37 % 101 for number in range(100)], None),
        ([*range(1, 51), *range(1, 51)], "row numbers"),
        ([number % 15 for number in range(100)], None),
        ([f"K{number}" for number in range(100)], "an identifier: nearly all values are different"),
        ([f"090{number * 7919:08d}" for number in range(100)], "an identifier: nearly all values are different"),
        ([f"K{number * number % 61}" for number in range(100)], None),
        ([f"K{number % 60}" for number in range(100)], "too many different values: 60 in 100 rows"),
        (
            ["broken"] * 3 + [*range(0, 194, 2)],
            "numbers, but 'broken' is none: mend it or add it to `data.csv.missing`, and use `number`",
        ),
        ([f"call {number} took rather long today" for number in range(100)], None),
    ],
)
def test_a_column_is_left_out_for_what_its_values_are(write, init, some, column, why):
    result = init(write(x=some(), column=column, label=some("a", "b", "c")))
    assert reason(result, "column") == why
    assert "x" in result.config.features


@pytest.mark.parametrize(
    ("name", "why"), [("user_id", "an identifier: by its name, and nearly all numbers are different"), ("people", None)]
)
def test_whole_numbers_that_are_all_different_are_an_identifier_by_their_name(write, init, some, name, why):
    result = init(write(x=some(), **{name: [number * 37 % 101 for number in range(100)]}, label=some("a", "b", "c")))
    assert reason(result, name) == why


def test_a_column_without_its_comment_sign_is_a_feature(write, init, tmp_path, some):
    result = init(write(x=some(), same=["same"] * 100, label=some("a", "b")))
    (tmp_path / "mine.yaml").write_text(result.text.replace("  # same: category", "  same: category"))
    assert set(config.load("mine.yaml").features) == {"x", "same"}


def test_without_a_column_left_nothing_is_written(write, init, some):
    result = init(write(same=["same"] * 100, label=some("a", "b")))
    assert (result.status, result.text) == (2, None)
    assert result.err == (
        "Expected a column that can be a feature (category, number, series, text, time). Received only: 'same' (always the same value). "
        "Give data with other columns, or another --label.\n"
    )


def test_a_twin_of_the_label_gives_it_away(write, init, some):
    label = some("red", "blue", "green")
    result = init(write(x=some(), code=[{"red": 1, "blue": 21, "green": 41}[each] for each in label], label=label))
    assert reason(result, "code") == "gives the label away: each value stands for one of 'label'"
    assert reason(result, "x") is None


def test_a_column_that_is_nearly_a_twin_gives_it_away_too(write, init, some):
    label = some("0", "1")
    mark = ["*" if each == "0" else "g" for each in label]
    mark[7] = "*"
    assert "hardly ever differs" in reason(init(write(x=some(), mark=mark, label=label)), "mark")


def test_a_number_that_the_label_was_made_from_gives_it_away(write, init, some):
    tips = some()
    assert "gives the label away" in reason(init(write(x=some(), tips=tips, label=[int(each > 20) for each in tips])), "tips")


def test_of_a_column_that_says_nearly_all_of_the_label_a_person_is_asked(write, init, some):
    label = some("0", "1")
    mark = ["*" if each == "0" else "g" for each in label]
    mark[7:60:13] = ["*", "g", "*", "g", "*"]
    result = init(write(x=some(), mark=mark, label=label))
    assert reason(result, "mark") is None
    assert "Note: 'mark' alone says nearly all of 'label': is it known when a prediction is asked for?\n" in result.out
    assert "'x' alone" not in result.out


def test_a_number_that_only_helps_is_a_feature(write, init, some):
    strength, noise = some(), some()
    label = [int(each + other / 2 > 35) for each, other in zip(strength, noise, strict=True)]
    assert reason(init(write(strength=strength, noise=noise, label=label)), "strength") is None


def test_the_same_number_in_another_unit_gives_a_number_away(write, init, some):
    price = some()
    result = init(write(x=some(), cents=[round(100 * each) for each in price], target=price))
    assert reason(result, "cents") == "gives the label away: nearly a multiple of 'target'"
    assert reason(result, "x") is None


def test_in_a_file_sorted_by_its_label_nothing_else_gives_it_away(write, init, some):
    result = init(write(x=some(), color=some("red", "blue"), label=["a"] * 50 + ["b"] * 50))
    assert reason(result, "color") is None


def test_a_column_of_many_values_that_come_back_rarely_is_not_taken_for_a_twin(write, init, some):
    result = init(write(x=some(), town=[f"T{number % 45}" for number in range(100)], label=some("a", "b")))
    assert reason(result, "town") is None


def test_texts_in_a_file_sorted_by_its_label_do_not_give_it_away(write, init):
    """Nor do the few that are there twice, whose labels are equal."""
    said = [f"the {word} number {number // 2 * 2 if number < 10 else number} was here" for word in ("cat", "dog") for number in range(50)]
    result = init(write(said=said, label=["cat"] * 50 + ["dog"] * 50))
    assert reason(result, "said") is None
