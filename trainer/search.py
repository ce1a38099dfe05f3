"""What can be set of a search over settings of the training: the `tuner` section of a config file, and what it may search."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from trainer.config import TrainerConfig
from trainer.errors import did_you_mean
from trainer.settings import Settings

_SECTION = "trainer."
# How a training is run, and not what it learns; or what would have trials compare different losses, or seeds, which are chance.
_NOT_SEARCHED = (
    *("loop", "strategy", "cache", "checkpoints", "tensorboard", "code", "precision", "jit_compile", "start_from", "backbone", "freeze"),
    *("classes", "seed", "epochs", "minutes", "metrics", "metric_modes", "must_learn"),
)
_OTHER_LOSSES = ("loss", "label_smoothing")
_TRIALS = 20
_SCALES = ("linear", "log")


class Range(Settings):
    """Numbers from one to another."""

    min: int | float = Field(description="The least value.")
    max: int | float = Field(description="The greatest value.")
    scale: Literal["linear", "log"] = Field("linear", description="Whether values are spread evenly, or their logarithms are.")


_Choice = (
    Annotated[list[int], Field(min_length=2)]
    | Annotated[list[float], Field(min_length=2)]
    | Annotated[list[bool], Field(min_length=2)]
    | Annotated[list[str], Field(min_length=2)]
)
Value = int | float | bool | str


class TunerConfig(Settings):
    """What is tried to find better settings of the training."""

    algorithm: Literal["random", "bayesian", "hyperband"] = Field(
        "random",
        description="How the next values are chosen: at `random`; `bayesian`, where the trials so far promise most; `hyperband`, at "
        "random, and only the best third is trained three times as long, and so on up to `trainer.epochs`.",
    )
    trials: int | None = Field(
        None, ge=1, le=10_000, description="How many trainings at most; 20 by default. `hyperband` has as many as it needs."
    )
    metric: str = Field("loss", description="What of the eval split decides: `loss`, or a metric that is shown for every epoch.")
    search: dict[str, Range | _Choice] = Field(
        min_length=1,
        description="The settings that are searched, as `trainer.learning_rate`, each with a list of values or with `min`, `max` and "
        "`scale`, which is `linear` or `log`.",
    )

    @pydantic.field_validator("search", mode="before")
    @classmethod
    def _has_values(cls, search: Any) -> Any:
        """One line of what is wrong, in place of one for each thing that values could have been."""
        if search == {}:
            raise ValueError(
                "tuner.search: Expected a setting to search, as `trainer.learning_rate: {min: 0.0001, max: 0.1}`. Received: none."
            )
        for key, values in search.items() if isinstance(search, dict) else ():
            if not isinstance(values, Range) and (wrong := _values_fault(values)):
                raise ValueError(f"tuner.search.{key}: {wrong}")
        return search

    @property
    def most_trials(self) -> int | None:
        """None where the algorithm decides."""
        return None if self.algorithm == "hyperband" else self.trials or _TRIALS


def merged(config: TrainerConfig, values: Mapping[str, Any]) -> TrainerConfig:
    """`config` with those of `values` that are its settings, by their dotted keys (`trainer.early_stopping.patience`).

    Raises:
      pydantic.ValidationError: such a value cannot be.
    """
    import json

    plain = config.model_dump(mode="json")
    for key, value in values.items():
        if key.startswith(_SECTION):  # KerasTuner has values of its own beside them
            *sections, name = key.removeprefix(_SECTION).split(".")
            table = plain
            for section in sections:
                table = table[section]
            table[name] = value
    return TrainerConfig.model_validate_json(json.dumps(plain))


def value_of(config: TrainerConfig, key: str) -> Any:
    """The setting of the dotted `key`."""
    value: Any = config
    for name in key.removeprefix(_SECTION).split("."):
        value = getattr(value, name)
    return value


def fault(tuner: TunerConfig, config: TrainerConfig) -> str | None:
    """What cannot be searched, in a sentence that begins with its key; None where all of it can."""
    if tuner.trials and tuner.algorithm == "hyperband":
        return f"tuner.trials: Expected none with `tuner.algorithm: hyperband`, which decides it. Received: {tuner.trials}. Remove it."
    known = _paths(config.model_dump(mode="json"), _SECTION)
    for key, values in tuner.search.items():
        if key not in known:
            near = did_you_mean(key, known) or did_you_mean(_SECTION + key, known)
            return f"tuner.search: Expected settings of `trainer` that can be searched: {', '.join(known)}. Received: '{key}'.{near}"
        if key.removeprefix(_SECTION) in _OTHER_LOSSES and tuner.metric == "loss":
            return (
                f"tuner.search.{key}: Expected another `tuner.metric` than `loss`, for losses of different kinds cannot be compared. "
                "Try `accuracy` or `mae`."
            )
        if isinstance(values, Range) and (wrong := _range_fault(values)):
            return f"tuner.search.{key}: {wrong}"
        for value in (values.min, values.max) if isinstance(values, Range) else values:
            try:
                given = merged(config, {key: value})
            except pydantic.ValidationError as error:
                return f"tuner.search.{key}: {_said(error)}" + ("" if "Received: " in _said(error) else f" Received: {value!r}.")
            if isinstance(values, Range) and isinstance(value_of(given, key), bool | str):
                return f"tuner.search.{key}: Expected a list of values, for it is no number. Received: a range."
    return None


def _values_fault(values: Any) -> str | None:
    if isinstance(values, dict):
        known = list(Range.model_fields)
        if others := [str(name) for name in values if name not in known]:
            return f"Expected `min`, `max` and `scale` of a range. Received: '{others[0]}'.{did_you_mean(others[0], known)}"
        if missing := [name for name in ("min", "max") if not _is_number(values.get(name))]:
            return f"Expected numbers for `min` and `max`. Received: {values.get(missing[0])!r} for `{missing[0]}`."
        scale = values.get("scale", "linear")
        return None if scale in _SCALES else f"Expected `scale: linear` or `log`. Received: {scale!r}.{did_you_mean(str(scale), _SCALES)}"
    if not isinstance(values, list | tuple):
        return f"Expected a list of values, or `min` and `max`. Received: {values!r}."
    is_one_kind = all(map(_is_number, values)) or any(all(isinstance(value, kind) for value in values) for kind in (bool, str))
    if not is_one_kind:
        return f"Expected a list of numbers, of texts, or of `true` and `false`. Received: {list(values)}."
    if len(set(values)) < max(2, len(values)):
        return f"Expected a list of at least two values, each of them once. Received: {list(values)}."
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _range_fault(values: Range) -> str | None:
    if values.min >= values.max:
        return f"Expected `min` below `max`. Received: {values.min:g} and {values.max:g}."
    if values.scale == "log" and values.min <= 0:
        return f"Expected `min` above 0 with `scale: log`. Received: {values.min:g}."
    return None


def _said(error: pydantic.ValidationError) -> str:
    first = error.errors()[0]
    text = first["msg"].removeprefix("Value error, ")
    return text if text.endswith(".") else f"Expected {text.removeprefix('Input should be ')}."


def _paths(values: Mapping[str, Any], prefix: str) -> list[str]:
    """The dotted keys of plain values, those of sections below them."""
    paths: list[str] = []
    for name, value in values.items():
        if (prefix == _SECTION and name in _NOT_SEARCHED) or name == "kind":
            continue
        if isinstance(value, dict):
            paths += _paths(value, f"{prefix}{name}.")
        elif not isinstance(value, list):
            paths.append(prefix + name)
    return paths
