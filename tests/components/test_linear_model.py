"""The linear model on what Transform gives: each kind of input is enough to learn by, and what it has not seen says nothing."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from components.linear_model import LinearModel
from trainer.problem import Problem
from trainer.tasks import Binary, Multiclass, Multilabel, Regression

ROWS = 300


def problem(task):
    return Problem(features={"x": "number"}, label="y", task=task)


@pytest.fixture(scope="module")
def classes():
    """int64 (ROWS,), 0 to 2."""
    return np.random.default_rng(0).integers(0, 3, ROWS)


def inputs(classes):
    """By kind, what tells the classes by itself."""
    noise = np.random.default_rng(1)
    return {
        "numbers": {"numbers": (np.eye(3)[classes] * 1000 + noise.normal(0, 100, (len(classes), 3))).astype(np.float32)},
        "categories": {"categories": np.stack([classes * 10_000, noise.integers(40_000, 40_500, len(classes))], axis=1)},
        "n-grams": {"tokens": np.stack([classes + 7, noise.integers(20, 500, len(classes)), 0 * classes], axis=1)},
        "weighed n-grams": {
            "tokens": np.stack([classes + 7, 9 - classes], axis=1),
            "ngram_weights": np.tile(np.float32([[3.0, 0.1]]), (len(classes), 1)),
        },
    }


@pytest.mark.parametrize("kind", ["numbers", "categories", "n-grams", "weighed n-grams"])
def test_each_kind_of_input_is_enough_to_tell_classes_by(classes, kind):
    rows = inputs(classes)[kind]
    answers = LinearModel(problem(Multiclass(classes=3)), rows, classes)(rows)
    assert (answers.argmax(axis=1) == classes).mean() > 0.99
    assert answers.sum(axis=1) == pytest.approx(np.ones(ROWS))


def test_what_the_sample_does_not_have_says_nothing(classes):
    rows = {"categories": classes[:, np.newaxis] * 5}
    answers = LinearModel(problem(Multiclass(classes=3)), rows, classes)({"categories": np.asarray([[1], [11], [3]])})
    assert answers[0] == pytest.approx(answers[1])
    assert answers[0].max() < 0.5


def test_ranks_bend_numbers_and_are_left_out(classes):
    rows = inputs(classes)["numbers"]
    with_ranks = rows | {"ranks": np.random.default_rng(2).random((ROWS, 3)).astype(np.float32)}
    fitted = [LinearModel(problem(Multiclass(classes=3)), given, classes)(given) for given in (rows, with_ranks)]
    assert np.array_equal(*fitted)


def test_numbers_are_answered_in_the_labels_own_units_whatever_these_are(classes):
    rows = inputs(classes)["numbers"]
    labels = 1e6 + 1e4 * rows["numbers"][:, 0].astype(np.float64)
    labels[:5] = np.nan  # left out
    answers = LinearModel(problem(Regression()), rows, labels)(rows)
    standard = (rows["numbers"] - rows["numbers"][5:].mean(axis=0)) / rows["numbers"][5:].std(axis=0)
    expected = Ridge().fit(standard[5:], labels[5:]).predict(standard)
    assert answers == pytest.approx(expected, abs=100)


def test_each_of_several_labels_is_told_by_itself_and_one_that_nobody_has_never(classes):
    rows = inputs(classes)["categories"]
    labels = np.stack([classes == 0, classes != 1, np.zeros(ROWS)], axis=1).astype(np.float32)
    answers = LinearModel(problem(Multilabel(names=("a", "b", "c"))), rows, labels)(rows)
    assert ((answers > 0.5) == (labels > 0)).mean() > 0.99
    assert answers[:, 2].max() == 0.0


def test_rows_of_unknown_classes_are_left_out_and_a_single_class_is_always_answered(classes):
    rows = inputs(classes)["numbers"]
    answers = LinearModel(problem(Binary(classes=2, names=("no", "yes"))), rows, np.where(classes == 0, -1, 1))(rows)
    assert np.array_equal(answers, np.tile([0.0, 1.0], (ROWS, 1)))


def test_a_model_of_much_work_is_fitted_by_fewer_rows_and_one_of_the_same_rows_is_the_same(classes, monkeypatch):
    rows = inputs(classes)["n-grams"]
    whole, again = (LinearModel(problem(Multiclass(classes=3)), rows, classes)(rows) for _ in range(2))
    assert np.array_equal(whole, again)
    monkeypatch.setattr("components.linear_model._MOST_WORK", 3 * 2 * ROWS // 3)
    monkeypatch.setattr("components.linear_model._FEWEST_ROWS", 10)
    assert not np.allclose(LinearModel(problem(Multiclass(classes=3)), rows, classes)(rows), whole)
