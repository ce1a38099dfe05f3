"""What KFP keeps of a run in ML Metadata, in one JSON file: artifacts by number, and the executions that its cache may answer from.

Values come back as KFP gives them back: every number a double, a boolean a number, a list inside a struct.
"""

import json
from pathlib import Path
from typing import Any

import pydantic
from typing_extensions import TypedDict  # typing's own is not enough for pydantic below Python 3.12

from components.contents import Contents, is_whole, of
from pipeline.kubeflow.package import PackageError
from serving import whole_file

_SESSION = '{"Provider":"file","Params":{}}'  # KFP notes here how to open the bucket


class _Artifact(TypedDict):
    uri: str
    contents: Contents | None  # None where there was nothing, which a step may put out too
    metadata: dict[str, Any]


class _Execution(TypedDict):
    artifacts: dict[str, str]
    parameters: dict[str, Any]


class _State(TypedDict):
    artifacts: dict[str, _Artifact]
    executions: dict[str, _Execution]


_STATE = pydantic.TypeAdapter(_State)


class ArtifactStore:
    """The store in one file; every change is written at once, whole or not at all. A file that cannot be read is an empty store.

    URIs below the file's folder are kept from there on, so that the folder may be moved.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        state = _read(path)
        self._artifacts, self._executions = state["artifacts"], state["executions"]

    def record(self, output: str, artifact: dict[str, Any]) -> str:
        """Keeps an artifact that a step gave as `output`, and returns its name, which is a number. Raises PackageError."""
        number = str(len(self._artifacts) + 1)
        metadata = {key: _round_trip(output, key, value) for key, value in artifact.get("metadata", {}).items()}
        self._artifacts[number] = {
            "uri": self._stored(artifact["uri"]),
            "contents": of(artifact["uri"]),
            "metadata": {"display_name": output, "store_session_info": _SESSION, **metadata},
        }
        self._write()
        return number

    def artifact(self, name: str) -> dict[str, Any]:
        """URI and metadata of an artifact."""
        kept = self._artifacts[name]
        return {"uri": self._place(kept), "metadata": kept["metadata"]}

    def cached(self, fingerprint: str) -> dict[str, Any] | None:
        """Outputs of an execution with that fingerprint; None also where somebody has removed files of theirs since."""
        execution = self._executions.get(fingerprint)
        kept = [self._artifacts.get(name) for name in execution["artifacts"].values()] if execution else []
        return execution if all(artifact and self._is_whole(artifact) for artifact in kept) else None

    def remember(self, fingerprint: str, outputs: dict[str, Any]) -> None:
        """Keeps what an execution gave: names of artifacts and values of parameters."""
        self._executions[fingerprint] = outputs
        self._write()

    def _is_whole(self, artifact: _Artifact) -> bool:
        return is_whole(self._place(artifact), artifact["contents"])

    def _stored(self, uri: str) -> str:
        root = self._path.parent
        return str(Path(uri).relative_to(root)) if Path(uri).is_relative_to(root) else uri

    def _place(self, artifact: _Artifact) -> str:
        uri = artifact["uri"]
        return uri if "://" in uri else str(self._path.parent / uri)

    def _write(self) -> None:
        whole_file.write(self._path, json.dumps({"artifacts": self._artifacts, "executions": self._executions}, indent=1))


def _read(path: Path) -> _State:
    try:
        return _STATE.validate_json(path.read_bytes())
    except (OSError, ValueError):  # none yet, or a broken one: every step runs again, which costs time and nothing else
        return {"artifacts": {}, "executions": {}}


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
