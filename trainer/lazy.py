"""TensorFlow and its companions, imported when one is first used: settings are read and checked without seconds of imports."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import tensorflow as tf
    import tensorflow_transform as tft
    from tensorflow_transform import schema_inference
else:

    class _Lazy:
        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, attribute: str) -> Any:
            return getattr(importlib.import_module(self._name), attribute)

    keras, tf, tft = _Lazy("keras"), _Lazy("tensorflow"), _Lazy("tensorflow_transform")
    schema_inference = _Lazy("tensorflow_transform.schema_inference")

__all__ = ["keras", "schema_inference", "tf", "tft"]
