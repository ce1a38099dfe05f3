"""The label is the column that is named, that has a usual name, or that a person says; the task follows from its values."""

import builtins
import sys

import pytest

from pipeline import config


def test_a_usual_name_is_taken_for_the_label_and_that_is_said(write, init, some):
    result = init(write(Species=some("a", "b", "c"), x=some()))
    assert result.config.label == "Species"
    assert "Label 'Species' (assumed by its name; --label COLUMN names another): multiclass (3 different texts)." in result.out


def test_a_usual_name_is_no_label_where_its_values_cannot_be_one(write, init, some):
    assert init(write(label=["same"] * 100, x=some(), target=some("a", "b"))).config.label == "target"


def test_without_a_usual_name_nothing_is_assumed_unasked(write, init, some):
    result = init(write(x=some(), kind=some("a", "b")))
    assert (result.status, result.text) == (2, None)
    assert result.err == (
        "Expected --label COLUMN, because no column has a usual label's name. Received: 'x', 'kind'. "
        "Name the column that is predicted, or take 'kind' with --yes.\n"
    )


def test_with_yes_the_last_column_that_could_be_is_the_label_and_that_is_said(write, init, some):
    result = init(write(x=some(), kind=some("a", "b"), version=["1"] * 100), "--yes")
    assert result.config.label == "kind"
    assert "Label 'kind' (assumed as the last column that could be; --label COLUMN names another): binary" in result.out


@pytest.mark.parametrize(("typed", "label"), [("", "kind"), ("x", "x")])
def test_on_a_terminal_the_label_is_asked_for(write, init, some, monkeypatch, typed, label):
    asked = []
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(builtins, "input", lambda question: asked.append(question) or typed)
    assert init(write(x=some(), kind=some("a", "b"))).config.label == label
    assert asked == ["The columns are 'x', 'kind'.\nWhich column is predicted? [kind] "]


def test_an_unknown_label_names_the_nearest_column(write, init, some):
    result = init(write(x=some(), kind=some("a", "b")), "--label", "kin")
    assert (result.status, result.text) == (2, None)
    assert result.err == "Expected --label to be a column of the data: 'x', 'kind'. Received: 'kin'. Did you mean 'kind'?\n"


@pytest.mark.parametrize(
    ("values", "task", "positive"),
    [
        (["spam"] * 60 + ["ham"] * 40, "binary", "spam"),
        (["1"] * 60 + ["0"] * 40, "binary", "1"),
        (["no", "yes"] * 50, "binary", "yes"),
        (["sick"] * 60 + ["well"] * 40, "binary", "sick"),
        (["無"] * 30 + ["有"] * 70, "binary", "有"),
        (["×"] * 30 + ["〇"] * 70, "binary", "〇"),
        (["FALSCH"] * 30 + ["WAHR"] * 70, "binary", "WAHR"),
        (["a"] * 60 + ["b"] * 40, "binary", "b"),
        (["a", "b", "c", "d"] * 25, "multiclass", None),
        ([1, 2, 3, 4] * 25, "multiclass", None),
        (list(range(10)) * 10, "multiclass", None),
        ([number * 7 % 20 for number in range(100)], "regression", None),
        ([0.5, 1.5, 2.5, 3.5] * 25, "regression", None),
        ((["a;b", "b;c", "c;a", "a;b;c", "", "a"] * 17)[:100], "multilabel", None),
        ((["Paris|FR", "Lyon|FR", "Rome|IT"] * 34)[:100], "multiclass", None),  # a name or two that come with one value each
    ],
)
def test_the_task_follows_from_the_labels_values(write, init, some, values, task, positive):
    result = init(write(x=some(), y=values))
    assert result.config.task.kind == task
    assert getattr(result.config.task, "positive", None) == positive


@pytest.mark.parametrize(
    ("values", "separator"),
    [
        (["a;b", "b;c", "c;a", "a;b;c", ""] * 20, ";"),
        (["赤|丸", "丸|重", "重|赤", "赤|丸|重", "赤"] * 20, "|"),
        (['"a,b"', '"b,c"', '"c,a"', '"a,b,c"', "a"] * 20, ","),
    ],
)
def test_cells_of_several_labels_say_what_stands_between_them(write, init, some, values, separator):
    result = init(write(x=some(), y=values))
    assert (result.config.task.kind, result.config.task.separator) == ("multilabel", separator)
    assert "multilabel (3 different labels, several of them in a cell)" in result.out
    assert "3 classes: " in result.out
    assert ("20 rows have an empty 'y': they are learnt as rows of no label." in result.out) == ("" in values)


@pytest.mark.parametrize(
    "values", [['"a, b"', '"b, c"', '"c, a"', '"a, b, c"', "a"] * 20, ['"Paris,FR"', '"Lyon,FR"', '"Rome,IT"', '"Oslo,NO"'] * 25]
)
def test_a_comma_in_names_makes_no_labels_of_them(write, init, some, values):
    assert init(write(x=some(), y=values)).config.task.kind == "multiclass"


def test_several_labels_are_refused_where_nothing_separates_them(write, init, some):
    result = init(write(x=some(), y=["a", "b", "c", "d"] * 25), "--task", "multilabel")
    assert (result.status, result.text) == (2, None)
    assert result.err == (
        "Expected labels that come back in 'y', one of ; | , between them, for --task multilabel. Received: 'a', 'b', 'c', .... "
        "Give --task multiclass, or another --label.\n"
    )


def test_of_many_rows_a_smaller_share_of_whole_numbers_are_classes(write, init):
    rows = [number * 7 % 13 for number in range(2000)]
    assert init(write(x=rows, y=[number % 100 for number in range(2000)])).config.task.kind == "multiclass"
    assert init(write(x=rows, y=[number % 101 for number in range(2000)]), output="other.yaml").config.task.kind == "regression"


def test_many_whole_numbers_some_of_which_are_in_one_row_only_are_amounts(write, init):
    rows = [number * 7 % 13 for number in range(2000)]
    often = [number % 38 for number in range(1998)]
    result = init(write(x=rows, y=[*often, 70, 98]))
    assert result.config.task.kind == "regression"
    assert "regression (40 different whole numbers, 2 of them in one row only)" in result.out
    assert init(write(x=rows, y=[*often, 98, 98]), output="twice.yaml").config.task.kind == "multiclass"
    assert init(write(x=rows, y=[*often, 4, 98]), output="one.yaml").config.task.kind == "multiclass"
    few = [number % 18 for number in range(1998)]
    assert init(write(x=rows, y=[*few, 70, 98]), output="few.yaml").config.task.kind == "multiclass"


@pytest.mark.parametrize(
    ("values", "task", "said"),
    [
        (
            ["a", "b", "c", "d"] * 25,
            "binary",
            "Expected two values in 'y' for --task binary. Received: 4 ('a', 'b', 'c', ...). Give --task mul",
        ),
        (["a", "b", "1", "2"] * 25, "regression", "Expected numbers in 'y' for --task regression. Received: 'a'. Give --task multiclass"),
        (["a"] * 100, "multiclass", "Expected at least two values in the label 'y'. Received: only 'a'. Give another --label."),
        ([""] * 100, "multiclass", "Expected at least two values in the label 'y'. Received: none. Give another --label."),
    ],
)
def test_a_task_that_the_values_cannot_have_is_refused(write, init, some, values, task, said):
    result = init(write(x=some(), y=values), "--label", "y", "--task", task)
    assert (result.status, result.text, result.err.count("\n")) == (2, None, 1)
    assert result.err.startswith(said)


def test_texts_that_hardly_come_back_are_no_classes(write, init, some):
    result = init(write(x=some(), y=[f"K{number}" for number in range(100)]), "--label", "y")
    assert (result.status, result.text) == (2, None)
    assert "Received: 100 different texts in 100 rows of 'y'." in result.err


def test_a_given_task_wins(write, init, some):
    assert init(write(x=some(), y=[1, 2, 3, 4] * 25), "--task", "regression").config.task.kind == "regression"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([*["a", "b"] * 49, "c", "d"], "Classes with one row, which is in one split only: 'c', 'd'."),
        (["a"] * 90 + ["b"] * 10, "Classes are unbalanced: always answering 'a' reaches an accuracy of 0.90."),
        (["a", "b"] * 10 + [""] * 80, "80 rows have no 'y' and are left out."),
        (["a", "b"] * 10 + [""] * 80, "There are only 20 rows with a label"),
    ],
)
def test_what_makes_a_label_hard_to_learn_is_said(write, init, some, values, said):
    assert said in init(write(x=some(), y=values)).out


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["a"] * 90 + ["b"] * 10, {"kind": "binary", "positive": "b", "threshold": "auto", "class_weights": "none"}),
        (["a"] * 60 + ["b"] * 40, {"kind": "binary", "positive": "b", "threshold": None, "class_weights": "none"}),
        (["a"] * 85 + ["b"] * 10 + ["c"] * 5, {"kind": "multiclass", "class_weights": "balanced", "threshold": "auto"}),
        (["a"] * 50 + ["b"] * 30 + ["c"] * 20, {"kind": "multiclass", "class_weights": "none", "threshold": None}),
    ],
)
def test_rare_classes_are_answered_by_a_threshold_of_their_own_or_weights(write, init, some, labels, expected):
    task = init(write(x=some(), y=labels)).config.task
    assert {key: getattr(task, key) for key in expected} == expected


def test_unbalanced_classes_get_other_bounds_than_accuracy_as_comments_that_hold(write, init, some, tmp_path):
    result = init(write(x=some(), y=["a"] * 90 + ["b"] * 10))
    bounds = [line.removeprefix("# ") for line in result.text.splitlines() if line.startswith("#   ")]
    assert ["metric: mcc" in bounds[1], "metric: f1" in bounds[2]] == [True, True]
    assert (result.config.evaluator.bounds, result.config.evaluator.max_accuracy_drop) == ((), None)
    (tmp_path / "mine.yaml").write_text(result.text.replace("#   ", "  "))
    assert [bound.metric for bound in config.load("mine.yaml").evaluator.bounds] == ["mcc", "f1"]


@pytest.mark.parametrize("option", [(), ("--task", "regression"), ("--task", "binary")])
def test_a_label_of_very_long_texts_is_shortened_in_a_line(write, init, option):
    texts = ["x" * 100_000] if not option else [sign * 100_000 for sign in "abc"]
    result = init(write(x=["1.5", "2.5", "3.5"] * 20, label=(texts * 60)[:60]), *option)
    assert result.status == 2
    assert len(result.err) < 500
