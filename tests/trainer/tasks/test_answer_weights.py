"""How much classes count in the answer where `threshold: auto` decides it."""

import json

import numpy as np
import pydantic
import pytest
import tensorflow as tf
from sklearn.metrics import f1_score

from trainer.tasks import Binary, Multiclass
from trainer.tasks.answer_weights import answer_weights

SHARES = np.asarray([0.9, 0.08, 0.02])


def unsure(rows, seed):
    """(labels, right probabilities) of rows whose one number says a little about a rare class."""
    random = np.random.default_rng(seed)
    labels = random.choice(3, rows, p=SHARES)
    value = random.normal(np.asarray([0.0, 1.5, 2.5])[labels])
    densities = SHARES * np.exp(-((value[:, np.newaxis] - [0.0, 1.5, 2.5]) ** 2) / 2)
    return labels, densities / densities.sum(1, keepdims=True)


def f1(labels, probabilities, weights):
    return f1_score(labels, (probabilities * weights).argmax(1), average="macro", labels=[0, 1, 2], zero_division=0)


@pytest.mark.parametrize("seed", range(3))
def test_few_rows_find_weights_that_answer_other_rows_nearly_as_well_as_the_best_and_better_than_both_extremes(seed):
    balanced = 1 / SHARES / 3
    found = answer_weights(unsure(100, seed)[1], balanced)
    labels, probabilities = unsure(20_000, seed + 100)
    best = max(f1(labels, probabilities, balanced**exponent) for exponent in np.linspace(0, 1, 41))
    assert f1(labels, probabilities, found) > best - 0.03
    assert f1(labels, probabilities, found) > f1(labels, probabilities, balanced) + 0.05
    assert f1(labels, probabilities, found) > f1(labels, probabilities, np.ones(3)) + 0.02


def test_several_classes_without_weights_have_nothing_that_could_be_found():
    with pytest.raises(pydantic.ValidationError, match=r"Received none\. Set `class_weights: balanced`\."):
        Multiclass(threshold="auto")
    assert Binary(threshold="auto").threshold == "auto"  # it is any probability


def test_weights_that_change_no_answer_are_left_out():
    """A model that is sure answers the same with all of them: then the most probable class is what is answered."""
    assert answer_weights(np.eye(3)[[0, 0, 0, 1, 2]], (0.4, 1.0, 5.0)) == (1.0, 1.0, 1.0)


def test_the_task_answers_by_what_is_found_and_says_it_in_the_exported_problem():
    labels, probabilities = unsure(200, 0)
    task = Multiclass(classes=3, names=("晴", "曇", "雨"), class_weights="balanced", threshold="auto").fitted(tf.constant(labels))
    tuned = task.tuned(lambda: (probabilities, labels))
    assert tuned.decided(tf.constant(probabilities)).numpy().tolist() == (probabilities * tuned.answer_weights).argmax(1).tolist()
    assert tuned.decided(tf.constant(probabilities)).numpy().tolist() != task.decided(tf.constant(probabilities)).numpy().tolist()
    assert Multiclass.from_json(tuned.to_json()) == tuned
    assert "answer_weights" not in json.loads(task.to_json())
