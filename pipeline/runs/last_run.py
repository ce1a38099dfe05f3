"""Which record answers an unchanged second run, without loading TensorFlow: that of the last finished run.

TFX's own cache would give the same answer, component by component, after seconds of imports.
"""

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import json
import os
from pathlib import Path

import pydantic

from components.contents import Contents, is_whole, of
from pipeline.code_digest import project_digest
from pipeline.config import PipelineConfig
from pipeline.pushed_models import is_newest
from pipeline.runs import record
from pipeline.runs.record import COMPUTING_PACKAGES, RunRecord
from pipeline.runs.summary import Summary
from pipeline.workspace import Workspace, serving_path
from serving import whole_file
from trainer import environment


@dataclasses.dataclass
class _Pointer:
    """What the file holds: the run's key, which record is its, and what its outputs and the pushed version held, by path."""

    key: str
    record: str
    outputs: dict[str, Contents | None]


_POINTER = pydantic.TypeAdapter(_Pointer)


def key(config: PipelineConfig, workspace: Workspace, data_fingerprint: str, schema_file: str | None) -> str:
    """A digest of everything a run depends on: settings, data, reviewed schema, the project's own code, TensorFlow's flags, the libraries.

    `schema_file` is this run's copy of the reviewed schema, which nobody edits.
    """
    parts = [
        config.to_json(),
        serving_path(config, workspace),
        data_fingerprint,
        Path(schema_file).read_bytes().hex() if schema_file else "",
        project_digest(),
        environment.named(os.environ),
        *(importlib.metadata.version(package) for package in COMPUTING_PACKAGES),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def recall(workspace: Workspace, wanted: str) -> Summary | None:
    """The last run's summary with every component cached, if that run was `wanted` and all it put out is still there."""
    try:
        pointer = _POINTER.validate_json(workspace.last_run.read_bytes())
        if pointer.key != wanted:
            return None
        summary = record.read(workspace, pointer.record).summary(workspace)
    except (OSError, ValueError):  # no record, or a broken one, which the next finished run replaces
        return None
    if not summary.is_decided:
        return None
    there = all(is_whole(path, contents) for path, contents in pointer.outputs.items())
    served = summary.model_dir is None or is_newest(summary.model_dir)
    summary.components = [{**component, "seconds": 0.0, "cached": True} for component in summary.components]
    return summary if there and served else None


def remember(workspace: Workspace, key_of_run: str, kept: RunRecord) -> None:
    """Lets a finished run's record answer the next; a run that has failed or met anomalies is not one."""
    if kept.outcome not in ("pushed", "refused"):
        return
    outputs = [path for paths in kept.artifacts.values() for path in paths.values()]
    places = [workspace.place(path) for path in (*outputs, *([kept.pushed.model_dir] if kept.pushed else []))]
    pointer = _Pointer(key_of_run, kept.run, {place: of(place) for place in places if "://" not in place})
    with contextlib.suppress(OSError):  # only a cache: a full disk must not make a pushed run a failed one
        whole_file.write(workspace.last_run, _POINTER.dump_json(pointer).decode())
