"""The only place where a feature is transformed: TFX Transform runs it over every split, and serving runs the very same graph.

raw features -> each by its kind -> what the model gets; raw label -> as the task says; weight -> as it is
"""

from typing import Any

import tensorflow as tf

from trainer.features import Features, names
from trainer.features.kind import one_a_row
from trainer.problem import Problem


def preprocessing_fn(inputs: dict[str, tf.Tensor | tf.SparseTensor], custom_config: dict[str, Any]) -> dict[str, tf.Tensor]:
    """What Transform calls, found by its import path `trainer.preprocessing.preprocessing_fn`.

    Args:
      inputs: raw features, dense (batch, 1) or (batch,), or sparse with at most one value a row.
      custom_config: `{"features": Features, "problem": Problem}`, both as JSON; the digest of the code is for the cache alone.

    Returns:
      What each kind of `trainer.features` gives, the label as the task gives it, and the weight where there is one, (batch, ...) each.
      The features depend on the problem's features alone, so serving needs neither label nor weight.
    """
    features, problem = Features.from_json(custom_config["features"]), Problem.from_json(custom_config["problem"])
    weight = {names.WEIGHT: tf.cast(one_a_row(inputs[problem.weight], 0.0), tf.float32)} if problem.weight else {}
    return {**features.transform(inputs), names.LABEL: problem.task.transform_label(inputs[problem.label]), **weight}
