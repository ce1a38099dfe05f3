"""The schema that a person has reviewed: how the inferred one becomes it, and how a run takes it in."""

import hashlib
import shutil
from pathlib import Path

from pipeline.config import PipelineConfig
from pipeline.workspace import Workspace
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
    inferred = sorted(workspace.artifacts.glob("SchemaGen/schema/*/schema.pbtxt"), key=lambda path: int(path.parent.name))
    if not inferred:
        raise ConfigError(
            f"Expected a run that has inferred a schema in '{workspace.root}'. Received: none. "
            "Run `tapeline run` first, or name its --root."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(inferred[-1], target)
    return target


def for_run(config: PipelineConfig, workspace: Workspace) -> str | None:
    """The reviewed schema for a run, None to infer one.

    It is a copy under a name made of its content, because TFX's cache compares the name only.
    """
    if not config.schema_.path or not Path(config.schema_.path).is_file():
        return None
    reviewed = Path(config.schema_.path)
    copy = workspace.schemas / hashlib.sha256(reviewed.read_bytes()).hexdigest()[:16] / "schema.pbtxt"
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(reviewed, copy)
    return str(copy)
