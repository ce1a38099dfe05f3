"""Texts without the zeros behind their n-grams, which make all texts equally long: most are far shorter than the longest may be.

rows that wait in memory: each text's own n-grams, ragged -> dense again, as long as the longest of those that are asked for
a batch that is trained on: cut behind the longest text's last n-gram, which changes no sum over n-grams
"""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from trainer.features import names

Dense = Mapping[str, tf.Tensor]
Packed = Mapping[str, tf.Tensor | tf.RaggedTensor]


def packed(inputs: Dense) -> dict[str, tf.Tensor | tf.RaggedTensor]:
    """The inputs (batch, ...) by name, each text's `tokens` as ragged int32 (batch, None), its weights beside them ragged as well."""
    result: dict[str, tf.Tensor | tf.RaggedTensor] = dict(inputs)
    for own in names.text_inputs(inputs).values():
        lengths = _lengths(inputs[own[0]])
        for name in own:
            values = inputs[name]
            result[name] = tf.RaggedTensor.from_tensor(tf.cast(values, tf.int32) if values.dtype == tf.int64 else values, lengths)
    return result


def unpacked(inputs: Packed, specs: Mapping[str, tf.TensorSpec], *, whole: bool = False) -> dict[str, tf.Tensor]:
    """What `packed` was given, with zeros up to the longest text of these rows alone, or, if `whole`, as wide as `specs` say."""
    return {name: _dense(values, specs[name], whole) if isinstance(values, tf.RaggedTensor) else values for name, values in inputs.items()}


def trimmed(inputs: Dense) -> dict[str, tf.Tensor]:
    """The inputs with each text's `tokens` and weights, (batch, n), cut to the longest text of the batch, but to one place at least."""
    result = dict(inputs)
    for own in names.text_inputs(inputs).values():
        longest = tf.maximum(tf.reduce_max(_lengths(inputs[own[0]])), 1)
        result |= {name: inputs[name][:, :longest] for name in own}
    return result


def _lengths(tokens: tf.Tensor) -> tf.Tensor:
    """int64 (batch,): behind which place there are only zeros."""
    places = tf.range(1, tf.shape(tokens)[1] + 1, dtype=tf.int32)
    return tf.cast(tf.reduce_max(tf.where(tokens > 0, places, 0), axis=1), tf.int64)


def _dense(values: tf.RaggedTensor, spec: tf.TensorSpec, whole: bool) -> tf.Tensor:
    return tf.cast(values.to_tensor(shape=(None, spec.shape[1]) if whole else None), spec.dtype)
