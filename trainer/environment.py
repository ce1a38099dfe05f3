"""The environment variables that results depend on: those that the product sets itself, and those that it only names.

Keras and TensorFlow read them once, at their import, so every process calls `settle` before that.
Measured on the digits (docs/adr/0025): OMP_NUM_THREADS and PYTHONHASHSEED change no bit. The number of cores changes the weights of `cnn`,
and a run is not held to one.
"""

import os
from collections.abc import Mapping

_OWN = {
    "KERAS_BACKEND": "tensorflow",
    "KERAS_HOME": os.devnull,  # no folder, so that no keras.json is read (float16, channels_first) and none is written
    "TF_USE_LEGACY_KERAS": "0",  # docs/adr/0002
}
# Needed on some machines (a CUDA folder, a slow autotuner), so they stay as they are; what comes out may differ.
_NAMED = (
    "NVIDIA_TF32_OVERRIDE",
    "TF_CUDNN_DETERMINISTIC",
    "TF_CUDNN_USE_AUTOTUNE",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)


def settle() -> None:
    """Gives this process, and those that it starts, the product's own settings of Keras, and a home where it has none.

    Every other KERAS_ variable goes: KERAS_MAX_EPOCHS for instance would end a training early without a word.
    """
    for name in [name for name in os.environ if name.startswith("KERAS_")]:
        del os.environ[name]
    os.environ.update(_OWN)
    if os.path.expanduser("~") == "~":  # noqa: PTH111 - Path's raises; no HOME and no passwd entry, as on OpenShift
        os.environ["HOME"] = "/"  # what container runtimes give such a user: readable, and nobody writes there


def overruled(given: Mapping[str, str]) -> list[str]:
    """The settings among `given`, as NAME=VALUE, that `settle` does not let count."""
    return sorted(
        f"{name}={value}" for name, value in given.items() if name in _OWN or name.startswith("KERAS_") if value != _OWN.get(name)
    )


def named(given: Mapping[str, str]) -> list[str]:
    """The settings among `given`, as NAME=VALUE, that count and may change results."""
    return [f"{name}={given[name]}" for name in _NAMED if given.get(name)]


def note(given: Mapping[str, str]) -> str:
    """One line that names what of `given` may change results, empty where nothing does."""
    settings = named(given)
    return f"Note: set by you, and may change results: {', '.join(settings)}." if settings else ""
