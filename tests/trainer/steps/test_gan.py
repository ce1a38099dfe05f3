"""The classifier, the generator and the discriminator each move by the gradient of their own loss, and an interruption loses none of it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.interrupted import assert_same_end, checkpoint, execute, killed
from trainer import gradient_tape
from trainer.errors import ConfigError
from trainer.run import run
from trainer.steps import Gan
from trainer.tasks import Multiclass

random = np.random.default_rng(0)
X = tf.constant(random.uniform(size=(6, 8, 8, 1)), tf.float32)
Y = tf.constant([0, 2, 1, 1, 0, 2])
SEED, TASK = tf.constant([1, 2]), Multiclass(classes=3)


def classifier(*layers):
    inputs = keras.Input((8, 8, 1))
    x = inputs
    for layer in layers:
        x = layer(x)
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    model.compile(keras.optimizers.SGD(1.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def made(**settings):
    """The step, whose own models move by their gradients themselves."""
    step = Gan(**settings).for_task(TASK).with_models(tf.TensorSpec((None, 8, 8, 1)), 3, 5)
    generator, discriminator, *_ = step._parts
    step._parts = (generator, discriminator, keras.optimizers.SGD(1.0), keras.optimizers.SGD(1.0))
    return step


def crossentropy(labels, logits):
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def by_hand(step, model, share):
    """The gradients of the three losses, each by a tape of its own, before anything moves."""
    generator, discriminator, *_ = step._parts
    drawn = tf.random.stateless_uniform([6], SEED + 1, maxval=3, dtype=tf.int32)
    noise = tf.random.stateless_normal([6, 32], SEED)
    held = generator([noise, drawn])

    def real_or_not(real, false):
        return tf.reduce_mean(tf.math.log1p(tf.exp(-real))) + tf.reduce_mean(tf.math.log1p(tf.exp(false)))

    def own():
        return (1 - share) * crossentropy(Y, model(X)) + share * crossentropy(drawn, model(held))

    def generators():
        pictures = generator([noise, drawn])
        fooled = tf.reduce_mean(tf.math.log1p(tf.exp(-discriminator([pictures, drawn]))))
        return fooled + step.recognised * crossentropy(drawn, model(pictures))

    def discriminators():
        return real_or_not(discriminator([X, Y]), discriminator([held, drawn]))

    found = []
    for loss, of in ((own, model), (generators, generator), (discriminators, discriminator)):
        with tf.GradientTape() as tape:
            value = loss()
        found.append([tf.convert_to_tensor(each).numpy() for each in tape.gradient(value, of.trainable_variables)])
    return found


@pytest.mark.parametrize("warm_up", [0, 1])
def test_each_of_the_three_moves_by_the_gradient_of_its_own_loss(warm_up):
    step, model = made(warm_up=warm_up, share=0.3, recognised=0.5), classifier()
    own, *others = by_hand(step, model, 0.0 if warm_up else 0.3)
    before = [[variable.numpy() for variable in part.trainable_variables] for part in step._parts[:2]]
    found = step(model, X, Y, SEED)
    for gradient, expected in zip(found.gradients, own, strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-6)
    for part, old, expected in zip(step._parts[:2], before, others, strict=True):
        for variable, start, gradient in zip(part.trainable_variables, old, expected, strict=True):
            np.testing.assert_allclose(start - variable.numpy(), gradient, rtol=2e-2, atol=1e-6)


def test_batch_normalisation_remembers_real_pictures_alone():
    model, plain = (classifier(keras.layers.BatchNormalization()) for _ in range(2))
    made(warm_up=0)(model, X, Y, SEED)
    plain(X, training=True)
    for left, right in zip(model.non_trainable_variables, plain.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(left, right)


def test_its_models_are_drawn_by_the_seed():
    first, again, other = (Gan().for_task(TASK).with_models(X, seed, 1).variables for seed in (1, 1, 2))
    for left, right in zip(first, again, strict=True):
        np.testing.assert_array_equal(left, right)
    assert any((left.numpy() != right.numpy()).any() for left, right in zip(first, other, strict=True))


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (tf.TensorSpec((None, 7)), r"one picture as the only feature for `trainer\.step: gan`"),
        ({"a": X, "b": X}, r"Received: a, b, \(8, 8, 1\), \(8, 8, 1\)\. Set `trainer\.step: standard`"),
        (tf.TensorSpec((None, 30, 28, 1)), r"multiples of 4, from 8 to 64 pixels\. Received: 30 x 28\. Resize them: `size: \[32, 32\]`"),
        (tf.TensorSpec((None, 96, 96, 3)), "Received: 96 x 96"),
    ],
)
def test_what_cannot_be_generated_is_refused_in_one_line(x, said):
    with pytest.raises(ConfigError, match=said):
        Gan().for_task(TASK).with_models(x, 1, 1)


def test_an_interrupted_training_goes_on_with_the_same_generator(scaled, tmp_path):
    settings = {"step": {"kind": "gan", "warm_up": 0, "share": 0.5}, "epochs": 2}
    whole = execute("gradient_tape", scaled, tmp_path / "whole", **settings)
    for steps in (5, 7):
        killed("gradient_tape", scaled, tmp_path / "killed", steps, **settings)
    assert checkpoint(tmp_path / "killed")
    again = execute("gradient_tape", scaled, tmp_path / "killed", **settings)
    assert again.begin > (0, 3)
    assert_same_end(whole, again)


def test_pictures_are_written_to_look_at_and_the_served_model_has_no_generator(scaled, tmp_path):
    step = {"kind": "gan", "warm_up": 1, "pictures": 2}
    run(scaled.fn_args(tmp_path, loop="gradient_tape", step=step, model="mlp", epochs=4, strategy="one_device"), gradient_tape.train)
    pictures = sorted((tmp_path / "model_run" / "pictures").iterdir())
    assert [file.name for file in pictures] == ["epoch-0002.png", "epoch-0004.png"]
    first, last = (tf.io.decode_png(file.read_bytes()).numpy() for file in pictures)
    assert first.shape == (10 * 8, 8 * 8, 1) and (first != last).any()
    assert first.min() == 0 and first.max() == 255
    assert list((tmp_path / "model_run" / "generated").glob("events.*"))
    served = [shape for _, shape in tf.train.list_variables(str(tmp_path / "serving_model" / "variables" / "variables"))]
    assert [64, 128] in served and [64, 256] not in served  # the perceptron's first layer, and the generator's
