"""What a model for one picture is built from."""

from collections.abc import Mapping

import tensorflow as tf

from trainer.errors import ConfigError

Shape = tuple[int, int, int]


def only_picture(inputs: Mapping[str, tf.io.FixedLenFeature], model: str) -> Shape:
    """(height, width, channels) of the one input.

    Raises:
      ConfigError: there are others, which the model called `model` does not take.
    """
    shapes = [tuple(feature.shape) for feature in inputs.values()]
    if len(shapes) != 1 or len(shapes[0]) != 3:
        raise ConfigError(
            f"Expected one picture as the only feature for `trainer.model: {model}`. Received: {', '.join(inputs)}. "
            "Choose another `trainer.model`."
        )
    return shapes[0]
