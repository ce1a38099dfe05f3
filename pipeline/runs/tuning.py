"""What a search over settings has found, as the run's record keeps it and a person reads it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline.plain import print_line

_SHOWN = 10  # trials in the table
_PREFIX = "trainer."


@dataclass
class Tuning:
    """The outcome of a search.

    Attributes:
      metric: what decided, of the eval split.
      best: the best settings by their dotted keys.
      trials: every finished trial, the best first: `trial_id`, `score`, and its settings; `epochs` where it was trained less long.
    """

    metric: str
    best: dict[str, Any]
    trials: list[dict[str, Any]]


def read_tuning(metric: str, folders: dict[str, str]) -> Tuning:
    """What TFX's Tuner has written into the folders of its outputs, by their keys."""
    [best] = Path(folders["best_hyperparameters"]).glob("*.txt")
    [results] = Path(folders["tuner_results"]).glob("*.json")
    values = json.loads(best.read_text(encoding="utf-8"))["values"]
    return Tuning(metric, _settings(values), [_trial(each) for each in json.loads(results.read_text(encoding="utf-8"))])


def yaml_lines(tuning: Tuning) -> list[str]:
    """The lines for a config file that say the best settings."""
    import yaml

    tree: dict[str, Any] = {}
    for key, value in tuning.best.items():
        *sections, name = key.split(".")
        table = tree
        for section in sections:
            table = table.setdefault(section, {})
        table[name] = value
    return yaml.safe_dump(tree, sort_keys=False).splitlines()


def print_tuning(console: Console, tuning: Tuning) -> None:
    """The best trials in a table, and the best settings as lines of a config."""
    keys = list(tuning.best)
    table = Table(title="Search, best first", title_justify="left")
    for heading in ("trial", f"val_{tuning.metric}", *(key.removeprefix(_PREFIX) for key in keys)):
        table.add_column(heading, overflow="fold")  # whole names, for two of them may begin alike
    for trial in tuning.trials[:_SHOWN]:
        table.add_row(str(int(trial["trial_id"]) + 1), f"{trial['score']:.4f}", *(_short(trial.get(key)) for key in keys))
    console.print(table)
    if len(tuning.trials) > _SHOWN:
        print_line(console, f"{len(tuning.trials) - _SHOWN} more trials are in the run's record.")
    for line in yaml_lines(tuning):
        print_line(console, line)


def _settings(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key.startswith(_PREFIX)}


def _trial(found: dict[str, Any]) -> dict[str, Any]:
    epochs = {"epochs": found["tuner/epochs"]} if "tuner/epochs" in found else {}
    return {"trial_id": found["trial_id"], "score": found["score"], **_settings(found), **epochs}


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
