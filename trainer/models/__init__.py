"""The models, one architecture a file: `build_model` picks the one that `config.model` names and compiles it, once for both loops."""

import importlib

import keras

from trainer.config import TrainerConfig
from trainer.models.optimizers import make_optimizer

_LOSSES = {
    "sparse_categorical_crossentropy": keras.losses.SparseCategoricalCrossentropy,
    "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
    "categorical_focal_crossentropy": keras.losses.CategoricalFocalCrossentropy,
}
_TOP_K = {"top_3_accuracy": 3, "top_5_accuracy": 5}


def build_model(config: TrainerConfig, image_shape: tuple[int, int, int]) -> keras.Model:
    """The compiled model of `trainer/models/<config.model>.py`; call it under the strategy's scope.

    Args:
      config: model, classes, dropout, seed, and what the model is compiled with: optimizer, loss and metrics.
      image_shape: (height, width, channels) of the float32 pixels it takes.

    Returns:
      A model from (batch, *image_shape) to logits float32 (batch, classes). Equal arguments give equal initial weights and an
      equal sequence of dropout masks.
    """
    keras.utils.set_random_seed(config.seed)
    model = importlib.import_module(f"trainer.models.{config.model}").build(image_shape, config.classes, config.dropout)
    metrics = [_metric(name, config) for name in config.metrics]
    model.compile(optimizer=make_optimizer(config), loss=_loss(config), metrics=metrics, jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    return model


def one_hot_labels(config: TrainerConfig) -> bool:
    """Whether the loss takes labels one-hot encoded."""
    return config.loss.startswith("categorical")


def _loss(config: TrainerConfig) -> keras.losses.Loss:
    smoothing = {"label_smoothing": config.label_smoothing} if one_hot_labels(config) else {}
    return _LOSSES[config.loss](from_logits=True, **smoothing)


def _metric(name: str, config: TrainerConfig) -> str | keras.metrics.Metric:
    if name not in _TOP_K:
        return name
    top_k = keras.metrics.TopKCategoricalAccuracy if one_hot_labels(config) else keras.metrics.SparseTopKCategoricalAccuracy
    return top_k(k=_TOP_K[name], name=name)
