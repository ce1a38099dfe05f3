"""Whether a saved model answers raw rows as the model did that was saved.

raw rows -> Transform's graph -> the Keras model -> what the task serves    } the same, but for the last digits? -> None, or what differs
raw rows -> `serving_default` of the SavedModel, as it is loaded from the disk }
"""

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from trainer.export.served import Prediction, raw_specs
from trainer.features import names
from trainer.input_pipeline import only_or_all
from trainer.problem import Problem
from trainer.tasks import Regression
from trainer.tasks.predicted import predicted

# The graph of a SavedModel adds up in another order than Keras does call by call. Each float32 rounding is 6e-8 of a value, a layer adds up
# hundreds of them, and a model has some tens of layers: 1e-5 has been seen, a wrong weight or a missing scaling is far above 1e-4.
_TOLERANCE = 1e-4  # of the largest value that an output has in the rows
_ROUNDINGS = 8  # of a coarser type, one of which is more than all of those of float32 together
_FLOAT32_STEP = 2.0**-23  # between 1 and the next number
_STEPS = {"float16": 2.0**-10, "bfloat16": 2.0**-7}  # the same of coarser types
_TF32_STEP = 2.0**-10  # the same of what GPUs multiply float32 in


def fault(folder: str, model: keras.Model, graph: tft.TFTransformOutput, problem: Problem, rows: list[bytes]) -> str | None:
    """What differs, in a clause: the output, the largest difference and its row; None where nothing does.

    Args:
      folder: the SavedModel's.
      model: logits from transformed features.
      graph: Transform's output.
      problem: what was learnt.
      rows: serialized tf.Examples as they were before Transform.
    """
    if not rows:
        return None
    loaded = tf.saved_model.load(folder)
    received = loaded.signatures["serving_default"](examples=tf.constant(rows))
    expected = _expected(model, graph, problem, rows)
    if any(not values.dtype.is_floating for values in expected.values()):
        # What is decided is compared with what the task decides of the served numbers: last digits may decide between two equal ones.
        decided = problem.task.served(received[problem.task.PREDICTIONS])
        expected = {name: values if values.dtype.is_floating else decided[name] for name, values in expected.items()}
    clauses = (_differs(name, received, values, model, problem) for name, values in expected.items())
    return next(filter(None, clauses), None)


def rounding(model: keras.Model, problem: Problem, numbers: np.ndarray) -> float:
    """How far an answer may be from the model's, of which `numbers` are all of an output in some rows."""
    center, unit = (problem.task.mean, problem.task.deviation) if isinstance(problem.task, Regression) else (0.0, 0.0)
    largest, farthest = (float(np.nanmax(np.abs(numbers - of), initial=0.0)) for of in (0.0, center))
    return tolerance(model) * max(farthest, unit) + 2 * _FLOAT32_STEP * largest  # a large mean that is added rounds too


def tolerance(model: keras.Model) -> float:
    """How far a number may be from the model's, as a share of the largest one of its output; of a regression, before the mean is added."""
    layers = model._flatten_layers()  # inner ones too, for which Keras has no public name
    steps = [_STEPS.get(layer.compute_dtype, 0.0) for layer in layers]
    if tf.config.list_physical_devices("GPU") and tf.config.experimental.tensor_float_32_execution_enabled():
        steps.append(_TF32_STEP)
    return max(_TOLERANCE, _ROUNDINGS * max(steps))


def _expected(model: keras.Model, graph: tft.TFTransformOutput, problem: Problem, rows: list[bytes]) -> Prediction:
    raw = tf.io.parse_example(rows, raw_specs(graph, problem))
    transformed = graph.transform_features_layer().call(raw)
    inputs = {name: transformed[name] for name in names.model_inputs(graph.transformed_feature_spec())}
    return problem.task.served(predicted(problem.task, model(only_or_all(inputs), training=False)))


def _differs(name: str, received: Mapping[str, tf.Tensor], expected: tf.Tensor, model: keras.Model, problem: Problem) -> str | None:
    if name not in received:
        return f"`{name}` is not there"
    theirs, ours = received[name].numpy(), expected.numpy()
    if (theirs.dtype, theirs.shape) != (ours.dtype, ours.shape):
        return f"`{name}` is {theirs.dtype} {theirs.shape}, not {ours.dtype} {ours.shape}"
    if not np.issubdtype(ours.dtype, np.floating):
        wrong = np.flatnonzero((theirs != ours).reshape(len(ours), -1).any(axis=1))
        return f"`{name}` is {theirs[wrong[0]]}, not {ours[wrong[0]]}, in row {wrong[0]}" if len(wrong) else None
    far = np.abs(theirs.astype(np.float64) - ours).reshape(len(ours), -1).max(axis=1)
    far[np.isnan(theirs).reshape(len(ours), -1).any(axis=1) & np.isnan(ours).reshape(len(ours), -1).any(axis=1)] = 0.0
    far = np.nan_to_num(far, nan=np.inf)
    limit = rounding(model, problem, ours)
    worst = int(far.argmax())
    return f"`{name}` is up to {far[worst]:.3g} off, in row {worst} (at most {limit:.1g} is rounding)" if far[worst] > limit else None
