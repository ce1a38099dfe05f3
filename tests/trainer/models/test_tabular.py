"""The model for tables: what it takes, what it gives, and that it learns what a linear model cannot."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import LogisticRegression

from trainer.errors import ConfigError
from trainer.models.encodings import EMBEDDING
from trainer.models.members import average
from trainer.models.tabular import MEMBERS, build

INPUTS = {
    "numbers": tf.io.FixedLenFeature((3,), tf.float32),
    "ranks": tf.io.FixedLenFeature((3,), tf.float32),
    "missing": tf.io.FixedLenFeature((3,), tf.float32),
    "categories": tf.io.FixedLenFeature((2,), tf.int64),
    "times": tf.io.FixedLenFeature((4,), tf.float32),
    "text": tf.io.FixedLenFeature((10,), tf.float32),
    "buckets": tf.io.FixedLenFeature((3,), tf.int64),
    "crosses": tf.io.FixedLenFeature((1,), tf.int64),
    "one_hot": tf.io.FixedLenFeature((2,), tf.int64),
}
SIZES = dict.fromkeys(("categories", "buckets", "crosses", "one_hot"), 9)


def rows_of(inputs, rows=5):
    random = np.random.default_rng(0)
    shapes = {name: (rows, *feature.shape) for name, feature in inputs.items()}
    x = {
        name: random.integers(0, 9, shape) if name in SIZES else random.uniform(size=shape).astype(np.float32)
        for name, shape in shapes.items()
    }
    return next(iter(x.values())) if len(x) == 1 else x


def changed(values, name):
    return 8 - values if name in SIZES else values / 2


def compiled(model, learning_rate):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(learning_rate), loss, metrics=["accuracy"], jit_compile=False)
    return model


SUBSETS = [(name,) for name in INPUTS] + [("numbers", "ranks"), ("ranks", "categories"), ("numbers", "missing", "times"), tuple(INPUTS)]


@pytest.mark.parametrize("names", SUBSETS, ids="-".join)
def test_any_of_the_inputs_make_a_model_that_depends_on_each_of_them(names):
    model = build({name: INPUTS[name] for name in names}, 4, 0.1, sizes=SIZES)
    x = rows_of({name: INPUTS[name] for name in names})
    logits = model(x).numpy()
    assert logits.shape == (5, MEMBERS, 4)
    if {"numbers", "ranks"} <= set(names):  # what is made of the ranks starts as 0
        embedding = model.get_layer("number_embedding")
        embedding.set_weights([*embedding.get_weights()[:2], np.ones(embedding.slopes.shape)])
        logits = model(x).numpy()
    for name in names:
        other = changed(x, name) if len(names) == 1 else {**x, name: changed(x[name], name)}
        assert not np.allclose(model(other), logits), name


def test_a_thousand_columns_of_numbers_train():
    inputs = {name: tf.io.FixedLenFeature((1000,), tf.float32) for name in ("numbers", "ranks", "missing")}
    model = compiled(build(inputs, 2, 0.1), 0.001)
    assert model.count_params() < 2_000_000  # at full width the first dense layer alone has four million
    history = model.fit(rows_of(inputs, 64), np.arange(64) % 2, batch_size=32, epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_equal_seeds_give_equal_weights_and_dropout_and_other_seeds_others():
    models = []
    for seed in (5, 5, 6):
        keras.utils.set_random_seed(seed)
        models.append(build(INPUTS, 4, 0.5, sizes=SIZES))
    for left, right in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    first, again, other = (model(rows_of(INPUTS), training=True).numpy() for model in models)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_members_start_different():
    logits = build(INPUTS, 4, 0.1, sizes=SIZES)(rows_of(INPUTS)).numpy()
    assert len({member.tobytes() for member in logits.transpose(1, 0, 2)}) == MEMBERS


def test_the_values_of_a_column_start_with_one_factor_in_each_member():
    model = build({name: INPUTS[name] for name in ("numbers", "ranks", "times")}, 4, 0.1)
    factors = model.get_layer("member_scale").factors.numpy()
    assert factors.shape == (MEMBERS, 3 * EMBEDDING + 4)
    by_column = factors[:, :-4].reshape(MEMBERS, 3, EMBEDDING)
    np.testing.assert_array_equal(by_column, np.repeat(by_column[..., :1], EMBEDDING, axis=-1))
    assert len(np.unique(factors)) == MEMBERS * (3 + 4)


def test_a_one_hot_encoded_value_is_1_at_its_own_place_alone():
    model = build({name: INPUTS[name] for name in ("times", "one_hot")}, 4, 0.1, sizes=SIZES)
    encoded = model.get_layer("one_hot_encoding")(tf.constant([[1, 8], [3, 3]], tf.int64)).numpy()
    np.testing.assert_array_equal(encoded, [[0, 1, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 1, 0, 0, 0, 0, 0]])
    factors = model.get_layer("member_scale").factors.numpy()
    assert factors.shape == (MEMBERS, 9 + 4)
    assert len(np.unique(factors)) == MEMBERS * (9 + 4)  # each value has a factor of its own


def test_an_embedded_number_may_bend_at_each_quantile():
    inputs = {name: tf.io.FixedLenFeature((1,), tf.float32) for name in ("numbers", "ranks")}
    embedding = build(inputs, 2, 0.1).get_layer("number_embedding")
    scale, offset, slopes = embedding.get_weights()
    assert not slopes.any()
    slopes[0, 12] = 1.0  # the bin from 12/48 to 13/48
    embedding.set_weights([scale, offset, slopes])
    ranks = tf.constant([[12 / 48], [12.5 / 48], [13 / 48], [1.0]])
    np.testing.assert_allclose((embedding(tf.zeros((4, 1)), ranks) - offset)[:, 0], [0.0, 0.5, 1.0, 1.0], atol=1e-5)


def test_it_learns_an_exclusive_or_which_a_linear_model_cannot():
    random = np.random.default_rng(1)
    categories, numbers = random.integers(0, 2, size=(400, 1)), random.uniform(-1, 1, size=(400, 2)).astype(np.float32)
    labels = (categories[:, 0] ^ (numbers[:, 0] > 0)).astype(np.int64)
    x = {"categories": categories, "numbers": numbers, "ranks": (numbers + 1) / 2}
    inputs = {name: tf.io.FixedLenFeature(values.shape[1:], tf.as_dtype(values.dtype)) for name, values in x.items()}
    keras.utils.set_random_seed(0)
    model = compiled(build(inputs, 2, 0.1, sizes={"categories": 2}), 0.002)
    train, test = ({name: values[rows] for name, values in x.items()} for rows in (slice(300), slice(300, 400)))
    model.fit(train, labels[:300], batch_size=32, epochs=10, verbose=0)
    accuracy = (np.argmax(average(model(test), "softmax"), axis=1) == labels[300:]).mean()
    flat = np.concatenate([categories, numbers], axis=1)
    linear = LogisticRegression().fit(flat[:300], labels[:300]).score(flat[300:], labels[300:])
    assert linear < 0.7 < 0.93 < accuracy


@pytest.mark.slow
def test_a_picture_and_a_number_are_learnt_together():
    random = np.random.default_rng(2)
    bright, high = random.integers(0, 2, (2, 240))
    sides = np.where(bright[:, np.newaxis, np.newaxis], [-1, -1, -1, -1, 1, 1, 1, 1], [1, 1, 1, 1, -1, -1, -1, -1])  # which half is bright
    pixels = (sides.repeat(8, axis=1) + random.normal(0, 0.3, (240, 8, 8)))[..., np.newaxis].astype(np.float32)
    numbers = (high[:, np.newaxis] * 2 - 1 + random.normal(0, 0.1, (240, 1))).astype(np.float32)
    x = {"pixels": pixels, "numbers": numbers, "ranks": (numbers + 1.5) / 3}
    inputs = {name: tf.io.FixedLenFeature(values.shape[1:], tf.float32) for name, values in x.items()}
    keras.utils.set_random_seed(0)
    model = compiled(build(inputs, 4, 0.1, augment=["crop"]), 0.002)
    model.fit(x, bright * 2 + high, batch_size=32, epochs=8, verbose=0)  # four classes: neither alone tells more than two apart
    assert (np.argmax(average(model(x), "softmax"), axis=1) == bright * 2 + high).mean() > 0.95


def test_a_saved_model_comes_back_as_it_was(tmp_path):
    model = build(INPUTS, 4, 0.1, sizes=SIZES, activation="sigmoid")
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.activation == "sigmoid"
    np.testing.assert_array_equal(loaded(rows_of(INPUTS)), model(rows_of(INPUTS)))


def test_what_it_cannot_take_is_said():
    with pytest.raises(
        ConfigError, match=r"one or more vectors or pictures .* `trainer\.model: tabular`\. Received: grid \(8, 8\)\. Choose"
    ):
        build({**INPUTS, "grid": tf.io.FixedLenFeature((8, 8), tf.float32)}, 4, 0.1, sizes=SIZES)
    with pytest.raises(ConfigError, match=r"Received: none\."):
        build({}, 4, 0.1)
    with pytest.raises(ConfigError, match=r"Expected `sizes\['categories'\]`, the number of different categories\. Received: \{\}"):
        build(INPUTS, 4, 0.1)
    with pytest.raises(ConfigError, match=r"Expected `sizes\['one_hot'\]`, the number of different one_hot\. Received: "):
        build(INPUTS, 4, 0.1, sizes={name: 9 for name in SIZES if name != "one_hot"})
