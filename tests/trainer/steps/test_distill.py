"""Distillation's loss and gradient are those of its definition, worked out here by NumPy, and a teacher that does not fit is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from scipy.special import log_softmax, softmax

from tests.trainer.conftest import run_transform
from tests.trainer.interrupted import execute
from tests.trainer.test_export import model_for
from trainer import teacher
from trainer.errors import ConfigError
from trainer.export import DISTILLED, export
from trainer.features.image import ImageFeature
from trainer.gradient_tape import train
from trainer.run import run
from trainer.steps import Distill
from trainer.tasks import Multiclass, Multilabel, Regression

random = np.random.default_rng(0)
X, W = random.normal(size=(8, 3)), random.normal(size=(3, 4))
Y = random.integers(4, size=8)
THEIRS = random.normal(size=(8, 4))  # the teacher's logits
SEED = tf.constant([1, 2])


def linear(loss, w=W):
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(w.shape[1], use_bias=False)(inputs))
    model.compile(keras.optimizers.SGD(1.0), loss)
    model.set_weights([w])
    return model


def outcome(step, task, loss, answers, y=Y, w=W):
    step = step.for_task(task).taught_by(lambda x: tf.constant(answers, tf.float32))
    return step(linear(loss, w), tf.constant(X, tf.float32), tf.constant(y), SEED)


CROSSENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def test_the_loss_and_the_gradient_are_those_of_both_parts_with_softened_answers():
    temperature, weight = 3.0, 0.25
    found = outcome(Distill(temperature=temperature, weight=weight), Multiclass(classes=4), CROSSENTROPY, softmax(THEIRS, -1))
    logits, soft = X @ W, softmax(THEIRS / temperature, -1)
    ours = log_softmax(logits / temperature, -1)
    apart = np.mean(np.sum(soft * (np.log(soft) - ours), -1))
    task_loss = -np.mean(log_softmax(logits, -1)[np.arange(8), Y])
    np.testing.assert_allclose(found.loss, (1 - weight) * task_loss + weight * temperature**2 * apart, rtol=1e-5)
    by_label = X.T @ (softmax(logits, -1) - np.eye(4)[Y]) / 8
    by_teacher = X.T @ (np.exp(ours) - soft) / temperature / 8
    np.testing.assert_allclose(found.gradients[0], (1 - weight) * by_label + weight * temperature**2 * by_teacher, rtol=1e-4, atol=1e-6)


def test_a_student_of_weighted_classes_learns_the_teachers_probabilities_of_the_data_themselves():
    task = Multiclass(classes=4, weights=(1.0, 5.0, 2.0, 1.0))
    same = softmax(X @ W - np.log([1.0, 5.0, 2.0, 1.0]), -1)  # what this very model serves
    found = outcome(Distill(weight=1.0), task, CROSSENTROPY, same)
    np.testing.assert_allclose(found.loss, 0, atol=1e-6)
    np.testing.assert_allclose(found.gradients[0], 0, atol=1e-5)


def test_of_numbers_it_is_the_squared_difference():
    w, y, theirs = W[:, :1], random.normal(size=(8, 1)), THEIRS[:, :1]
    found = outcome(Distill(weight=0.25), Regression(), "mean_squared_error", theirs, y.astype(np.float32), w)
    expected = 2 * X.T @ (0.75 * (X @ w - y) + 0.25 * (X @ w - theirs)) / 8
    np.testing.assert_allclose(found.gradients[0], expected, rtol=1e-4, atol=1e-6)


def test_of_several_labels_each_is_softened_by_itself():
    y, loss = random.integers(2, size=(8, 4)).astype(np.float32), keras.losses.BinaryCrossentropy(from_logits=True)
    sigmoid = lambda values: 1 / (1 + np.exp(-values))  # noqa: E731 - a formula
    found = outcome(Distill(weight=1.0, temperature=2.0), Multilabel(names=("a", "b", "c", "d")), loss, sigmoid(THEIRS), y)
    expected = 4 * X.T @ (sigmoid(X @ W / 2) - sigmoid(THEIRS / 2)) / 2 / 32
    np.testing.assert_allclose(found.gradients[0], expected, rtol=1e-4, atol=1e-6)


def test_two_replicas_gradients_add_up_to_one_devices():
    step = Distill().for_task(Multiclass(classes=4)).taught_by(lambda x: tf.nn.softmax(x @ tf.constant(THEIRS[:3], tf.float32)))
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        model = linear(CROSSENTROPY)
    x, y = (
        strategy.experimental_distribute_values_from_function(
            lambda context, of=of: tf.constant(of[4 * context.replica_id_in_sync_group :][:4])
        )
        for of in (X.astype(np.float32), Y)
    )
    both = tf.function(lambda: strategy.run(lambda x, y: step(model, x, y, SEED).gradients[0], args=(x, y)))
    summed = sum(part.numpy() for part in strategy.experimental_local_results(both()))
    alone = step(linear(CROSSENTROPY), tf.constant(X, tf.float32), tf.constant(Y), SEED).gradients[0]
    np.testing.assert_allclose(summed, alone, rtol=1e-4, atol=1e-6)


@pytest.fixture(scope="module")
def graph(scaled):
    return tft.TFTransformOutput(scaled.graph_path)


def test_an_exported_model_gives_the_answers_that_it_serves_of_transformed_features(scaled, graph, tmp_path):
    model = model_for(scaled, seed=3)
    export(model, graph, scaled.problem, str(tmp_path))
    pixels = tf.constant(scaled.images[:50] / 255, tf.float32)
    given = teacher.load(str(tmp_path), scaled.problem.task, graph)(pixels)
    served = tf.saved_model.load(str(tmp_path)).signatures["serving_default"](tf.constant(scaled.raw[:50]))["probabilities"]
    np.testing.assert_allclose(given, served, atol=1e-6)
    assert not (tmp_path / DISTILLED).exists()


def test_a_teacher_of_numbers_in_other_units_is_brought_to_the_students(scaled, graph, tmp_path):
    numbers = scaled.problem.model_copy(update={"task": Regression(mean=10.0, deviation=4.0)})
    export(model_for(scaled._replace(problem=numbers)), graph, numbers, str(tmp_path))
    pixels = tf.constant(scaled.images[:5] / 255, tf.float32)
    same, other = (teacher.load(str(tmp_path), task, graph)(pixels) for task in (numbers.task, Regression(mean=2.0, deviation=0.5)))
    np.testing.assert_allclose(other * 0.5 + 2.0, same * 4.0 + 10.0, rtol=1e-5)


def test_a_teacher_of_other_classes_other_features_or_none_is_refused_in_one_line(scaled, graph, digits, tmp_path):
    export(model_for(scaled), graph, scaled.problem, str(tmp_path / "model"))
    folder, task = str(tmp_path / "model"), scaled.problem.task
    with pytest.raises(ConfigError, match=r"teacher of `multiclass` with 7 classes\. Received: `multiclass` with 10 classes\. Train one"):
        teacher.load(folder, Multiclass(classes=7), graph)
    named = Multiclass(classes=2, names=("a", "b"))
    with pytest.raises(ConfigError, match=r"with the classes 'a', 'b'\. Received: `multiclass` with 10 classes"):
        teacher.load(folder, named, graph)
    with pytest.raises(ConfigError, match="a model that does not say what it has learnt"):
        teacher.load(str(tmp_path), task, graph)
    (tmp_path / "otherwise").mkdir()
    otherwise = run_transform(tmp_path / "otherwise", *digits, ImageFeature(size=(8, 8), normalize="standardize"))
    with pytest.raises(ConfigError, match=r"transformed as those of this run\. Received: one of other data, features or preprocessing"):
        teacher.load(folder, task, tft.TFTransformOutput(otherwise.graph_path))


def test_without_a_teacher_the_step_says_what_to_do(scaled, tmp_path):
    fn_args = scaled.fn_args(tmp_path, loop="gradient_tape", step="distill", model="mlp", epochs=1)
    fn_args.base_model = None
    with pytest.raises(ConfigError, match=r"Expected a teacher for `trainer\.step: distill`\. Received: none\..*teacher: FOLDER"):
        run(fn_args, train)


def test_another_teacher_begins_the_training_anew(scaled, tmp_path):
    """Its checkpoint is of another training."""
    from tests.trainer.interrupted import checkpoint, killed

    killed("gradient_tape", scaled, tmp_path, 14, step="distill")
    assert checkpoint(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        other = tmp_path / "other"
        export(model_for(scaled), tft.TFTransformOutput(scaled.graph_path), scaled.problem, str(other))
        patch.setattr(type(scaled), "teacher", lambda _: str(other))
        assert execute("gradient_tape", scaled, tmp_path, step="distill").begin == (0, 0)


def test_a_distilled_model_says_so(scaled, tmp_path):
    run(scaled.fn_args(tmp_path, loop="gradient_tape", step="distill", model="mlp", epochs=1), train)
    assert (tmp_path / "serving_model" / DISTILLED).exists()
