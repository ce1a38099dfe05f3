"""The schema that a person has reviewed: how the inferred one becomes it, and how a run takes it in."""

import hashlib
import shutil
from pathlib import Path

from components.example_gen import split
from pipeline import accepted_data, last_data, schema_file
from pipeline.config import PipelineConfig
from pipeline.workspace import Workspace
from serving import whole_file
from trainer import json_text
from trainer.errors import ConfigError


def accept(config: PipelineConfig, workspace: Workspace, widen: bool = False) -> Path:
    """Writes the schema that the last run inferred to `schema.path`, and returns where that is.

    Numbers of columns get the bounds that `number_bounds` finds, and every feature thresholds for drift and skew. The run's data is what
    later data is compared with from now on.

    Args:
      config: says where the schema goes.
      workspace: the root of the run.
      widen: change the reviewed schema that is there as little as the last run's data need, instead of refusing.

    Raises:
      ConfigError: no `schema.path`, a file is there already, or no run has inferred a schema yet.
    """
    target = schema_file.place(config)
    if target.exists() and not widen:
        raise ConfigError(
            f"Expected no reviewed schema yet. Received: '{target}'. Say what may be with `tapeline schema edit`, or let it take in "
            "the last run's data with `tapeline schema accept --widen`."
        )
    data = last_data.of(workspace)
    if target.exists():
        from google.protobuf import text_format

        from pipeline.schema_diff import widened

        whole_file.write(
            target, text_format.MessageToString(widened(schema_file.read(config), last_data.needed(data, workspace)), as_utf8=True)
        )
    else:
        _accept_inferred(config, workspace, target)
    if data:
        from components.data_gate import describe

        described = describe(data.examples, data.statistics, [split.TRAIN], config.problem)[split.TRAIN]
        accepted_data.keep(workspace, data.fingerprint, described.SerializeToString())
    return target


def _accept_inferred(config: PipelineConfig, workspace: Workspace, target: Path) -> None:
    inferred = _inferred(workspace)
    if inferred is None:
        raise ConfigError(
            f"Expected a run that has inferred a schema in '{workspace.root}'. Received: none. "
            "Run `tapeline run` first, or name its --root."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    statistics = _statistics(workspace, inferred)
    if statistics is None:
        shutil.copyfile(inferred, target)
        return
    from google.protobuf import text_format

    from components import number_bounds
    from components.drift_thresholds import with_thresholds

    schema = schema_file.parsed(inferred.read_text(encoding="utf-8"))
    if config.has_columns:
        described = [number_bounds.Statistics.FromString(file.read_bytes()) for file in statistics.glob("Split-*/FeatureStats.pb")]
        schema = number_bounds.with_bounds(schema, number_bounds.of(described))
    schema = with_thresholds(schema, config.problem.kinds)
    whole_file.write(target, text_format.MessageToString(schema, as_utf8=True))


def _statistics(workspace: Workspace, inferred: Path) -> Path | None:
    """The statistics that the schema `inferred` was made from: the last ones before it; None where they are gone."""
    found = [path for path in workspace.artifacts.glob("StatisticsGen/statistics/*") if path.name.isdecimal()]
    before = [path for path in found if int(path.name) < int(inferred.parent.name)]
    return max(before, key=lambda path: int(path.name), default=None)


def _inferred(workspace: Workspace) -> Path | None:
    """The schema of the last finished run; without a record of one, or where it inferred none, the newest that a run has inferred."""
    found = [path for path in workspace.artifacts.glob("SchemaGen/schema/*/schema.pbtxt") if path.parent.name.isdecimal()]
    every = sorted(found, key=lambda path: int(path.parent.name))
    try:
        outputs = json_text.loads(workspace.last_run.read_text(encoding="utf-8"))["outputs"]
        of_last_run = [path for path in every if str(path.parent) in outputs]
    except (OSError, ValueError, KeyError, TypeError):  # no record, or a broken one
        of_last_run = []
    return next(iter([*of_last_run, *reversed(every)]), None)


def check_place(config: PipelineConfig) -> None:
    """Raises ConfigError where `schema.path` is there and is no file, a folder for instance. Imports nothing heavy."""
    path = Path(config.schema_.path) if config.schema_.path else None
    if path and path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "something that is no file"
        raise ConfigError(
            f"Expected `schema.path` to name a file, or one that is still to be written. Received: '{path}', {what}. "
            f"Did you mean '{path / 'schema.pbtxt'}'?"
        )


def check(config: PipelineConfig) -> None:
    """Raises ConfigError where `schema.path` names a folder, or a file that is no schema."""
    check_place(config)
    if config.schema_.path and Path(config.schema_.path).is_file():
        schema_file.read(config)


def for_run(config: PipelineConfig, workspace: Workspace) -> str | None:
    """The reviewed schema for a run, None to infer one.

    It is a copy under a name made of its content, because TFX's cache compares the name only. Whoever asks what the schema of this run
    is looks at the copy: the file itself may be edited meanwhile.
    """
    if not config.schema_.path or not Path(config.schema_.path).is_file():
        return None
    content = Path(config.schema_.path).read_bytes()
    copy = workspace.schemas / hashlib.sha256(content).hexdigest()[:16] / "schema.pbtxt"
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(content)
    return str(copy)
