"""Pictures of the eval split that the exported model answers wrongly, those first of whose answer it is surest, for TensorBoard."""

import keras
import numpy as np
import tensorflow as tf

from trainer.features import names
from trainer.input_pipeline import Batches
from trainer.steps.step import class_names
from trainer.tasks import Task, row_weights
from trainer.tasks.predicted import predicted


def write(model: keras.Model, task: Task, split: Batches, most: int, folder: str) -> None:
    """Writes at most so many, each under its rank, its label and the answer: `01 7, answered 1`.

    Args:
      model: from the batches' inputs, of which one is a picture, to logits.
      task: one of classes.
      split: the rows.
      most: how many pictures are kept.
      folder: where the file for TensorBoard goes.
    """
    wrong: list[tuple[float, int, int, np.ndarray]] = []
    for x, y in split.dataset:
        targets = row_weights.targets_in(model.loss, y)
        pixels = x[names.PIXELS] if isinstance(x, dict) else x
        probabilities = predicted(task, model(x, training=False)).numpy()
        answers, labels = (
            task.decided(tf.constant(probabilities)).numpy(),
            (tf.argmax(targets, -1) if targets.shape.rank > 1 else targets).numpy(),
        )
        rows = np.flatnonzero(answers != labels)
        wrong += [(float(probabilities[row, answers[row]]), int(labels[row]), int(answers[row]), pixels[row].numpy()) for row in rows]
        wrong = sorted(wrong, key=lambda each: -each[0])[:most]
    named = class_names(task)
    with tf.summary.create_file_writer(folder).as_default(step=0):
        for rank, (_, label, answer, picture) in enumerate(wrong, 1):
            low, high = picture.min(), picture.max()
            shown = (picture - low) / max(high - low, 1e-6)
            tf.summary.image(f"{rank:02d} {named[label]}, answered {named[answer]}", shown[np.newaxis])
