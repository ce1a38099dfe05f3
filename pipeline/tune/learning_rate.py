"""`tapeline tune lr`: the last run's transformed rows -> a sweep of learning rates -> a suggestion, a picture and a JSON file.

is there a run with these rows? -> `trainer.rate_finder` -> ROOT/tuning/learning_rate.json and .svg -> a few lines for people
"""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import config, steps, workspace
from pipeline.plain import command
from pipeline.runs.quiet import output_hidden
from pipeline.tune import rate_chart
from pipeline.workspace import Workspace
from serving import whole_file
from trainer import json_text
from trainer.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.config import PipelineConfig
    from trainer.rate_finder import Sweep

_OF_THE_ROWS = ("data", "preprocessing", "task", "label", "features", "crosses")  # sections that Transform's output depends on
_SHOWN = 12  # rows of the table
_FEWEST_STEPS = 20


def run(options: argparse.Namespace) -> int:
    """Prints what it has found and where. Raises ConfigError, DataError, TrainingError."""
    settings = config.load(options.config, options.overrides)
    place = Workspace(options.root or workspace.default_root(settings))
    if not 0 < options.first < options.last:
        raise ConfigError(f"Expected 0 < --first < --last. Received: {options.first:g} and {options.last:g}.")
    if options.steps < _FEWEST_STEPS:
        raise ConfigError(f"Expected --steps of at least {_FEWEST_STEPS}. Received: {options.steps}.")
    artifacts = _last_artifacts(settings, place, options.config, options.root)
    with output_hidden():
        sweep = _swept(settings, place, artifacts, options)
    picture, values = place.root / "tuning" / "learning_rate.svg", place.root / "tuning" / "learning_rate.json"
    found = {**sweep._asdict(), "seed": settings.trainer.seed, "loop": settings.trainer.loop, "picture": str(picture), "file": str(values)}
    # what is no number is no JSON
    text = json.dumps(json.loads(json.dumps(found), parse_constant=lambda _: None))
    _write(picture, rate_chart.svg(sweep.rates, sweep.smoothed, sweep.suggestion, settings.name))
    _write(values, text + "\n")
    terminal = sys.stderr if options.json else sys.stdout
    print("\n".join(_lines(sweep, picture, terminal.encoding or "")), file=terminal)
    if options.json:
        print(text)
    return 0


def _last_artifacts(settings: "PipelineConfig", place: Workspace, file: str, root: Path | None) -> dict[str, dict[str, str]]:
    """The outputs, by step, of the newest run that has transformed the rows that `settings` describe. Raises ConfigError."""
    wanted = settings.model_dump(mode="json", by_alias=True)
    is_other = False
    for kept in sorted(place.records.glob("*.json"), reverse=True):
        try:
            record: dict[str, Any] = json_text.loads(kept.read_text(encoding="utf-8"))
            outputs = {step: {name: place.place(path) for name, path in paths.items()} for step, paths in record["artifacts"].items()}
            found = [outputs[steps.TRANSFORM.id][name] for name in ("transformed_examples", "transform_graph")]
            if any(not Path(folder).is_dir() for folder in found):
                continue
            if all(record["config"][name] == wanted[name] for name in _OF_THE_ROWS):
                return outputs
            is_other = True
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # a run that ended before, or a broken record
            continue
    first = command("run", file, *(["--root", root] if root else []))
    received = f"only runs of other {', '.join(f'`{name}`' for name in _OF_THE_ROWS)}" if is_other else "none"
    raise ConfigError(f"Expected a run in '{place.root}' that has transformed this config's data. Received: {received}. First: {first}")


def _swept(settings: "PipelineConfig", place: Workspace, artifacts: dict[str, dict[str, str]], options: argparse.Namespace) -> "Sweep":
    import importlib

    from tfx.components.trainer.fn_args_utils import FnArgs

    from components import backbone, start
    from trainer import rate_finder
    from trainer.run import read_material
    from trainer.start import KEY

    rows, graph = (artifacts[steps.TRANSFORM.id][name] for name in ("transformed_examples", "transform_graph"))
    begin = start.find(settings.trainer.start_from, workspace.serving_path(settings, place))
    material = read_material(
        FnArgs(
            train_files=[f"{rows}/Split-train/*"],
            eval_files=[f"{rows}/Split-eval/*"],
            transform_graph_path=graph,
            base_model=_teacher(settings, artifacts),
            custom_config={
                "trainer": backbone.found(settings.trainer, place.backbones).to_json(),
                "problem": settings.problem.to_json(),
                **({KEY: begin.to_json()} if begin else {}),
            },
        )
    )
    loop = importlib.import_module(f"trainer.{settings.trainer.loop}")
    return rate_finder.find(material, loop.train, options.first, options.last, options.steps)


def _teacher(settings: "PipelineConfig", artifacts: dict[str, dict[str, str]]) -> str | None:
    """The folder of the model that the last run's learnt from. Raises ConfigError where there is none."""
    if not settings.trainer.step.HAS_TEACHER:
        return None
    from tfx.utils import path_utils

    try:
        return path_utils.serving_model_path(artifacts[steps.TEACHER.id]["model"])
    except KeyError:
        raise ConfigError("Expected a run with this `trainer.step`, which finds its teacher. Received: none. Run it first.") from None


def _lines(sweep: "Sweep", picture: Path, encoding: str) -> list[str]:
    """What a person reads."""
    end = f"the loss diverged at {sweep.rates[-1]:.2g}" if sweep.diverged else "the loss did not diverge"
    every = max(1, len(sweep.rates) // _SHOWN)
    shown = sorted({*range(0, len(sweep.rates), every), sweep.rates.index(sweep.suggestion)})
    low, high = (limit(filter(math.isfinite, sweep.smoothed)) for limit in (min, max))
    bar = "█" if encoding.lower().startswith("utf") else "#"
    rows = [
        f"{sweep.rates[at]:>13.2e}  {sweep.smoothed[at]:>10.4f}  {bar * round(1 + 29 * _share(sweep.smoothed[at], low, high))}"
        + ("  <- suggested" if sweep.rates[at] == sweep.suggestion else "")
        for at in shown
    ]
    return [
        f"{len(sweep.rates)} learning rates, a step each; {end}.",
        "learning rate    smoothed loss",
        *rows,
        f"Picture: {picture}",
        f"Suggested for the config: trainer.learning_rate: {sweep.suggestion:.1e}",
    ]


def _share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low and math.isfinite(value) else 1.0


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        whole_file.write(file, text)
    except OSError as error:
        raise ConfigError(f"Expected '{file}' to be a file that can be written. Received: {error.strerror}. Give another --root.") from None
