"""The vision transformer: its patches, and that both loops teach it the same on real pictures."""

import numpy as np
import pytest
import tensorflow as tf

from trainer import fit, gradient_tape
from trainer.models.vit import build, patch_size
from trainer.run import run


@pytest.mark.parametrize(
    ("shape", "patch", "patches"), [((28, 28, 1), 4, 49), ((96, 96, 3), 12, 64), ((30, 50, 3), 7, 40), ((1, 1, 1), 1, 1)]
)
def test_patches_follow_the_pictures_size_and_each_has_a_learnt_place(shape, patch, patches):
    model = build({"pixels": tf.io.FixedLenFeature(shape, tf.float32)}, 10, 0.1)
    assert patch_size(*shape[:2]) == patch
    assert model.get_layer("positions").positions.shape == (patches, 64)
    assert model(np.zeros((2, *shape), np.float32)).shape == (2, 10)


def test_where_something_is_in_a_picture_counts():
    model = build({"pixels": tf.io.FixedLenFeature((16, 16, 1), tf.float32)}, 3, 0.0)
    corner = np.zeros((1, 16, 16, 1), np.float32)
    corner[:, :2, :2] = 1
    assert not np.allclose(model(corner), model(corner[:, ::-1, ::-1]), atol=1e-5)


@pytest.mark.slow
def test_both_loops_learn_digits_alike_and_what_is_served_is_what_was_learnt(scaled, tmp_path):
    histories, weights, served = [], [], []
    for loop in (fit, gradient_tape):
        arguments = scaled.fn_args(
            tmp_path / loop.__name__,
            model="vit",
            epochs=24,
            batch_size=60,
            strategy="one_device",
            early_stopping=None,
            weights="last",
        )

        def train(model, *args, loop=loop):
            weights.append(model.weights)
            return loop.train(model, *args)

        histories.append(run(arguments, train).history)
        answer = tf.saved_model.load(arguments.serving_model_dir).signatures["predict_pixels"](pixels=tf.constant(scaled.images[299:]))
        served.append(answer["probabilities"].numpy())
    for left, right in zip(*weights, strict=True):
        np.testing.assert_array_equal(left, right)
    assert histories[0] == histories[1]
    np.testing.assert_array_equal(*served)
    accuracy = np.mean(served[0].argmax(axis=1) == scaled.labels[299:])
    assert accuracy > 0.8
    assert accuracy == pytest.approx(histories[0]["val_accuracy"][-1], abs=0.01)
