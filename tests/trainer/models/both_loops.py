"""A model through all that the trainer does: both loops teach it the same, and what is saved answers as it does."""

import numpy as np
import tensorflow as tf

from tests.trainer.transform_run import serialized
from trainer import fit, gradient_tape
from trainer.run import run

CONFIG = {"epochs": 6, "batch_size": 40, "learning_rate": 0.01, "strategy": "one_device", "early_stopping": None}


def learnt_by_both(table, folder, columns, **trainer):
    """The history of the training, and what the saved model serves for `columns`, by name.

    Args:
      table: what `transform_run.of_table` gives.
      folder: where the loops write.
      columns: raw rows, lists by the columns' names.
      trainer: settings beside `CONFIG`.
    """
    histories, models, served = [], [], []
    for loop in (fit, gradient_tape):
        arguments = table.fn_args(folder, loop, **{**CONFIG, **trainer})

        def train(model, *args, loop=loop):
            models.append(model)
            return loop.train(model, *args)

        histories.append(run(arguments, train).history)
        saved = tf.saved_model.load(arguments.serving_model_dir)
        answer = saved.signatures["serving_default"](tf.constant(serialized(columns, table.graph.raw_metadata.schema)))
        served.append({name: values.numpy() for name, values in answer.items()})
    for left, right in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(left, right)
    assert histories[0] == histories[1]
    for name, values in served[0].items():
        np.testing.assert_array_equal(values, served[1][name])
    inputs = table.served(columns)
    logits = models[0](inputs if len(inputs) > 1 else next(iter(inputs.values())), training=False)
    np.testing.assert_allclose(served[0]["probabilities"], tf.nn.softmax(logits), atol=1e-5)
    return histories[0], served[0]
