"""The record of the last finished run, which answers an unchanged second one without loading TensorFlow.

TFX's own cache would give the same answer, component by component, after seconds of imports.
"""

import dataclasses
import hashlib
import importlib.metadata
import json
from pathlib import Path

from components.bound import Bound
from pipeline.code_digest import project_digest
from pipeline.config import PipelineConfig
from pipeline.runners.summary import Summary
from pipeline.workspace import Workspace, serving_path

_FINISHED = ("pushed", "refused")
_PACKAGES = ("tfx", "tensorflow", "keras", "tensorflow-transform", "tensorflow-model-analysis")


def key(config: PipelineConfig, workspace: Workspace, data_fingerprint: str) -> str:
    """A digest of everything a run depends on: settings, data, reviewed schema, the project's own code, the libraries' versions."""
    schema = Path(config.schema_.path) if config.schema_.path else None
    parts = [
        config.to_json(),
        serving_path(config, workspace),
        data_fingerprint,
        schema.read_text() if schema and schema.is_file() else "",
        project_digest(),
        *(importlib.metadata.version(package) for package in _PACKAGES),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def recall(workspace: Workspace, wanted: str) -> Summary | None:
    """The last run's summary with every component cached, if that run was `wanted` and all it put out is still there."""
    try:
        record = json.loads(workspace.last_run.read_text())
        summary = Summary(**record["summary"])
    except (OSError, ValueError, KeyError, TypeError):  # no record, or one of another version of the project
        return None
    outputs = [*record["outputs"], *([summary.model_dir] if summary.model_dir else [])]
    if record["key"] != wanted or not all("://" in path or Path(path).exists() for path in outputs):
        return None
    summary.bounds = [Bound(**bound) for bound in record["summary"]["bounds"]]
    summary.components = [{**component, "seconds": 0.0, "cached": True} for component in summary.components]
    return summary


def remember(workspace: Workspace, key_of_run: str, summary: Summary, outputs: list[str]) -> None:
    """Keeps a finished run's summary; a run that has failed or met anomalies is not kept."""
    if summary.outcome not in _FINISHED:
        return
    record = {"key": key_of_run, "summary": dataclasses.asdict(summary), "outputs": outputs}
    unfinished = workspace.last_run.with_suffix(".new")
    unfinished.write_text(json.dumps(record))
    unfinished.replace(workspace.last_run)  # never half-written
