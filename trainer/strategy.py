"""Where the model is trained: the `tf.distribute` strategy for a name and the devices that are there."""

import functools

import tensorflow as tf

from trainer import workers
from trainer.errors import ConfigError, did_you_mean

NAMES = ("auto", "cpu", "gpu", "one_device", "mirrored", "multi_worker", "tpu")


def make_strategy(name: str, workers_minutes: float = 10.0) -> tf.distribute.Strategy:
    """The strategy called `name`.

    `cpu` is one CPU, also where there is a GPU, and `gpu` is one GPU. `one_device` is TensorFlow's default strategy, which takes
    the GPU where there is one. `mirrored` keeps a copy of the model
    on every GPU, or, without a GPU, on every logical CPU. `auto` is `mirrored` where there are several GPUs, else `one_device`.
    `tpu` takes the TPU chips of this machine. `multi_worker` is all devices of the workers that TF_CONFIG names, which wait so many
    minutes for each other, or `auto` where it names one alone; nothing may have used TensorFlow before.

    Raises:
      ConfigError: no strategy has that name, there is no GPU or TPU where one is asked for, or TF_CONFIG is wrong.
      TrainingError: a worker has not come.
    """
    if name not in NAMES:
        raise ConfigError(f"Expected `trainer.strategy` to be one of {list(NAMES)}. Received: {name!r}.{did_you_mean(name, NAMES)}")
    if name == "tpu":
        return _tpu()
    if name == "multi_worker":
        return workers.make_strategy(workers_minutes) or make_strategy("auto")
    if name == "cpu":
        return tf.distribute.OneDeviceStrategy("/cpu:0")
    gpus = tf.config.list_logical_devices("GPU")
    if name == "gpu":
        return _gpu(gpus)
    if name == "one_device" or (name == "auto" and len(gpus) < 2):
        return tf.distribute.get_strategy()
    return _mirrored(tuple(device.name for device in gpus or tf.config.list_logical_devices("CPU")))


@functools.cache
def _mirrored(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    """The only one of a process: a second one numbers its sums of gradients as the first did, whose shapes TensorFlow remembers."""
    return tf.distribute.MirroredStrategy(devices)


def _gpu(gpus: list[tf.config.LogicalDevice]) -> tf.distribute.Strategy:
    if gpus:
        return tf.distribute.OneDeviceStrategy("/gpu:0")
    built = "" if tf.test.is_built_with_cuda() else ", and a TensorFlow that was built without CUDA"
    found = ", ".join(device.name.removeprefix("/device:") for device in tf.config.list_logical_devices())
    raise ConfigError(
        f"Expected a GPU on this machine for `trainer.strategy: gpu`. Received: {found}{built}. Install the driver and "
        "requirements-cuda.lock's packages, or set `trainer.strategy: cpu` or `auto`."
    )


def _tpu() -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu="local")
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(
            f"Expected a TPU on this machine for `trainer.strategy: tpu`. Received: {reason} "
            "Use the image for TPUs on a node that has one, or `trainer.strategy: auto`."
        ) from None
