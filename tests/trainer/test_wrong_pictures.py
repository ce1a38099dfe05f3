"""`trainer.tensorboard.wrong_pictures`: what the exported model answers wrongly is shown, those first of which it is surest."""

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.conftest import ROWS
from trainer import fit, gradient_tape

SETTINGS = {"model": "mlp", "epochs": 2, "strategy": "one_device", "must_learn": False}


def shown(folder):
    """(tag, picture in uint8) of each that TensorBoard finds."""
    (file,) = folder.glob("model_run/wrong/events.out.tfevents.*")
    values = [value for event in tf.compat.v1.train.summary_iterator(str(file)) for value in event.summary.value]
    return [(value.tag, tf.io.decode_png(tf.make_ndarray(value.tensor)[2], 1).numpy()) for value in values]


@pytest.mark.parametrize("loop", [fit, gradient_tape], ids=["fit", "gradient_tape"])
@pytest.mark.parametrize("loss", ["auto", "categorical_crossentropy"])
def test_they_are_those_that_the_exported_model_answers_wrongly_the_surest_first(scaled, tmp_path, loop, loss):
    fn_args = scaled.fn_args(tmp_path, **SETTINGS, loss=loss, tensorboard={"wrong_pictures": 5})
    loop.run_fn(fn_args)
    served = tf.saved_model.load(fn_args.serving_model_dir).signatures["serving_default"]
    probabilities = served(examples=tf.constant(scaled.raw[ROWS["eval"]]))["probabilities"].numpy()
    labels, answers = scaled.labels[ROWS["eval"]], probabilities.argmax(axis=1)
    surest = [row for row in np.argsort(-probabilities.max(axis=1)) if answers[row] != labels[row]][:5]
    found = shown(tmp_path)
    assert [tag for tag, _ in found] == [f"0{rank} {labels[row]}, answered {answers[row]}" for rank, row in enumerate(surest, 1)]
    for (_, picture), row in zip(found, surest, strict=True):
        original = scaled.images[ROWS["eval"]][row].astype(float)
        np.testing.assert_allclose(picture, 255 * (original - original.min()) / np.ptp(original), atol=2)


def test_none_are_written_unless_asked_for(scaled, tmp_path):
    fit.run_fn(scaled.fn_args(tmp_path, **SETTINGS))
    assert not list(tmp_path.glob("model_run/wrong"))
