"""KFP's ExecutorInput as TFX wants it, and TFX's ExecutorOutput as KFP wants it: plain JSON in, plain JSON out.

KFP gives inputs without types, outputs that the component does not have, names of storage that TensorFlow cannot open, and parameters
that no executor knows; it fails a step on a null in the metadata.
"""

import copy
import json
from pathlib import Path
from typing import Any

from pipeline.kubeflow import package_parameters
from pipeline.kubeflow.inline_file import unfold

# KFP copies what lies in these to and from a folder of the pod, which is where TFX must look.
_LOCAL_COPIES = {"minio://": "/minio/", "s3://": "/s3/"}
_SYSTEM = "system."  # types of KFP's own, such as the output `executor-logs`
FOUND = "found"  # as components.served_model


def for_tfx(given: dict[str, Any], inputs_spec: dict[str, Any], temporary: Path) -> dict[str, Any]:
    """The ExecutorInput for TFX's entry point.

    Args:
      given: KFP's ExecutorInput.
      inputs_spec: the component's `inputDefinitions`.
      temporary: where files inside the package are unfolded.
    """
    call = copy.deepcopy(given)
    inputs, outputs = call.setdefault("inputs", {}), call.setdefault("outputs", {})
    inputs["artifacts"] = {
        name: {"artifacts": [_readable(_typed(artifact, name, inputs_spec)) for artifact in entry.get("artifacts", [])]}
        for name, entry in inputs.get("artifacts", {}).items()
        if not _is_absent(entry)
    }
    outputs["artifacts"] = {
        name: {"artifacts": [_readable(artifact) for artifact in entry.get("artifacts", [])]}
        for name, entry in outputs.get("artifacts", {}).items()
        if not any(_title(artifact).startswith(_SYSTEM) for artifact in entry.get("artifacts", []))
    }
    bound = package_parameters.bind(inputs.get("parameterValues", {}))
    inputs["parameterValues"] = {name: unfold(value, temporary) for name, value in bound.items() if value is not None}
    return call


def mend_output(output: dict[str, Any], given: dict[str, Any]) -> None:
    """Takes nulls out of the metadata and gives the artifacts the URIs back that KFP knows them by."""
    known = given["outputs"].get("artifacts", {})
    for name, entry in output.get("artifacts", {}).items():
        for artifact, asked in zip(entry.get("artifacts", []), known.get(name, {}).get("artifacts", []), strict=False):
            metadata = artifact.get("metadata", {})
            artifact["metadata"] = {key: value for key, value in metadata.items() if value is not None}
            if artifact.get("uri") == _readable(asked)["uri"]:
                artifact["uri"] = asked["uri"]


def _typed(artifact: dict[str, Any], name: str, inputs_spec: dict[str, Any]) -> dict[str, Any]:
    """`artifact` with its type from the component's definition where KFP has left it empty."""
    kind = artifact.get("type") or {}
    if any(kind.values()):
        return artifact
    definition = inputs_spec.get("artifacts", {}).get(name, {})
    return {**artifact, "type": definition.get("artifactType", {})}


def _readable(artifact: dict[str, Any]) -> dict[str, Any]:
    """`artifact` with a URI that TensorFlow can open."""
    uri = artifact.get("uri", "")
    for scheme, folder in _LOCAL_COPIES.items():
        if uri.startswith(scheme):
            return {**artifact, "uri": folder + uri.removeprefix(scheme)}
    return artifact


def _is_absent(entry: dict[str, Any]) -> bool:
    """Whether this is the note of the ServedModel component that nothing is served yet."""
    metadata = [artifact.get("metadata") or {} for artifact in entry.get("artifacts", [])]
    return any(FOUND in values and not int(values[FOUND]) for values in metadata)


def _title(artifact: dict[str, Any]) -> str:
    kind = artifact.get("type") or {}
    return kind.get("schemaTitle") or _schema_title(kind.get("instanceSchema", ""))


def _schema_title(schema: str) -> str:
    first = next((line for line in schema.splitlines() if line.startswith("title:")), "")
    if not first and schema.lstrip().startswith("{"):
        return str(json.loads(schema).get("title", ""))
    return first.removeprefix("title:").strip()
