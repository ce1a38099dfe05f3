"""The linear model and the wide and deep one: what each can learn and what it cannot, in both loops and as it is served."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.models.both_loops import learnt_by_both
from tests.trainer.transform_run import of_table
from trainer.errors import ConfigError
from trainer.features.category import CategoryFeature
from trainer.features.number import NumberFeature
from trainer.models import linear, wide_deep
from trainer.tasks import Multiclass

INPUTS = {
    "numbers": tf.io.FixedLenFeature((2,), tf.float32),
    "categories": tf.io.FixedLenFeature((3,), tf.int64),
    "tokens": tf.io.FixedLenFeature((4,), tf.int64),
}
SIZES = {"categories": 9, "tokens": 30}


def rows(count, label):
    random = np.random.default_rng(count)
    size, colour, shape = random.normal(size=count), random.choice(["red", "blue"], count), random.choice(["round", "square"], count)
    labels = [label(*row) for row in zip(size, colour, shape, strict=True)]
    return {"size": size.tolist(), "colour": colour.tolist(), "shape": shape.tolist(), "y": labels}


def table_of(folder, label):
    features = {"size": NumberFeature(), "colour": CategoryFeature(), "shape": CategoryFeature()}
    folder.mkdir()
    splits = {"train": rows(330, label), "eval": rows(130, label)}
    return of_table(folder, splits, features, "y", Multiclass()), {name: values for name, values in splits["eval"].items() if name != "y"}


def either(size, colour, shape):
    """What no sum of weights says: both or neither."""
    return "yes" if (colour == "red") == (shape == "round") else "no"


def added(size, colour, shape):
    """What a sum of weights says."""
    return "yes" if size + (colour == "red") > 0.5 else "no"


@pytest.mark.parametrize("model", ["linear", pytest.param("wide_deep", marks=pytest.mark.slow)])
def test_what_adds_up_is_learnt_alike_by_both_loops_and_served_as_learnt(tmp_path, model):
    table, columns = table_of(tmp_path / "table", added)
    history, _ = learnt_by_both(table, tmp_path, columns, model=model)
    assert history["val_accuracy"][-1] > 0.85


@pytest.mark.slow
def test_what_does_not_add_up_is_learnt_by_the_deep_part_alone(tmp_path):
    table, columns = table_of(tmp_path / "table", either)
    accuracy = {}
    for model in ("linear", "wide_deep"):
        (tmp_path / model).mkdir()
        accuracy[model] = learnt_by_both(table, tmp_path / model, columns, model=model)[0]["val_accuracy"][-1]
    assert accuracy["linear"] < 0.7
    assert accuracy["wide_deep"] > 0.95


@pytest.mark.slow
def test_two_replicas_learn_alike_in_both_loops_also_where_the_last_batch_is_smaller(tmp_path):
    table, columns = table_of(tmp_path / "table", added)  # 330 rows, 40 each time
    learnt_by_both(table, tmp_path, columns, model="wide_deep", strategy="mirrored", epochs=1, must_learn=False)


def test_the_linear_models_logits_are_the_bias_and_the_weight_of_each_value():
    model = linear.build(INPUTS, 2, 0.5, sizes=SIZES)
    random = np.random.default_rng(0)
    model.set_weights([random.normal(size=weights.shape) for weights in model.get_weights()])
    weights = {variable.path: variable.numpy() for variable in model.variables}
    x = {"numbers": np.array([[2.0, -1.0]], np.float32), "categories": np.array([[1, 5, 8]]), "tokens": np.array([[3, 3, 7, 0]])}
    ngrams = weights["tokens_weights/table"]
    expected = (
        x["numbers"][0] @ weights["number_weights/kernel"]
        + weights["categories_weights/embeddings"][[1, 5, 8]].sum(axis=0)
        + (2 * ngrams[3] + ngrams[7]) / 3**0.5
        + weights["linear/bias"]
    )
    np.testing.assert_allclose(model(x)[0], expected, rtol=1e-5)
    np.testing.assert_allclose(model(x, training=True)[0], expected, rtol=1e-5)


@pytest.mark.parametrize("build", [linear.build, wide_deep.build])
def test_a_saved_model_comes_back_as_it_was(tmp_path, build):
    model = build(INPUTS, 2, 0.1, sizes=SIZES)
    model.save(tmp_path / "model.keras")
    x = {name: np.ones((2, *feature.shape), feature.dtype.as_numpy_dtype) for name, feature in INPUTS.items()}
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(x), model(x))


def test_inputs_that_they_cannot_use_are_refused():
    picture = {"pixels": tf.io.FixedLenFeature((8, 8, 1), tf.float32)}
    with pytest.raises(ConfigError, match=r"Expected one or more vectors as .*`trainer\.model: linear`\. Received: pixels \(8, 8, 1\)\."):
        linear.build({**INPUTS, **picture}, 2, 0.1, sizes=SIZES)
    with pytest.raises(ConfigError, match=r"Expected categories, crosses, .*`trainer\.model: wide_deep`\. Received: numbers\. Choose"):
        wide_deep.build({"numbers": INPUTS["numbers"]}, 2, 0.1)
