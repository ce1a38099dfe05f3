"""A trained model and the transform graph -> one SavedModel that takes raw features, and answers them as the model does.

serving_default takes tf.Examples; the other signatures are those of the problem's kind of features, one file each.
"""

import os
from collections.abc import Sequence

import keras
import tensorflow as tf
import tensorflow_transform as tft

from trainer.errors import TrainingError
from trainer.export import parity, warmup
from trainer.export.columns import ServedColumns, use_own_names
from trainer.export.picture import ServedPicture, is_picture
from trainer.export.served import Served
from trainer.problem import FILE, Problem
from trainer.transform_digest import transform_digest

# Read by `serving.server.saved_model`, which batches the requests of a model only where it has this file. It is part of the model:
# whoever copies the folder copies it, and the pusher's digest covers it.
ROWS_INDEPENDENT = "assets.extra/tapeline.rows_independent"
TRANSFORM = "assets.extra/tapeline.transform_digest"  # what `transform_digest` says of the graph inside
DISTILLED = "assets.extra/tapeline.distilled"  # is there where the model has learnt from another one; read by `components.teacher`


def export(
    model: keras.Model,
    graph: tft.TFTransformOutput,
    problem: Problem,
    serving_model_dir: str,
    *,
    is_distilled: bool = False,
    rows: Sequence[bytes] = (),
    warmup_rows: int = 0,
) -> Served:
    """Saves the model, with the transform graph inside, in TensorFlow Serving's format, marked as one whose rows are independent.

    Args:
      model: logits from transformed features.
      graph: Transform's output.
      problem: what was learnt.
      serving_model_dir: the folder that will hold `saved_model.pb`.
      is_distilled: whether it has learnt from another model.
      rows: serialized tf.Examples as they were before Transform, which the saved model must answer as `model` does.
      warmup_rows: how many of them TensorFlow Serving is to answer before it serves the model.

    Returns:
      what was saved.

    Raises:
      TrainingError: it answers them otherwise; then nothing is left of it.
    """
    served = (ServedPicture if is_picture(problem) else ServedColumns)(model, graph, problem)
    tf.saved_model.save(served, serving_model_dir, signatures=served.signatures())
    if isinstance(served, ServedColumns):
        use_own_names(served, serving_model_dir)
    tf.io.gfile.makedirs(os.path.join(serving_model_dir, "assets.extra"))
    beside = {
        ROWS_INDEPENDENT: "Each row of an output depends on the same row of the inputs alone.\n",
        FILE: problem.to_json(),
        TRANSFORM: transform_digest(graph.transform_savedmodel_dir),
    }
    if is_distilled:
        beside[DISTILLED] = "The model has learnt from another model's answers.\n"
    for name, text in beside.items():
        with tf.io.gfile.GFile(os.path.join(serving_model_dir, name), "w") as file:
            file.write(text)
    if warmup_rows and rows:
        warmup.write(serving_model_dir, served.requests(list(rows[:warmup_rows])))
    if clause := parity.fault(serving_model_dir, model, graph, problem, list(rows)):
        tf.io.gfile.rmtree(serving_model_dir)
        raise TrainingError(
            f"Expected the exported model to answer as the trained one does. Received another answer: {clause}. Nothing was exported. "
            "Look for a layer of your own that draws random numbers, or keeps in Python what a saved graph does not have."
        )
    return served


def exported_problem(serving_model_dir: str) -> Problem | None:
    """What the saved model has learnt, with its classes' names; None of a model that does not say."""
    path = os.path.join(serving_model_dir, FILE)
    if not tf.io.gfile.exists(path):
        return None
    with tf.io.gfile.GFile(path) as file:
        return Problem.from_json(file.read())
