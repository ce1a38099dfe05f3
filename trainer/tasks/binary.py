"""One of two classes, of which one is what is looked for: the positive one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import pydantic
from pydantic import BeforeValidator, Field

from trainer.errors import DataError, did_you_mean
from trainer.features.kind import one_a_row
from trainer.lazy import tf
from trainer.tasks.multiclass import Multiclass

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

_Setting = Annotated[float, Field(ge=0.0, le=1.0)] | Literal["auto"] | None


def _checked(given: Any) -> Any:
    """What is given, where it can be right; else one line, in place of one for each thing that it could have been."""
    is_probability = isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given <= 1
    if given in (None, "auto") or is_probability:
        return given
    near = did_you_mean(given, ["auto"]) if isinstance(given, str) else ""
    raise ValueError(f"task.threshold: Expected a number from 0 to 1, or `auto`. Received: {given!r}.{near}")


Threshold = Annotated[_Setting, BeforeValidator(_checked, json_schema_input_type=_Setting)]


class Binary(Multiclass):
    """As for several classes, with the positive class as number 1."""

    kind: Literal["binary"] = Field("binary", description="One of two classes.")  # type: ignore[assignment]  # another literal than the base's
    positive: str | None = Field(
        None, description="The class that is looked for, as its label is written; the rarer one of the train split where it is not given."
    )

    threshold: Threshold = Field(  # type: ignore[assignment]  # numbers too, which several classes cannot have
        None,
        description="The probability from which on the positive class is answered; `auto` finds the one of the greatest MCC on the eval "
        "split. Where none is given it follows from `class_weights`: 0.5 without them, the positive class's share if they are `balanced`.",
    )

    @pydantic.model_validator(mode="after")
    def _has_what_auto_chooses_of(self) -> Self:
        return self  # any probability

    def transform_label(self, raw: tf.Tensor | tf.SparseTensor) -> tf.Tensor:
        """int64 (batch,): 1 for the positive class, 0 for the other, -1 for a name that the train split does not have."""
        number = super().transform_label(raw)
        if self.positive is None:
            return number  # by frequency: the rarer one is 1
        is_positive = tf.cast(tf.equal(one_a_row(raw, b""), self.positive), tf.int64)
        return tf.where(tf.logical_or(number < 0, number > 1), tf.constant(-1, tf.int64), is_positive)

    def tuned(self, evaluate: Callable[[], tuple[np.ndarray, np.ndarray]]) -> Self:
        """The task with its threshold, where that is found on the eval split; see `Multiclass.tuned`."""
        if self.threshold != "auto":
            return self
        from trainer.tasks.best_threshold import best_threshold  # it imports NumPy and scikit-learn

        probabilities, targets = evaluate()
        labels = targets.argmax(axis=-1) if targets.ndim > 1 else targets
        return self.model_copy(update={"threshold": best_threshold(probabilities[:, 1], labels)})

    def decided(self, probabilities: tf.Tensor) -> tf.Tensor:
        """int64 (batch,), 1 where the positive class is answered, of probabilities (batch, 2)."""
        if isinstance(self.threshold, float):
            return tf.cast(probabilities[:, 1] >= self.threshold, tf.int64)
        return super().decided(probabilities)

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
