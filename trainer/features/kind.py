"""What a kind of feature has to say: a new kind is one file with a subclass of `Kind`, and its line in `trainer.features`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from trainer.lazy import schema_inference, tf
from trainer.settings import Settings

if TYPE_CHECKING:
    from typing import Any

RawType = Literal["bytes", "string", "strings", "float", "floats", "int"]


class Kind(Settings):
    """One feature's settings; the class itself works on all features of the kind together, in one go.

    Attributes:
      raw_type: how a row holds the raw value; a tf.Example's bytes, bytes (UTF-8), several of them, float, several of them, or int64 list.
      learns: whether Transform must see the whole training split before it can transform a row.
    """

    raw_type: ClassVar[RawType]
    missing_value: ClassVar[float | bytes | None] = None  # what a caller sends for none; None where there must be one

    kind: Any = None  # each subclass's own literal

    @property
    def learns_from_data(self) -> bool:
        """Whether Transform must see the whole training split before it can transform a row."""
        return True

    @classmethod
    def transform(cls, features: Mapping[str, Self], raw: Mapping[str, tf.Tensor | tf.SparseTensor]) -> dict[str, tf.Tensor]:
        """What the model gets, (batch, ...) by name, of the raw values of the kind's features, by the features' names."""
        raise NotImplementedError


def one_a_row(feature: tf.Tensor | tf.SparseTensor, missing: float | bytes) -> tf.Tensor:
    """(batch,), whatever way the schema made TFX hand the feature over: a row's first value, `missing` where it has none."""
    if isinstance(feature, tf.SparseTensor):
        first = tf.sparse.slice(feature, [0, 0], [feature.dense_shape[0], 1])
        whole = tf.SparseTensor(first.indices, first.values, tf.stack([feature.dense_shape[0], tf.constant(1, tf.int64)]))
        feature = tf.sparse.to_dense(whole, tf.constant(missing, feature.dtype))
    return tf.reshape(feature, [-1])


def places_in_table(places: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """`places`, int64, which says from now on in the transformed schema that its values are 0 <= place < `rows`, an int64 scalar.

    A vocabulary's size is known only when Transform has seen the data. The schema is where TensorFlow Transform writes the range of
    its own vocabularies and buckets; it has no public name for doing so.
    """
    places = tf.identity(places)
    if tf.executing_eagerly():  # nobody writes a schema
        return places
    schema_inference.set_tensor_schema_override(places, tf.constant(0, tf.int64), rows - 1)
    return places


def numbered(name: str, index: int) -> str:
    """The transformed name of a kind's feature number `index`: the first has the plain one."""
    return name if index == 0 else f"{name}_{index + 1}"
