"""A table through Transform, for a task."""

import pytest

from tests.trainer.transform_run import of_table
from trainer.features.number import NumberFeature
from trainer.tasks import Multiclass


@pytest.fixture(scope="session")
def learn(tmp_path_factory):
    """learn(task, train, other): the Table of labels to be learnt as `task`, with a number beside each; the eval split has `other`."""

    def make(task, train, other):
        splits = {
            name: {"label": list(labels), "size": [float(row) for row in range(len(labels))]}
            for name, labels in {"train": train, "eval": other}.items()
        }
        return of_table(tmp_path_factory.mktemp("learnt"), splits, {"size": NumberFeature()}, "label", task)

    return make


@pytest.fixture(scope="session")
def labels_of():
    """labels_of(table, labels): the transformed labels of raw ones, in their order."""

    def transformed(table, labels):
        columns = {"label": list(labels), "size": [0.0] * len(labels)}
        return table.served(columns, with_label=True)["label"].tolist()

    return transformed


@pytest.fixture(scope="session")
def weather(learn):
    """Three classes; two rows of the eval split have another one."""
    return learn(Multiclass(), ["晴"] * 6 + ["曇"] * 3 + ["雨, 強い"] * 2, ["晴", "雪", "曇", "雪", "雨, 強い"])


@pytest.fixture(scope="session")
def sunshine(learn):
    """One class alone."""
    return learn(Multiclass(), ["晴"] * 5, ["晴"])
