"""What models that read in order share, be it a text or a row's series: vectors -> a model's own reading of them -> logits.

tokens of a text, or numbers of all series at a time -> a vector each -> the model's reading -> beside those of the others -> logits
with series: the other columns, encoded, beside the readings; and what a linear function of the numbers says is added (arXiv:1703.07015)

How long the batch's longest text is must change no answer: training cuts batches there, serving does not. So what stands for padding is
zero, and each model's reading leaves it out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import keras
import tensorflow as tf
from keras import layers

from trainer.config import Augmentation
from trainer.errors import ConfigError
from trainer.features import names
from trainer.input_pipeline import only_or_all
from trainer.models.encodings import check, encoded
from trainer.models.ngrams import model_inputs

UNITS = 128  # of the hidden layer that sees series and other columns together

# Vectors (batch, n, values), which of them are there (batch, n) bool, n at most -> one vector a row (batch, values).
Reading = Callable[[keras.KerasTensor, keras.KerasTensor, int], keras.KerasTensor]


def of_sequences(
    model: str,
    read: Reading,
    width: int,
    inputs: Mapping[str, tf.io.FixedLenFeature],
    outputs: int,
    dropout: float,
    sizes: Mapping[str, int],
    augment: Sequence[Augmentation] = (),
) -> keras.Model:
    """The model called `model`, which reads each text and the series by `read` and takes a linear function of all of them.

    Args:
      model: its name, for people.
      read: what makes one vector of a text's; it is given no more of its places than the batch's longest text has.
      width: values of a token's vector, and of a time's.
      inputs: shape and dtype of a row of each input, by name: `sequence`, `sequence_2` and so on, int64 (n,); `series`, float32 (n, m).
        Beside series any that `encodings.encoded` takes.
      outputs: logits.
      dropout: share of the tokens' values, and of the texts', dropped while training.
      sizes: how many places the table of each input's tokens has.
      augment: what is done to pictures at random while training.

    Returns:
      A model from the inputs by name (or the only one) to float32 logits (batch, outputs).

    Raises:
      ConfigError: there is no series, and an input is no sequence, or there is none.
    """
    texts = names.sequence_inputs(inputs)
    has_series = names.SERIES in inputs
    others = {name: feature for name, feature in inputs.items() if name not in (*texts, names.SERIES)}
    if not has_series and (others or not texts):
        raise ConfigError(
            f"Expected a series, or nothing but texts with `sequence`, as features for `trainer.model: {model}`. "
            f"Received: {', '.join(inputs) or 'none'}. Set `sequence: 128` of each text, or choose another `trainer.model`."
        )
    tensors = model_inputs(inputs)
    made = {name: TokenVectors(sizes[name], width, name=f"{name}_vectors")(tensors[name]) for name in texts}
    if has_series:
        made[names.SERIES] = TimeVectors(width, name="series_vectors")(tensors[names.SERIES])
    parts = [read(layers.Dropout(dropout)(vectors), there, inputs[name].shape[0]) for name, (vectors, there) in made.items()]
    x = layers.Dropout(dropout)(layers.Concatenate()(parts) if len(parts) > 1 else parts[0])
    if not has_series:
        return keras.Model(only_or_all(tensors), layers.Dense(outputs, name="logits")(x), name=model)
    if others:
        check(others, sizes, model)
        x = layers.Concatenate()([x, encoded({name: tensors[name] for name in others}, sizes, dropout, augment)[0]])
    hidden = layers.Dropout(dropout)(layers.Dense(UNITS, activation="relu")(x))
    linear = layers.Dense(outputs, use_bias=False, name="linear")(layers.Flatten()(tensors[names.SERIES]))
    logits = layers.Add(name="logits")([linear, layers.Dense(outputs, name="read")(x), layers.Dense(outputs, name="hidden")(hidden)])
    return keras.Model(only_or_all(tensors), logits, name=model)


@keras.saving.register_keras_serializable("tapeline")
class TimeVectors(layers.Layer):
    """A vector of what all series say at one time, zeros for padding, and which times are there."""

    def __init__(self, width: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.dense = layers.Dense(width)

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Makes the weights."""
        self.dense.build(shape)

    def call(self, series: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Float (batch, n, m), the last of m whether a time is there -> float (batch, n, width), bool (batch, n)."""
        there = series[..., -1]
        return self.dense(series) * tf.cast(there, self.compute_dtype)[..., tf.newaxis], there > 0

    def compute_output_spec(self, series: keras.KerasTensor) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """The shapes and dtypes of what `call` gives."""
        return keras.KerasTensor((*series.shape[:-1], self.width), self.compute_dtype), keras.KerasTensor(series.shape[:-1], "bool")

    def get_config(self) -> dict[str, object]:
        """The arguments."""
        return {**super().get_config(), "width": self.width}


@keras.saving.register_keras_serializable("tapeline")
class TokenVectors(layers.Layer):
    """Each token's learnt vector, zeros for padding, and which tokens are there."""

    def __init__(self, rows: int, width: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.rows, self.width = rows, width

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Makes the table."""
        initializer = keras.initializers.RandomNormal(stddev=self.width**-0.5)
        self.table = self.add_weight((self.rows, self.width), initializer, name="table", autocast=False)  # a batch's rows are cast

    def call(self, tokens: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """int64 (batch, n) -> float (batch, n, width), bool (batch, n)."""
        there = tokens > 0
        return tf.cast(tf.gather(self.table, tokens), self.compute_dtype) * tf.cast(there, self.compute_dtype)[..., tf.newaxis], there

    def compute_output_spec(self, tokens: keras.KerasTensor) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """The shapes and dtypes of what `call` gives."""
        return keras.KerasTensor((*tokens.shape, self.width), self.compute_dtype), keras.KerasTensor(tokens.shape, "bool")

    def get_config(self) -> dict[str, object]:
        """The arguments."""
        return {**super().get_config(), "rows": self.rows, "width": self.width}


@keras.saving.register_keras_serializable("tapeline")
class MaskedMean(layers.Layer):
    """The mean of the vectors that are there."""

    def call(self, vectors: tf.Tensor, there: tf.Tensor) -> tf.Tensor:
        """Float (batch, n, values), bool (batch, n) -> (batch, values); zeros where there is none."""
        counted = tf.cast(there, vectors.dtype)[..., tf.newaxis]
        return tf.reduce_sum(vectors * counted, axis=1) / tf.maximum(tf.reduce_sum(counted, axis=1), 1.0)


@keras.saving.register_keras_serializable("tapeline")
class MaskedMaximum(layers.Layer):
    """The greatest value of each channel over the places that are there, of values from 0 on."""

    def call(self, vectors: tf.Tensor, there: tf.Tensor) -> tf.Tensor:
        """Float (batch, n, values), bool (batch, n) -> (batch, values); zeros where there is none."""
        return tf.reduce_max(vectors * tf.cast(there, vectors.dtype)[..., tf.newaxis], axis=1)
