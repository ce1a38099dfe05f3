"""One training step of your own, for `trainer.step: my_code.py:step` with `trainer.loop: gradient_tape`.

This one is label smoothing's cousin: it rewards predictions that are not too certain (a confidence penalty, arXiv:1701.06548).
Change it to what you want; `pytest test_my_code.py` says whether it still is a step.
"""

import tensorflow as tf

WEIGHT = 0.1  # of the penalty beside the loss


def step(model, x, y, seed):
    """What the model's weights should be moved by, and what the metrics are taken of.

    It becomes part of a TensorFlow graph: write `tf.where` or `tf.cond` for what depends on values, not `if`.

    Args:
      model: the compiled Keras model, which gives logits.
      x: a batch of inputs; a tensor, or tensors by name where there are several.
      y: its labels, as the loss takes them.
      seed: int32 (2,), another one each step. Draw with it, `tf.random.stateless_normal(shape, seed)`, so that a run can be repeated.

    Returns:
      The loss (a scalar), the gradients of the loss as the optimizer scales it by `model.trainable_variables`, and the predictions.
    """
    with tf.GradientTape() as tape:
        predictions = model(x, training=True)
        loss = model.compute_loss(x, y, predictions, training=True)
        loss += WEIGHT * certainty(predictions)
        scaled_loss = model.optimizer.scale_loss(loss)  # so that no small gradient becomes 0 with `precision: mixed_float16`
    return loss, tape.gradient(scaled_loss, model.trainable_variables), predictions


def certainty(logits):
    """The mean over the batch of the negative entropy of each row's classes, divided by the number of replicas as the loss is."""
    logs = tf.nn.log_softmax(logits)
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return tf.reduce_mean(tf.reduce_sum(tf.exp(logs) * logs, axis=-1)) / replicas
