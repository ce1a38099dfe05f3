"""The schema that a person has reviewed: how the inferred one becomes it, and how a run takes it in."""

import hashlib
import shutil
from pathlib import Path

from pipeline.config import PipelineConfig
from pipeline.workspace import Workspace
from trainer import json_text
from trainer.errors import ConfigError


def accept(config: PipelineConfig, workspace: Workspace) -> Path:
    """Copies the schema that the last run inferred to `schema.path`, and returns where that is.

    Raises:
      ConfigError: no `schema.path`, a file is there already, or no run has inferred a schema yet.
    """
    if not config.schema_.path:
        raise ConfigError(
            "Expected `schema.path` to say where the reviewed schema goes. Received: none. Add it to the config, or --set schema.path=FILE."
        )
    target = Path(config.schema_.path)
    if target.exists():
        raise ConfigError(
            f"Expected no reviewed schema yet. Received: '{target}'. Edit that file, or move it away and run again to infer a new one."
        )
    inferred = _inferred(workspace)
    if inferred is None:
        raise ConfigError(
            f"Expected a run that has inferred a schema in '{workspace.root}'. Received: none. "
            "Run `tapeline run` first, or name its --root."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(inferred, target)
    return target


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
    file = Path(config.schema_.path or "")
    if not file.is_file():
        return
    from tensorflow_metadata.proto.v0 import schema_pb2

    from serving import text_proto

    try:
        text_proto.parse(file.read_text(encoding="utf-8"), schema_pb2.Schema())
    except ValueError as error:  # no UTF-8 included
        reason = str(error).rstrip(".")
        raise ConfigError(
            f"Expected `schema.path` to name a schema, a Schema proto as text. Received: '{file}': {reason}. "
            "Mend that line, or move the file away and run again to infer a schema."
        ) from None


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
