"""Models of series: that order and every series count, padding does not, and both loops teach them the same."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.models.both_loops import learnt_by_both
from tests.trainer.transform_run import of_table
from trainer.config import TrainerConfig
from trainer.errors import ConfigError
from trainer.features.category import CategoryFeature
from trainer.features.series import SeriesFeature
from trainer.models import conv, lstm, model_name, tabular, transformer
from trainer.tasks import Multiclass

MODELS = pytest.mark.parametrize("model", [conv, lstm, transformer], ids=lambda module: module.__name__.rpartition(".")[2])
SERIES = {"series": tf.io.FixedLenFeature((6, 5), tf.float32)}
BESIDE = {**SERIES, "categories": tf.io.FixedLenFeature((2,), tf.int64), "missing": tf.io.FixedLenFeature((3,), tf.float32)}
SIZES = {"categories": 9}
SLOWER = {"transformer": {"learning_rate": 0.002, "epochs": 20}}


def series(rows, length, there, seed=0):
    """float32 (rows, length, 5) whose last channel says that the first `there` places are there."""
    values = np.random.default_rng(seed).normal(size=(rows, length, 5)).astype(np.float32)
    values[..., -1] = np.arange(length) < there
    return values * values[..., -1:]


def beside(rows=3):
    return {"series": series(rows, 6, 4), "categories": np.array([[1, 2]] * rows), "missing": np.zeros((rows, 3), np.float32)}


def rising(count):
    """Lists whose last number is above the one before it, or below; which of the two is `up` depends on the row's station."""
    random = np.random.default_rng(count)
    lists = [random.normal(size=random.integers(2, 8)).tolist() for _ in range(count)]
    stations = random.choice(["north", "south"], count).tolist()
    up = [(each[-1] > each[-2]) == (station == "north") for each, station in zip(lists, stations, strict=True)]
    return {"load": lists, "station": stations, "y": np.where(up, "up", "down").tolist()}


@pytest.mark.parametrize(
    "name", [pytest.param("conv", marks=pytest.mark.slow), "lstm", pytest.param("transformer", marks=pytest.mark.slow)]
)
def test_what_the_newest_numbers_say_is_learnt_alike_by_both_loops_and_served_as_learnt(tmp_path, name):
    (tmp_path / "table").mkdir()
    splits = {"train": rising(600), "eval": rising(130)}
    features = {"load": SeriesFeature(length=5), "station": CategoryFeature()}
    table = of_table(tmp_path / "table", splits, features, "y", Multiclass())
    asked = {"load": [[0.0, 1.0, -1.0, 1.0], [1.0, -1.0], [1.0, -1.0]], "station": ["north", "north", "south"]}
    history, served = learnt_by_both(table, tmp_path, asked, model=name, **SLOWER.get(name, {}))
    assert history["val_accuracy"][-1] > 0.85
    assert served["classes"].tolist() == [b"up", b"down", b"up"]


@MODELS
def test_how_much_padding_is_behind_a_series_changes_nothing(model):
    built = model.build(SERIES, 3, 0.1)
    longer = model.build({"series": tf.io.FixedLenFeature((9, 5), tf.float32)}, 3, 0.1)
    weights = dict(zip([weight.path for weight in built.weights], built.get_weights(), strict=True))
    for weight, own in zip(longer.weights, weights.values(), strict=True):
        assert weight.shape[1:] == own.shape[1:]
        weight.assign(np.concatenate([own, np.ones((weight.shape[0] - own.shape[0], *own.shape[1:]), np.float32)]))
    values = series(3, 6, 4)
    np.testing.assert_allclose(longer(np.pad(values, ((0, 0), (0, 3), (0, 0)))), built(values), atol=1e-5)


@MODELS
def test_a_row_without_a_number_has_an_answer(model):
    assert np.isfinite(model.build(SERIES, 3, 0.1)(np.zeros((2, 6, 5), np.float32))).all()


@MODELS
def test_a_model_depends_on_the_order_and_on_every_column_beside(model):
    built = model.build(BESIDE, 3, 0.1, sizes=SIZES)
    given = beside()
    turned = given["series"].copy()
    turned[:, :4] = turned[:, 3::-1]
    others = {"series": turned, "categories": np.array([[1, 3]] * 3), "missing": np.ones((3, 3), np.float32)}
    for name, values in others.items():
        assert not np.allclose(built({**given, name: values}), built(given), atol=1e-5), name


@MODELS
def test_a_saved_model_comes_back_as_it_was(tmp_path, model):
    built = model.build(BESIDE, 3, 0.1, sizes=SIZES)
    built.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(beside()), built(beside()))


def test_a_series_makes_auto_a_recurrent_network():
    assert model_name(TrainerConfig(), Multiclass(), BESIDE) == "lstm"


def test_a_model_of_rows_alone_refuses_a_series():
    with pytest.raises(ConfigError, match=r"`trainer.model: tabular`. Received: series \(6, 5\)"):
        tabular.build(BESIDE, 3, 0.1, sizes=SIZES)
