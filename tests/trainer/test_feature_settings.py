"""Every setting of a feature at once, from Transform through both loops to the saved model."""

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.transform_run import of_table
from trainer import fit, gradient_tape
from trainer.features import names
from trainer.features.category import CategoryFeature
from trainer.features.cross import CrossFeatures
from trainer.features.number import NumberFeature
from trainer.features.text import TextFeature
from trainer.features.time import TimeFeature
from trainer.run import run
from trainer.tasks import Regression

TABLE = {
    "area": NumberFeature(missing="mean", clip=(0.01, 0.99), scale="z_score", buckets=10),
    "rooms": NumberFeature(missing=1.0, clip=(0.0, 0.9), scale="min_max", buckets=3, log=True),
    "plain": NumberFeature(),
    "colour": CategoryFeature(min_count=3, max_size=4, unknown=3),
    "shape": CategoryFeature(encoding="one_hot", max_size=3),
    "user": CategoryFeature(hashed=30),
    "both": CategoryFeature(hashed=8, encoding="one_hot"),
    "sold": TimeFeature(),
    "story": TextFeature(length=20, weights="tf_idf", min_documents=2),
    "title": TextFeature(length=10),
}
CROSSES = [CrossFeatures(of=("colour", "shape")), CrossFeatures(of=("user", "area"), buckets=50)]
TEXTS = {name: feature for name, feature in TABLE.items() if feature.kind == "text"}
CONFIG = {"epochs": 2, "batch_size": 50, "optimizer": "adamw"}
ROWS = {"train": 230, "eval": 60}


def split(rows):
    random = np.random.default_rng(rows)

    def some(values, gaps=0.0):
        return [None if random.random() < gaps else value for value in random.choice(values, rows).tolist()]

    return {
        "area": some(random.lognormal(3, 1, 500), 0.1),
        "rooms": some([1.0, 2.0, 3.0, 50.0], 0.1),
        "plain": some(random.normal(size=500)),
        "colour": some(["red", "green", "blue", "rose", "teal", "ochre"], 0.1),
        "shape": some(["round", "flat", "long", "odd"]),
        "user": some([f"user {number}" for number in range(200)]),
        "both": some(["yes", "no", "maybe"]),
        "sold": random.integers(1_600_000_000, 1_700_000_000, rows).tolist(),
        "story": some(["a red house", "a green house by the sea", "東京の家", "a barn"]),
        "title": some(["House", "Barn", "家"]),
        "y": random.normal(size=rows).tolist(),
    }


@pytest.mark.slow
@pytest.mark.parametrize("features", [TABLE, TEXTS], ids=["table", "texts"])
def test_both_loops_train_alike_and_the_saved_model_does_with_a_row_what_the_training_did(tmp_path, features):
    crosses = CROSSES if features is TABLE else []
    splits = {name: {column: values for column, values in split(rows).items() if column in [*features, "y"]} for name, rows in ROWS.items()}
    (tmp_path / "table").mkdir()
    table = of_table(tmp_path / "table", splits, features, "y", Regression(), crosses)
    models = []
    for loop in (fit, gradient_tape):
        arguments = table.fn_args(tmp_path, loop, **CONFIG)

        def train(model, *args, loop=loop):
            models.append(model)
            return loop.train(model, *args)

        history = run(arguments, train).history
        assert np.isfinite(history["loss"]).all()
    for left, right in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(left, right)
    assert {tensor.name for tensor in models[0].inputs} == set(table.graph.transformed_feature_spec()) - {names.LABEL}  # each is taken

    served = tf.saved_model.load(arguments.serving_model_dir).signatures["predict_columns"]
    rows = {name: values[:40] for name, values in splits["eval"].items() if name != "y"}
    assert set(served.structured_input_signature[1]) == set(rows)  # raw columns alone, no cross
    nothing = {"number": float("nan"), "category": "", "text": ""}
    dtypes = {"number": tf.float32, "time": tf.int64}
    asked = {
        name: tf.constant(
            [nothing[features[name].kind] if value is None else value for value in values], dtypes.get(features[name].kind, tf.string)
        )
        for name, values in rows.items()
    }
    answers = served(**asked)["values"].numpy()
    expected = models[-1]({name: tf.constant(values) for name, values in table.served(rows).items()})
    expected = np.mean(expected, axis=1) if features is TABLE else expected
    mean, scale = np.mean(splits["train"]["y"]), np.std(splits["train"]["y"])
    np.testing.assert_allclose(np.ravel(answers), np.ravel(expected) * scale + mean, rtol=1e-3, atol=1e-4)
    assert np.std(answers) > 0
