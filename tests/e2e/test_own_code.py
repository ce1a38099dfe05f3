"""A user's own step, model, loss and metric in a folder of their own: run, cached, edited, emulated and asked.

Each fixture is one run in the same root, after the run that it names as its argument.
"""

import json
import re

import numpy as np
import pytest
import yaml

MODEL = """
import keras
from keras import layers
from widths import HIDDEN


@keras.saving.register_keras_serializable("mine")
class Scaled(layers.Layer):
    def build(self, shape):
        self.scale = self.add_weight((shape[-1],), "ones", name="scale")

    def call(self, x):
        return x * self.scale


def build(inputs, outputs, dropout, **settings):
    x = keras.Input(inputs["pixels"].shape, name="pixels")
    y = Scaled()(layers.Dense(HIDDEN, activation="relu")(layers.Flatten()(x)))
    return keras.Model(x, layers.Dense(outputs, activation="softmax")(layers.Dropout(dropout)(y)))
"""
STEP = """
import tensorflow as tf


def step(model, x, y, seed):
    with tf.GradientTape() as tape:
        predictions = model(x + 0.01 * tf.random.stateless_normal(tf.shape(x), seed), training=True)
        loss = model.compute_loss(x, y, predictions, training=True)
    return loss, tape.gradient(loss, model.trainable_variables), predictions


def broken(model, x, y, seed):
    return tf.zeros(7) + tf.zeros(3), [], y


def unfinished(model, x, y, seed):
    return y
"""
LOSSES = """
import keras
import tensorflow as tf


def smooth(y_true, y_pred):
    one_hot = tf.one_hot(tf.cast(y_true, tf.int32), 10)
    return keras.losses.categorical_crossentropy(one_hot, y_pred, from_logits=True, label_smoothing=0.05)


def surprise(y_true, y_pred):
    return tf.cast(tf.argmax(y_pred, -1) != tf.cast(y_true, tf.int64), tf.float32)
"""
CONFIG = {
    "name": "mine",
    "data": {"format": "digits"},
    "preprocessing": {"image_size": [8, 8]},
    "trainer": {
        "loop": "gradient_tape",
        "step": "code/my_steps.py:step",
        "model": "code/my_model.py:build",
        "loss": "code/my_losses.py:smooth",
        "metrics": ["accuracy", "code/my_losses.py:surprise"],
        "epochs": 12,
        "batch_size": 32,
        "learning_rate": 0.005,
    },
    "evaluator": {"min_accuracy": 0.85},
}


@pytest.fixture(scope="module")
def here(place):
    return place("own_code")


@pytest.fixture(scope="module")
def config(here):
    """The config in a folder outside of the project, with the user's files below it."""
    folder = here.folder / "project"
    (folder / "code").mkdir(parents=True)
    for name, text in {"my_model": MODEL, "my_steps": STEP, "my_losses": LOSSES, "widths": "HIDDEN = 64\n"}.items():
        (folder / "code" / f"{name}.py").write_text(text)
    (folder / "mine.yaml").write_text(yaml.safe_dump(CONFIG))
    return folder / "mine.yaml"


@pytest.fixture(scope="module")
def pushed(here, config):
    answer = here.run(config)
    if answer.status:
        pytest.fail(answer.stderr[-3000:])
    return answer


@pytest.fixture(scope="module")
def again(here, config, pushed):
    return here.run(config)


@pytest.fixture(scope="module")
def emulated(here, config, again):
    package = here.folder / "package.yaml"
    compiled = here.tapeline("compile", config, "-o", package)
    assert compiled.returncode == 0, compiled.stderr
    (config.parent / "code").rename(config.parent / "elsewhere")  # the package carries the code
    done = here.tapeline("kubeflow", "emulate", package, "--root", here.folder / "emulated", "--json")
    (config.parent / "elsewhere").rename(config.parent / "code")
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def edited(here, config, emulated):
    (config.parent / "code" / "widths.py").write_text("HIDDEN = 48\n")
    return here.run(config)


@pytest.fixture(scope="module")
def broken(here, config, pushed):
    """Of two steps, named from the working folder."""
    return [here.run(config, "--set", f"trainer.step=../project/code/my_steps.py:{name}") for name in ("broken", "unfinished")]


def test_it_is_trained_measured_and_pushed(pushed):
    assert pushed.record["outcome"] == "pushed"
    assert pushed.record["metrics"]["accuracy"] > 0.85


def test_run_again_all_of_it_is_cached(again):
    assert again.status == 0 and again.executed == []


def test_an_edit_of_a_file_that_is_only_imported_trains_again_and_nothing_before_it(edited):
    assert edited.status == 0
    assert edited.executed == ["Trainer", "Evaluator", "Pusher"]


def test_a_step_that_fails_is_one_line_with_its_place(broken):
    fails, is_none = broken
    assert (fails.status, is_none.status) == (1, 2)
    [said] = fails.record["reasons"]
    assert re.match(r"code/my_steps\.py:13: ValueError: Dimensions must be equal, but are 7 and 3", said), said
    assert is_none.record["reasons"] == [
        "code/my_steps.py:16: Expected the step to return (loss, gradients, predictions). Received: SymbolicTensor."
    ]


def test_kubeflows_package_carries_the_code_and_gives_the_same_model(here, pushed, emulated):
    for name in ("accuracy", "log_loss"):
        assert emulated["metrics"][name] == pytest.approx(pushed.record["metrics"][name], rel=1e-6)
    trained = here.root.rglob("Trainer/model/*/Format-Serving/variables/variables.data-*")
    local = min(trained, key=lambda path: int(path.parts[-4]))  # the first one's
    [there] = (here.folder / "emulated").rglob("Format-Serving/variables/variables.data-*")
    assert there.read_bytes() == local.read_bytes()


def test_the_record_says_which_code_it_was(here, pushed):
    records = sorted((here.root / "records").glob("*.json"))
    code = json.loads(records[0].read_text())["config"]["trainer"]["code"]
    assert sorted(code) == [f"code/{name}.py" for name in ("my_losses", "my_model", "my_steps", "widths")]


def test_the_pushed_model_answers_without_the_users_code(serve, here, pushed, rows_of_test_split):
    from serving.client import Client

    pngs, labels = rows_of_test_split(here)
    with Client(serve(here, pushed.record).address, model_name="mine", deadline=60) as client:
        answer = client.predict_images(pngs)
    np.testing.assert_allclose(answer.probabilities.sum(axis=1), 1, rtol=1e-5)
    assert np.mean(answer.classes == np.asarray(labels)) == pytest.approx(pushed.record["metrics"]["accuracy"])
