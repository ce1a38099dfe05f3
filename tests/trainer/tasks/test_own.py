"""A loss and metrics of the user's own are what both loops train with and show."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.config import TrainerConfig
from trainer.errors import ConfigError, TrainingError
from trainer.tasks import Multiclass, Multilabel, Regression
from trainer.tasks.own import check_loss, check_metrics

LOGITS = tf.TensorSpec((None, 3), tf.float32)


def config(text, **settings):
    given = {"loss": "mine.py:loss", **settings}
    return TrainerConfig(code={"mine.py": "import keras\nimport tensorflow as tf\n" + text}, **given)


SQUARED = "def loss(y_true, y_pred):\n    return tf.square(y_true - y_pred)\n"
CLASSES = "def loss(y_true, y_pred):\n    return keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)\n"


def test_a_function_is_the_mean_over_the_rows_of_what_it_gives():
    found = Regression().loss(config(SQUARED))(np.array([1.0, 2.0]), np.array([[1.0], [4.0]]))
    assert float(found) == 2.0  # not the mean of all four differences


@pytest.mark.parametrize(
    "text",
    [
        CLASSES.replace("def loss(", "class loss(keras.losses.Loss):\n  def call(self, "),
        "loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)\n",
        CLASSES,
    ],
    ids=["class", "instance", "function"],
)
def test_a_loss_of_each_kind_is_kerass_own_also_with_weights(text):
    y, logits = np.array([0, 2]), np.array([[1.0, 2.0, 0.5], [0.1, 0.2, 3.0]])
    for task in (Multiclass(classes=3), Multiclass(classes=3, weights=(1.0, 2.0, 4.0))):
        np.testing.assert_allclose(task.loss(config(text))(y, logits), task.loss(TrainerConfig())(y, logits), rtol=1e-6)


def test_a_file_called_like_a_loss_is_none_that_is_one_hot():
    own = TrainerConfig(loss="categorical_loss.py:loss", code={"categorical_loss.py": ""})
    assert Multiclass(classes=3).targets(tf.constant([1]), own).shape == (1,)


def test_what_is_no_loss_of_logits_is_refused():
    task = Multiclass(classes=3)
    with pytest.raises(ConfigError, match=r"to take logits\. Received: from_logits=False"):
        task.loss(config("loss = keras.losses.SparseCategoricalCrossentropy()\n"))
    with pytest.raises(ConfigError, match=r"Expected a function \(y_true, y_pred\) or a keras\.losses\.Loss .*Received: int"):
        task.loss(config("loss = 3\n"))


def test_a_loss_that_gives_no_number_a_row_is_refused_before_training():
    for text, shape in (("tf.reduce_mean(y_pred)", r"\(\)"), ("y_pred", r"\(None, 3\)")):
        own = config(f"def loss(y_true, y_pred):\n    return {text}\n")
        with pytest.raises(ConfigError, match=rf"to give a number for each row, \(batch,\)\. Received: {shape}"):
            check_loss(own, Multiclass(classes=3).loss(own), tf.TensorSpec((None,), tf.float32), LOGITS)
    own = config("def loss(y_true, y_pred):\n    return y_true - y_pred[:, :2]\n")
    with pytest.raises(TrainingError, match=r"^mine\.py:4: "):
        check_loss(own, Multiclass(classes=3).loss(own), tf.TensorSpec((7,), tf.float32), tf.TensorSpec((7, 3), tf.float32))
    own = config(CLASSES)
    check_loss(own, Multiclass(classes=3).loss(own), tf.TensorSpec((None,), tf.float32), LOGITS)


METRICS = """
def surprise(y_true, y_pred):
    return tf.cast(tf.argmax(y_pred, -1) != tf.cast(y_true, tf.int64), tf.float32)

class Rows(keras.metrics.Mean):
    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(tf.cast(tf.shape(y_pred)[0], tf.float32))

def squares(y_true, y_pred):
    return tf.square(y_true - y_pred)
"""


def test_metrics_have_the_names_of_their_functions_beside_the_tasks_own():
    own = config(METRICS, loss="auto", metrics=["accuracy", "mine.py:surprise", "mine.py:Rows"])
    accuracy, surprise, rows = Multiclass(classes=3).metrics(own)
    assert (accuracy, surprise.name, rows.name) == ("accuracy", "surprise", "Rows")
    assert float(surprise(tf.constant([0, 1]), tf.constant([[1.0, 0.0], [1.0, 0.0]]))) == 0.5
    assert [metric.name for metric in Multilabel().metrics(own)] == ["accuracy", "surprise", "Rows"]
    of_numbers = Regression().metrics(config(METRICS, loss="auto", metrics=["mine.py:squares"]))
    assert [metric.name for metric in of_numbers] == ["mae", "squares"]
    assert float(of_numbers[1](tf.constant([1.0, 2.0]), tf.constant([[1.0], [4.0]]))) == 2.0


def test_a_metric_that_cannot_be_shown_is_refused():
    for metrics in (["mine.py:surprise", "mine.py:surprise"], ["mine.py:loss"]):
        with pytest.raises(ConfigError, match=r"Expected metrics of different names, other than 'loss'"):
            Multiclass(classes=3).metrics(config(METRICS + "loss = surprise\n", metrics=metrics))
    own = config("def broken(y_true, y_pred):\n    return y_pred[0] + tf.zeros(7)\n", loss="auto", metrics=["mine.py:broken"])
    with pytest.raises(TrainingError, match=r"^mine\.py:4: "):
        check_metrics(own, Multiclass(classes=3).metrics(own), tf.TensorSpec((None,), tf.int64), LOGITS)


def test_keras_takes_them_as_its_own():
    own = config(CLASSES + METRICS, metrics=["mine.py:surprise"])
    task = Multiclass(classes=3)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model.compile("sgd", task.loss(own), metrics=task.metrics(own))
    assert set(model.fit(np.ones((4, 2)), np.array([0, 1, 2, 0]), verbose=0).history) == {"loss", "surprise"}
