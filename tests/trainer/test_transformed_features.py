"""The exported model of columns gives what the trainer was given of a row, to whoever measures it."""

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.transform_run import of_table, serialized
from trainer import export
from trainer.config import TrainerConfig
from trainer.features import names, table_sizes
from trainer.features.category import CategoryFeature
from trainer.features.number import NumberFeature
from trainer.models import build_model
from trainer.tasks import Multiclass

NUMBERS = {"price": [1.0, 5.0, None, 9.0] * 2, "city": ["大阪", "奈良", "", "大阪"] * 2}
KINDS = {"price": NumberFeature(), "city": CategoryFeature()}


@pytest.fixture
def transformed(tmp_path):
    """transformed(kinds, columns, asked): by name, what a loaded model of `kinds` that was exported from `columns` makes of `asked`."""

    def run(kinds, columns, asked):
        (tmp_path / "transform").mkdir()
        splits = {split: {"y": ["a", "b"] * 4, **columns} for split in ("train", "eval")}
        table = of_table(tmp_path / "transform", splits, kinds, "y", Multiclass())
        task = table.problem.task.resolved(table.graph)
        inputs = {name: spec for name, spec in table.graph.transformed_feature_spec().items() if name != names.LABEL}
        model = build_model(TrainerConfig(), task, inputs, table_sizes(table.graph))
        problem = table.problem.model_copy(update={"task": task})
        export.export(model, table.graph, problem, str(tmp_path / "served"))
        loaded = tf.saved_model.load(str(tmp_path / "served"))
        assert "transform_examples" not in loaded.signatures  # nobody is served it
        found = loaded.transform_examples(tf.constant(serialized(asked, table.graph.raw_metadata.schema)))
        return {name: values.numpy() for name, values in found.items()}, table

    return run


def test_it_is_what_the_transform_graph_makes_of_the_row_without_the_label(transformed):
    found, table = transformed(KINDS, NUMBERS, NUMBERS)
    expected = table.served(NUMBERS)
    assert sorted(found) == ["categories", "missing", "numbers", "ranks"]
    for name, values in found.items():
        np.testing.assert_array_equal(values, np.asarray(expected[name]))
