"""The models that read texts in order: that order counts, padding does not, and both loops teach them the same."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.models.both_loops import learnt_by_both
from tests.trainer.transform_run import of_table
from trainer.errors import ConfigError
from trainer.features.text import TextFeature
from trainer.models import conv, lstm, transformer
from trainer.tasks import Multiclass

MODELS = pytest.mark.parametrize("model", [conv, lstm, transformer], ids=lambda module: module.__name__.rpartition(".")[2])
INPUTS = {"sequence": tf.io.FixedLenFeature((9,), tf.int64), "sequence_2": tf.io.FixedLenFeature((7,), tf.int64)}
SIZES = {"sequence": 30, "sequence_2": 20}
X = {"sequence": np.array([[3, 4, 5, 2], [0] * 4, [1, 9, 0, 0]]), "sequence_2": np.array([[3, 4, 0], [1, 2, 3], [0] * 3])}


def sentences(count):
    """`dog bites man` or `man bites dog`, among words that say nothing: the same words in another order."""
    random = np.random.default_rng(count)
    labels = random.choice(["dog", "man"], count)
    filler = ["well", "today", "they", "say", "again"]
    texts = [
        " ".join([*random.choice(filler, random.integers(0, 3)), first, "bites", {"dog": "man", "man": "dog"}[first]]) for first in labels
    ]
    return {"text": texts, "y": labels.tolist()}


@pytest.mark.parametrize("name", ["conv", *(pytest.param(name, marks=pytest.mark.slow) for name in ("lstm", "transformer"))])
def test_what_only_the_order_says_is_learnt_alike_by_both_loops_and_served_as_learnt(tmp_path, name):
    (tmp_path / "table").mkdir()
    splits = {"train": sentences(400), "eval": sentences(130)}
    table = of_table(tmp_path / "table", splits, {"text": TextFeature(sequence=8)}, "y", Multiclass())
    history, served = learnt_by_both(table, tmp_path, {"text": ["man bites dog", "", "dog bites man"]}, model=name)
    assert history["val_accuracy"][-1] > 0.95
    assert served["classes"][[0, 2]].tolist() == [b"man", b"dog"]


@MODELS
def test_how_much_room_is_left_behind_a_text_changes_nothing(model):
    built = model.build(INPUTS, 3, 0.1, sizes=SIZES)
    whole = {name: np.pad(tokens, ((0, 0), (0, INPUTS[name].shape[0] - tokens.shape[1]))) for name, tokens in X.items()}
    assert np.isfinite(built(X)).all()
    np.testing.assert_allclose(built(X), built(whole), atol=1e-5)


@MODELS
def test_a_model_depends_on_each_text_and_on_its_order(model):
    built = model.build(INPUTS, 3, 0.1, sizes=SIZES)
    for name in X:
        turned = {**X, name: X[name][:, ::-1]}
        assert not np.allclose(built(turned)[0], built(X)[0], atol=1e-5), name


@MODELS
def test_a_saved_model_comes_back_as_it_was(tmp_path, model):
    built = model.build({"sequence": INPUTS["sequence"]}, 3, 0.1, sizes=SIZES)
    built.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(X["sequence"]), built(X["sequence"]))


@MODELS
def test_a_bag_of_ngrams_is_refused_with_what_to_set(model):
    bag = {**INPUTS, "tokens_3": tf.io.FixedLenFeature((9,), tf.int64)}
    with pytest.raises(
        ConfigError, match=r"Expected a series, or nothing but texts with `sequence`, .* Received: .*tokens_3\. Set `sequence: 128`"
    ):
        model.build(bag, 3, 0.1, sizes=SIZES)
