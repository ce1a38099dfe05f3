"""Which metric decides when training stops and which weights are the best, and whether more of it is better or less."""

from collections.abc import Sequence
from typing import Literal

from trainer.config import TrainerConfig
from trainer.errors import did_you_mean
from trainer.reference import is_reference, parts

_MODES: dict[str, Literal["min", "max"]] = {
    "loss": "min",
    "mae": "min",
    "accuracy": "max",
    "top_3_accuracy": "max",
    "top_5_accuracy": "max",
}


def mode(config: TrainerConfig, metric: str) -> Literal["min", "max"]:
    """Which end of `metric` is the better one, in Keras's words; `fault` has found none."""
    return config.metric_modes.get(metric) or _MODES[metric]


def fault(config: TrainerConfig, shown: Sequence[str]) -> str | None:
    """What is wrong with the metrics that `config` names, in a sentence that begins with its key; None where nothing is.

    Args:
      config: the settings.
      shown: the names of the metrics that the task shows for every epoch, beside the loss.
    """
    own = [parts(name)[1] for name in config.metrics or [] if is_reference(name)]
    for name in config.metric_modes:
        if name not in own:
            listed = ", ".join(own) or "none, for `trainer.metrics` names none"
            return f"trainer.metric_modes: Expected metrics of your own ({listed}). Received: '{name}'.{did_you_mean(name, own)} Remove it."
    for key, name in watched(config).items():
        known = ["loss", *shown]
        if name not in known:
            return (
                f"{key}: Expected one of {', '.join(known)}, which are shown for every epoch. Received: '{name}'."
                f"{did_you_mean(name, known)} `trainer.metrics` adds others."
            )
        if name in own and name not in config.metric_modes:
            return (
                f"{key}: Expected to know whether more of '{name}' is better. Received: a metric of your own. "
                f"Set `trainer.metric_modes: {{{name}: max}}`, or `min` where less is better."
            )
    return None


def watched(config: TrainerConfig) -> dict[str, str]:
    """The metrics that decide, by the key of the setting that names them."""
    stop = config.early_stopping
    return {"trainer.best_by": config.best_by} | ({"trainer.early_stopping.metric": stop.metric} if stop else {})
