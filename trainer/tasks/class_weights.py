"""How much a row of each class counts: the setting, and the numbers that come of it once the train split's labels are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from trainer.errors import DataError, did_you_mean

if TYPE_CHECKING:
    import numpy as np

Weight = Annotated[float, Field(gt=0.0)]
_Setting = Literal["none", "balanced"] | dict[str, Weight]
_WORDS = ("none", "balanced")
_MOST = 1e6
_SHOWN = 5  # classes in an error


def _checked(given: Any) -> Any:
    """What is given, where it can be right; else one line, in place of one for each thing that it could have been."""
    if given in _WORDS or (isinstance(given, dict) and all(_is_weight(weight) for weight in given.values())):
        return given
    near = did_you_mean(given, _WORDS) if isinstance(given, str) else ""
    raise ValueError(
        f"task.class_weights: Expected `none`, `balanced` or a mapping of classes to numbers above 0, at most {_MOST:,.0f}. "
        f"Received: {given!r}.{near}"
    )


def _is_weight(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool) and 0 < given <= _MOST


ClassWeights = Annotated[_Setting, BeforeValidator(_checked, json_schema_input_type=_Setting)]


def weights_of(setting: ClassWeights, classes: Sequence[str], labels: np.ndarray) -> tuple[float, ...] | None:
    """The weight of each class in the order of `classes`; None where all rows count alike.

    Args:
      setting: `balanced` gives each class with rows the same weight in all, and a row 1 on average; classes that a mapping does not name
        weigh 1.
      classes: their names, or their numbers as text.
      labels: int64 (rows,), numbers of classes in the train split.

    Raises:
      DataError: a class that there is not.
    """
    if isinstance(setting, dict):
        for name in setting:
            if name not in classes:
                listed = ", ".join(map(repr, classes[:_SHOWN])) + (" ..." if len(classes) > _SHOWN else "")
                raise DataError(
                    f"Expected the classes in `task.class_weights` to be some of {listed}. Received: {name!r}.{did_you_mean(name, classes)}"
                )
        return tuple(setting.get(name, 1.0) for name in classes)
    if setting == "none":
        return None
    import numpy as np  # not above: a config is read without it

    counts = np.bincount(labels, minlength=len(classes))
    there = counts > 0
    balanced = np.divide(counts.sum(), there.sum() * counts, out=np.ones(len(classes)), where=there)
    return tuple(balanced.tolist())
