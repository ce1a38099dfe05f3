"""One of two classes: which one is the positive one, number 1."""

import pytest

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
