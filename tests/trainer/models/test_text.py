"""The model for texts, and texts beside other columns: what they take, and that both loops teach them the same."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer import fit, gradient_tape
from trainer.config import TrainerConfig
from trainer.errors import ConfigError
from trainer.features import Features
from trainer.features.text import BUCKETS, TextFeature
from trainer.input_pipeline import Split, eval_batches, train_batches
from trainer.models import build_model
from trainer.models.ngrams import NgramBag
from trainer.models.text import build
from trainer.rows import Rows
from trainer.strategy import make_strategy
from trainer.tasks import Multiclass

TOKENS = {"tokens": tf.io.FixedLenFeature((6,), tf.int64), "tokens_2": tf.io.FixedLenFeature((4,), tf.int64)}
SIZES = {"tokens": 30, "tokens_2": 30}
NAMES = Multiclass(classes=2, names=("city", "farm"))
FARM, CITY = ("cow", "barn", "field", "wheat", "plough", "hen"), ("tram", "tower", "office", "bridge", "market", "museum")


def sentences(rows, seed):
    """(texts, labels): three words of the farm or of the city, and two that say nothing."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, rows)
    texts = [" ".join([*random.choice(FARM if label else CITY, 3), *random.choice(["the", "a", "of", "and"], 2)]) for label in labels]
    return texts, labels


def split_of(rows, seed, numbers=False):
    """A split of transformed sentences, in memory, with columns of numbers if these are wanted."""
    texts, labels = sentences(rows, seed)
    inputs = Features(by_name={"text": TextFeature(length=64)}).transform({"text": tf.constant(texts)})
    if numbers:
        inputs |= {name: tf.random.stateless_uniform((rows, 2), (seed, 1)) for name in ("numbers", "ranks")}
    spec = {name: tf.io.FixedLenFeature(tensor.shape[1:], tensor.dtype) for name, tensor in inputs.items()}
    labels = tf.constant(labels, tf.int64)
    kept = Rows(labels, lambda numbers: {name: tf.gather(tensor, numbers) for name, tensor in inputs.items()}, "in memory")
    return Split([f"sentences {seed}"], spec, kept, labels, tf.convert_to_tensor)


def trained(loop, splits, **settings):
    config = TrainerConfig(**{"epochs": 2, "batch_size": 32, "strategy": "one_device", **settings})
    batches = train_batches(splits[0], config, NAMES), eval_batches(splits[1], config, NAMES)
    strategy = make_strategy(config.strategy)
    with strategy.scope():
        model = build_model(config, NAMES, splits[0].spec, {"tokens": BUCKETS})
    history = loop.train(model, *batches, strategy, config, [])
    return model, history.history


@pytest.mark.parametrize("names", [["tokens"], ["tokens_2"], ["tokens", "tokens_2"]], ids="-".join)
def test_one_text_or_several_make_a_model_that_depends_on_each(names):
    model = build({name: TOKENS[name] for name in names}, 3, 0.1, sizes=SIZES)
    x = {name: np.arange(1, 1 + 2 * TOKENS[name].shape[0]).reshape(2, -1) for name in names}
    logits = model(x if len(x) > 1 else x[names[0]]).numpy()
    assert logits.shape == (2, 3)
    for name in names:
        other = {**x, name: x[name] + 1}
        assert not np.allclose(model(other if len(x) > 1 else other[name]), logits), name


def test_a_bag_is_the_sum_of_its_vectors_over_the_root_of_their_number_and_padding_is_nothing():
    bag = NgramBag(5, 3, 0.5)
    pooled = bag(tf.constant([[1, 4, 4, 0], [2, 0, 0, 0], [0, 0, 0, 0]])).numpy()
    table = bag.table.numpy()
    np.testing.assert_allclose(pooled, [(table[1] + 2 * table[4]) / 3**0.5, table[2], np.zeros(3)], rtol=1e-5)


def test_with_weights_a_vector_counts_as_often_as_its_weight_says_and_weights_of_1_change_nothing():
    bag = NgramBag(5, 3, 0.5)
    tokens = tf.constant([[1, 4, 4, 0], [2, 0, 0, 0], [0, 0, 0, 0]])
    weights = tf.constant([[3.0, 2.0, 2.0, 0.0], [7.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    pooled = bag(tokens, weights).numpy()
    table = bag.table.numpy()
    np.testing.assert_allclose(pooled, [(3 * table[1] + 4 * table[4]) / 17**0.5, table[2], np.zeros(3)], rtol=1e-5)
    np.testing.assert_allclose(bag(tokens, tf.cast(tokens > 0, tf.float32)), bag(tokens), rtol=1e-6)


@pytest.mark.parametrize("settings", [{"numbers": tf.io.FixedLenFeature((2,), tf.float32)}, {}], ids=["tabular", "text"])
def test_a_model_depends_on_the_weights_of_the_text_that_has_them(settings):
    inputs = {**TOKENS, "ngram_weights_2": tf.io.FixedLenFeature((4,), tf.float32), **settings}
    model = build_model(TrainerConfig(), NAMES, inputs, SIZES)
    assert model.name == ("tabular" if settings else "text")
    x = {name: np.ones((2, *feature.shape), feature.dtype.as_numpy_dtype) for name, feature in inputs.items()}
    x["tokens_2"][:, 1:] = [2, 3, 4]
    assert not np.allclose(model({**x, "ngram_weights_2": np.array([[1, 5, 1, 0], [1, 1, 9, 1]], np.float32)}), model(x))


def test_ngrams_left_out_in_training_make_a_text_as_loud_as_a_shorter_one():
    bag = NgramBag(2, 1, 0.5)
    tokens = tf.ones((1, 10_000), tf.int64)
    kept = float(bag(tokens, training=True)[0, 0] / bag(tokens)[0, 0])
    assert kept == pytest.approx(0.5**0.5, rel=0.1)  # half of the vectors over the root of half their number


def test_the_order_of_a_texts_ngrams_and_how_much_room_is_left_change_nothing():
    model = build(TOKENS, 3, 0.1, sizes=SIZES)
    first = {"tokens": np.array([[5, 6, 7, 0, 0, 0]]), "tokens_2": np.array([[1, 2, 0, 0]])}
    again = {"tokens": np.array([[0, 7, 5, 0, 6, 0]]), "tokens_2": np.array([[2, 0, 0, 1]])}
    np.testing.assert_allclose(model(first), model(again), rtol=1e-5)


def test_equal_seeds_give_equal_weights_and_dropout_and_other_seeds_others():
    models = [build_model(TrainerConfig(seed=seed, dropout=0.5), NAMES, TOKENS, SIZES) for seed in (5, 5, 6)]
    for left, right in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    x = {name: np.ones((4, *feature.shape), np.int64) for name, feature in TOKENS.items()}
    first, again, other = (model(x, training=True).numpy() for model in models)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("strategy", ["one_device", pytest.param("mirrored", marks=pytest.mark.slow)])
@pytest.mark.parametrize("numbers", [False, True], ids=["text", "tabular"])
def test_both_loops_end_with_equal_weights(strategy, numbers):
    splits = split_of(75, 1, numbers), split_of(40, 2, numbers)
    (fitted, fit_history), (taped, tape_history) = (
        trained(loop, splits, strategy=strategy, optimizer="adamw") for loop in (fit, gradient_tape)
    )
    assert fitted.name == ("tabular" if numbers else "text")
    for left, right in zip(fitted.get_weights(), taped.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    assert fit_history == tape_history


@pytest.mark.parametrize("numbers", [False, True], ids=["text", "tabular"])
def test_two_sorts_of_sentences_are_told_apart(numbers):
    _, history = trained(gradient_tape, (split_of(200, 1, numbers), split_of(100, 2, numbers)), epochs=6, learning_rate=0.002)
    assert history["val_accuracy"][-1] > 0.95


def test_a_saved_model_comes_back_as_it_was(tmp_path):
    model = build(TOKENS, 3, 0.1, sizes=SIZES)
    model.save(tmp_path / "model.keras")
    x = {name: np.ones((2, *feature.shape), np.int64) for name, feature in TOKENS.items()}
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(x), model(x))


def test_what_is_no_text_is_refused():
    with pytest.raises(ConfigError, match=r"Expected nothing but texts .* `trainer\.model: text`\. Received: tokens, tokens_2, numbers\."):
        build({**TOKENS, "numbers": tf.io.FixedLenFeature((2,), tf.float32)}, 3, 0.1, sizes=SIZES)
    with pytest.raises(ConfigError, match=r"Received: none\. Choose another"):
        build({}, 3, 0.1)
