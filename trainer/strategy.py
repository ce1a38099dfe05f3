"""Where the model is trained: the `tf.distribute` strategy for a name and the devices that are there."""

import tensorflow as tf

from trainer.errors import ConfigError, did_you_mean

NAMES = ("auto", "one_device", "mirrored")


def make_strategy(name: str) -> tf.distribute.Strategy:
    """The strategy called `name`.

    `one_device` is TensorFlow's default strategy, which takes the GPU where there is one. `mirrored` keeps a copy of the model
    on every GPU, or, without a GPU, on every logical CPU. `auto` is `mirrored` where there are several GPUs, else `one_device`.

    Raises:
      ConfigError: no strategy has that name.
    """
    if name not in NAMES:
        raise ConfigError(f"Expected `trainer.strategy` to be one of {list(NAMES)}. Received: {name!r}.{did_you_mean(name, NAMES)}")
    gpus = tf.config.list_logical_devices("GPU")
    if name == "one_device" or (name == "auto" and len(gpus) < 2):
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy([device.name for device in gpus or tf.config.list_logical_devices("CPU")])
