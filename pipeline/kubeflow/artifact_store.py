"""What KFP keeps of a run in ML Metadata, in one JSON file: artifacts by number, and the executions that its cache may answer from.

Values come back as KFP gives them back: every number a double, a boolean a number, a list inside a struct.
"""

import json
import os
from pathlib import Path
from typing import Any

from pipeline.kubeflow.package import PackageError

_SESSION = '{"Provider":"file","Params":{}}'  # KFP notes here how to open the bucket


class ArtifactStore:
    """The store in one file; every change is written at once, whole or not at all."""

    def __init__(self, path: Path) -> None:
        self._path = path
        state = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        self._artifacts: dict[str, dict[str, Any]] = state.get("artifacts", {})
        self._executions: dict[str, dict[str, Any]] = state.get("executions", {})

    def record(self, output: str, artifact: dict[str, Any]) -> str:
        """Keeps an artifact that a step gave as `output`, and returns its name, which is a number. Raises PackageError."""
        number = str(len(self._artifacts) + 1)
        metadata = {key: _round_trip(output, key, value) for key, value in artifact.get("metadata", {}).items()}
        self._artifacts[number] = {
            "uri": artifact["uri"],
            "is_there": Path(artifact["uri"]).exists(),
            "metadata": {"display_name": output, "store_session_info": _SESSION, **metadata},
        }
        self._write()
        return number

    def artifact(self, name: str) -> dict[str, Any]:
        """URI and metadata of an artifact."""
        return self._artifacts[name]

    def cached(self, fingerprint: str) -> dict[str, Any] | None:
        """Outputs of an execution with that fingerprint; None also where somebody has removed their files since."""
        execution = self._executions.get(fingerprint)
        kept = [self._artifacts[name] for name in execution["artifacts"].values()] if execution else []
        is_whole = all(Path(artifact["uri"]).exists() for artifact in kept if artifact["is_there"])
        return execution if is_whole else None

    def remember(self, fingerprint: str, outputs: dict[str, Any]) -> None:
        """Keeps what an execution gave: names of artifacts and values of parameters."""
        self._executions[fingerprint] = outputs
        self._write()

    def _write(self) -> None:
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps({"artifacts": self._artifacts, "executions": self._executions}, indent=1))
        os.replace(new, self._path)  # noqa: PTH105 - the atomic one


def _round_trip(output: str, key: str, value: Any) -> Any:
    if value is None:
        raise PackageError(f'unable to produce MLMD artifact for output "{output}": unknown type in metadata field "{key}": null')
    if isinstance(value, bool | int | float):
        return float(value)
    if isinstance(value, list):
        return {"list": value}
    if isinstance(value, dict):
        return {"struct": value}
    return value
