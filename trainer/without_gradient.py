"""Variables that a step gives no gradient: they would silently stay as they were drawn."""

from collections.abc import Sequence
from typing import Any, Literal

from trainer.errors import TrainingError, listed

_CAUSES = (
    "nothing of the loss depends on it; it was used outside the tape; what it was used for is a constant that is not watched; "
    "there is an integer on the way; or the tape was asked a second time and is not persistent"
)


def left_out(variables: Sequence[Any], gradients: Sequence[Any], otherwise: Literal["stop", "ignore"]) -> tuple[list[Any], list[Any]]:
    """The gradients that there are, and their variables.

    Args:
      variables: Keras's.
      gradients: one for each, None where there is none.
      otherwise: what to do where one is None.

    Raises:
      TrainingError: one is None, and `otherwise` is `stop`; or all are.
    """
    there = [(gradient, variable) for gradient, variable in zip(gradients, variables, strict=True) if gradient is not None]
    missing = [variable.path for gradient, variable in zip(gradients, variables, strict=True) if gradient is None]
    if missing and (otherwise == "stop" or not there):
        raise TrainingError(
            f"Expected a gradient for each of {len(variables)} trainable variables. Received none for {listed(missing)}. "
            f"The usual causes: {_CAUSES}. Set `trainer.without_gradient: ignore` to train the others."
        )
    return [gradient for gradient, _ in there], [variable for _, variable in there]
