"""Whoever asks a task asks each of them alike."""

import inspect

import pytest

from trainer.tasks import TASKS, Multiclass

ASKED = [name for name, member in vars(Multiclass).items() if inspect.isfunction(member) and not name.startswith("_")]


@pytest.mark.parametrize("task", TASKS)
def test_each_task_has_the_methods_of_several_classes_with_the_same_arguments(task):
    expected = {name: list(inspect.signature(getattr(Multiclass, name)).parameters) for name in ASKED}
    found = {name: list(inspect.signature(getattr(TASKS[task], name)).parameters) for name in ASKED if hasattr(TASKS[task], name)}
    assert found == {name: expected[name] for name in found}
    assert {"label_anomalies", "tuned", "fitted", "targets", "served", "transform_label"} <= set(found)
