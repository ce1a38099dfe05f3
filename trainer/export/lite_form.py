"""A model's layers in the form that LiteRT has operations for, and that int8 can tell apart, while a function is traced.

recurrent layers: step by step, for LiteRT has none of the lists of tensors that a loop keeps its steps in
attention:        what may not be looked at scores 16 less than the lowest, in place of Keras's -1e9: int8 has 256 levels for all of them
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras

_BELOW = 16.0  # e to the power of minus that is 1e-7 of what the lowest score weighs


@contextlib.contextmanager
def lite_form(model: keras.Model) -> Iterator[bool]:
    """Inside, what is traced of `model` is in that form; the value is whether it has layers to which that matters."""
    layers = model._flatten_layers()  # inner ones too, for which Keras has no public name
    with contextlib.ExitStack() as undo:
        is_other = False
        for layer in layers:
            if isinstance(layer, keras.layers.RNN) and not layer.unroll:
                is_other = True
                undo.callback(setattr, layer, "unroll", False)
                layer.unroll = True
            if isinstance(layer, keras.layers.MultiHeadAttention):
                is_other = True
                undo.callback(setattr, layer, "_softmax", layer._softmax)
                undo.callback(setattr, layer, "_compute_attention", layer._compute_attention)
                layer._compute_attention = _by_scores(layer._compute_attention)
                layer._softmax = _Softmax(layer._softmax)
        yield is_other


def _by_scores(attention: Callable[..., Any]) -> Callable[..., Any]:
    """Keras's attention by the way that has the layer's own softmax in it."""
    return lambda query, key, value, mask, training, _, **options: attention(query, key, value, mask, training, True, **options)


class _Softmax:
    """Keras's layer, of scores (..., n), but for what the mask leaves out."""

    def __init__(self, softmax: keras.layers.Softmax) -> None:
        self._softmax = softmax

    def __call__(self, scores: Any, mask: Any = None) -> Any:
        if mask is None:
            return self._softmax(scores)
        unseen = keras.ops.min(scores, axis=-1, keepdims=True) - _BELOW
        weights = self._softmax(keras.ops.where(mask, scores, unseen))
        return keras.ops.where(mask, weights, keras.ops.zeros_like(weights))
