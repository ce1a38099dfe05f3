"""One of two classes, of which one is what is looked for: the positive one."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trainer.errors import DataError, did_you_mean
from trainer.features.kind import one_a_row
from trainer.lazy import tf
from trainer.tasks.multiclass import Multiclass


class Binary(Multiclass):
    """As for several classes, with the positive class as number 1."""

    kind: Literal["binary"] = Field("binary", description="One of two classes.")  # type: ignore[assignment]  # another literal than the base's
    positive: str | None = Field(
        None, description="The class that is looked for, as its label is written; the rarer one of the train split where it is not given."
    )

    def transform_label(self, raw: tf.Tensor | tf.SparseTensor) -> tf.Tensor:
        """int64 (batch,): 1 for the positive class, 0 for the other, -1 for a name that the train split does not have."""
        number = super().transform_label(raw)
        if self.positive is None:
            return number  # by frequency: the rarer one is 1
        is_positive = tf.cast(tf.equal(one_a_row(raw, b""), self.positive), tf.int64)
        return tf.where(tf.logical_or(number < 0, number > 1), tf.constant(-1, tf.int64), is_positive)

    def _ordered(self, names: list[str]) -> list[str]:
        if len(names) != 2:
            listed = ", ".join(map(repr, names[:5])) + (" ..." if len(names) > 5 else "")
            raise DataError(
                f"Expected a label of two classes for `task: binary`. Received {len(names):,} in the train split: {listed}. "
                "Try `task: multiclass`."
            )
        if self.positive is None:
            return names
        if self.positive not in names:
            raise DataError(
                f"Expected the positive class to be one of {names}. Received: {self.positive!r}.{did_you_mean(self.positive, names)}"
            )
        return sorted(names, key=lambda name: name == self.positive)
