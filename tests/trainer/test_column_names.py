"""A column may be called whatever people call columns: the signature by columns has their names."""

import numpy as np
import tensorflow as tf

from serving.server.saved_model import SavedModel
from tests.trainer.transform_run import of_table, serialized
from trainer import export
from trainer.config import TrainerConfig
from trainer.features import names, table_sizes
from trainer.features.number import NumberFeature
from trainer.models import build_model
from trainer.tasks import Multiclass

# A keyword of Python, the method's own argument, a name that is made for others, no ASCII, and signs that TensorFlow takes in no name.
COLUMNS = ["class", "lambda", "None", "self", "column_1", "column_7", "列", "a b", "x/y.z", "size"]


def test_any_name_is_served_under_its_own_and_each_reaches_its_own_column(tmp_path):
    columns = {name: [float(row * 10 + place) for row in range(8)] for place, name in enumerate(COLUMNS)}
    splits = {"train": {"y": ["a", "b"] * 4, **columns}, "eval": {"y": ["a"] * 8, **columns}}
    (tmp_path / "transform").mkdir()
    table = of_table(tmp_path / "transform", splits, {name: NumberFeature() for name in COLUMNS}, "y", Multiclass())
    graph, problem = table.graph, table.problem
    task = problem.task.resolved(graph)
    inputs = {name: spec for name, spec in graph.transformed_feature_spec().items() if name != names.LABEL}
    model = build_model(TrainerConfig(), task, inputs, table_sizes(graph))
    export.export(model, graph, problem.model_copy(update={"task": task}), str(tmp_path / "served"))
    signature = SavedModel(str(tmp_path / "served")).signature("predict_columns")
    assert sorted(signature.inputs) == sorted(COLUMNS)
    one_off = {name: [*values[:-1], values[-1] + 100 * (place + 1)] for place, (name, values) in enumerate(columns.items())}
    examples = tf.saved_model.load(str(tmp_path / "served")).signatures["serving_default"]
    expected = examples(examples=tf.constant(serialized(one_off, graph.raw_metadata.schema)))["probabilities"].numpy()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        given = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path / "served")).signature_def["predict_columns"]
        fed = {given.inputs[name].name: np.asarray(values, np.float32) for name, values in one_off.items()}
        received = session.run(given.outputs["probabilities"].name, fed)
    np.testing.assert_array_equal(received, expected)
