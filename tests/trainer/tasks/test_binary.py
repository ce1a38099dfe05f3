"""One of two classes: which one is the positive one, number 1, and from which probability on it is answered."""

import numpy as np
import pydantic
import pytest
import tensorflow as tf
from sklearn.metrics import matthews_corrcoef

from trainer.errors import DataError
from trainer.tasks import Binary

TRAIN = ["ham"] * 5 + ["spam"] * 3


@pytest.fixture(scope="module")
def plain(learn):
    return learn(Binary(), TRAIN, ["ham"])


@pytest.fixture(scope="module")
def reverse(learn):
    """The more frequent class is the one that is looked for."""
    return learn(Binary(positive="ham"), TRAIN, ["ham"])


@pytest.mark.parametrize(("which", "ordered"), [("plain", ("ham", "spam")), ("reverse", ("spam", "ham"))])
def test_the_positive_class_is_number_1_and_the_rarer_one_where_none_is_named(request, labels_of, which, ordered):
    table = request.getfixturevalue(which)
    task = table.problem.task.resolved(table.graph)
    assert (task.names, task.classes, task.outputs) == (ordered, 2, 2)
    assert labels_of(table, [*ordered, "eggs"]) == [0, 1, -1]


def test_a_positive_class_that_is_not_there_is_refused_with_the_nearest(plain):
    with pytest.raises(
        DataError, match=r"^Expected the positive class to be one of \['ham', 'spam'\]\. Received: 'spams'\. Did you mean 'spam'\?$"
    ):
        Binary(positive="spams").resolved(plain.graph)


@pytest.mark.parametrize(("which", "said"), [("sunshine", "1 in the train split: '晴'"), ("weather", "3 in the train split: '晴', ")])
def test_other_than_two_classes_are_refused_and_the_task_for_more_is_named(request, which, said):
    with pytest.raises(DataError, match=rf"^Expected a label of two classes for `task: binary`\. Received {said}.*`task: multiclass`\.$"):
        Binary().resolved(request.getfixturevalue(which).graph)


def decided(task, positive):
    """The classes of these probabilities of the positive one."""
    return task.decided(tf.constant([[1 - each, each] for each in positive], tf.float32)).numpy().tolist()


def test_the_positive_class_is_answered_from_the_threshold_on():
    assert decided(Binary(classes=2), [0.49, 0.51]) == [0, 1]
    assert decided(Binary(classes=2, threshold=0.25), [0.2, 0.25, 0.3]) == [0, 1, 1]


def test_balanced_classes_put_the_threshold_at_the_positive_classs_share_unless_one_is_given():
    task = Binary(classes=2, names=("ham", "spam"), class_weights="balanced").fitted(tf.constant([0] * 9 + [1]))
    assert decided(task, [0.09, 0.11]) == [0, 1]
    assert decided(task.model_copy(update={"threshold": 0.5}), [0.11, 0.51]) == [0, 1]


def drawn(rows, seed):
    """(float32 (rows, 2), int64 (rows,)): probabilities of rows of which few are positive, some of them equal, and what is right."""
    random = np.random.default_rng(seed)
    labels = (random.random(rows) < 0.15).astype(np.int64)
    positive = np.round(1 / (1 + np.exp(3 - 1.5 * labels - random.normal(size=rows))), 2).astype(np.float32)
    return np.stack([1 - positive, positive], axis=1), labels


@pytest.mark.parametrize("encoded", [False, True], ids=["numbers", "one-hot"])
@pytest.mark.parametrize("seed", [5, 7, 12])
def test_auto_is_a_threshold_of_nearly_the_greatest_mcc_on_rows_that_it_was_not_chosen_on(seed, encoded):
    """In all three the very best threshold of the rows that it is chosen on, or the middle of those about as good, is worse."""
    probabilities, labels = drawn(300, seed)
    task = Binary(classes=2, threshold="auto").tuned(lambda: (probabilities, np.eye(2)[labels] if encoded else labels))
    probabilities, labels = drawn(20_000, 6)
    reached = matthews_corrcoef(labels, decided(task, probabilities[:, 1]))
    best = max(matthews_corrcoef(labels, probabilities[:, 1] >= cut) for cut in np.unique(probabilities[:, 1]))
    assert best >= reached > 0.98 * best


def test_one_lucky_row_at_the_top_does_not_draw_the_threshold_to_itself():
    """Positive rows are a little more frequent in the upper half; the very first row happens to be positive."""
    labels = np.asarray([1] + [0] * 4 + [1, 0, 0, 0, 0] * 9 + [0] * 50)
    task = Binary(classes=2, threshold="auto").tuned(lambda: (np.stack([np.linspace(0, 1, 100), np.linspace(1, 0, 100)], axis=1), labels))
    assert 20 <= sum(decided(task, np.linspace(1, 0, 100))) <= 60


@pytest.mark.parametrize(
    ("probabilities", "labels"),
    [([0.3, 0.3, 0.3], [0, 1, 0]), ([0.1, 0.2], [1, 1]), ([0.1, 0.9], [1, 0]), ([0.4], [1])],
    ids=["equal probabilities", "one class", "the wrong way round", "one row"],
)
def test_where_no_threshold_helps_auto_leaves_the_decision_as_it_was(probabilities, labels):
    task = Binary(classes=2, threshold="auto")
    assert task.tuned(lambda: (np.asarray([[1 - each, each] for each in probabilities]), np.asarray(labels))).threshold is None


def test_a_threshold_that_is_given_looks_at_nothing():
    task = Binary(classes=2, threshold=0.3)
    assert task.tuned(lambda: pytest.fail("looked")) is task


@pytest.mark.parametrize("given", [2, -0.1, True, "aut", [0.5]])
def test_what_is_no_threshold_is_refused_in_one_line(given):
    with pytest.raises(pydantic.ValidationError) as caught:
        Binary(threshold=given)
    [error] = caught.value.errors()
    assert "task.threshold: Expected a number from 0 to 1, or `auto`. Received:" in error["msg"]
