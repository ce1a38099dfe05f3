"""What KFP's driver does before a step: resolves its inputs, decides whether it runs, provides places for its outputs, asks the cache.

Functions from values to values; `outputs` holds, by task, what came of it: names of artifacts and values of parameters.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from pipeline.kubeflow.artifact_store import ArtifactStore
from pipeline.kubeflow.package import Package, PackageError

# The versions that differ in what a step sees.
KFP_VERSIONS = ("2.4", "2.14", "2.17")
_LOGS = "executor-logs"


@dataclass(frozen=True)
class Run:
    """One run: which KFP it is under, its number, where its artifacts go, its parameters."""

    kfp: str
    run_id: str
    pipeline_root: str
    parameters: dict[str, Any]


def resolve_inputs(package: Package, task: str, run: Run, outputs: dict[str, dict[str, Any]], store: ArtifactStore) -> dict[str, Any]:
    """The `inputs` of the ExecutorInput. Raises PackageError."""
    given = package.tasks[task].get("inputs", {})
    values = {name: _parameter(task, entry, run, outputs) for name, entry in given.get("parameters", {}).items()}
    definitions = package.component(task).get("inputDefinitions", {}).get("parameters", {})
    return {
        "parameterValues": {name: _converted(task, name, definitions[name], value) for name, value in values.items() if value is not None},
        "artifacts": {
            name: {"artifacts": [_artifact(entry["taskOutputArtifact"], outputs, store)]}
            for name, entry in given.get("artifacts", {}).items()
        },
    }


def provide_outputs(package: Package, task: str, run: Run, execution: str, output_file: str) -> dict[str, Any]:
    """The `outputs` of the ExecutorInput: a place below the run's root for each artifact, and those that KFP itself adds."""
    definitions = package.component(task).get("outputDefinitions", {})
    # From 2.5 on a retried step does not overwrite what the first try wrote.
    folder = "/".join([run.pipeline_root.rstrip("/"), package.name, run.run_id, task, *([] if run.kfp == "2.4" else [execution])])
    artifacts = {
        name: {"artifacts": [{"type": definition["artifactType"], "uri": f"{folder}/{name}", "metadata": definition.get("metadata", {})}]}
        for name, definition in definitions.get("artifacts", {}).items()
    }
    if run.kfp != "2.4":
        artifacts[_LOGS] = {"artifacts": [{"type": {"schemaTitle": "system.Artifact"}, "uri": f"{folder}/{_LOGS}", "metadata": {}}]}
    parameters = {name: {"outputFile": f"{output_file}.{name}"} for name in definitions.get("parameters", {})}
    return {"artifacts": artifacts, "parameters": parameters, "outputFile": output_file}


def will_trigger(condition: str, inputs: dict[str, Any]) -> bool:
    """Whether a step's condition, a CEL expression over the ExecutorInput, holds. Raises PackageError."""
    if not condition:
        return True
    import cel

    snake = {"parameter_values": inputs["parameterValues"], "artifacts": inputs["artifacts"]}
    try:
        result = cel.evaluate(condition, {"inputs": snake})
    except Exception as error:  # noqa: BLE001 - whatever the expression's fault is
        raise PackageError(f"evaluation error: {error}") from None
    if not isinstance(result, bool):
        raise PackageError(f"evaluation error: return type is not bool, got {result!r}")
    return result


def fingerprint(package: Package, task: str, inputs: dict[str, Any], outputs: dict[str, Any]) -> str:
    """KFP's cache key of a step: names of its input artifacts, its parameters, its outputs without their URIs, image and command.

    The data behind an artifact or a path is no part of it.
    """
    container = package.container(task)
    key = {
        "pipeline": package.name,
        "inputArtifactNames": {name: [artifact["name"] for artifact in entry["artifacts"]] for name, entry in inputs["artifacts"].items()},
        "inputParameterValues": inputs["parameterValues"],
        "outputArtifactsSpec": {
            name: {key: value for key, value in entry["artifacts"][0].items() if key != "uri"}
            for name, entry in outputs["artifacts"].items()
        },
        "outputParametersSpec": sorted(outputs["parameters"]),
        "containerSpec": {"image": container["image"], "cmdArgs": [*container.get("command", []), *container.get("args", [])]},
    }
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()


def _parameter(task: str, entry: dict[str, Any], run: Run, outputs: dict[str, dict[str, Any]]) -> Any:
    if "componentInputParameter" in entry:
        return run.parameters.get(entry["componentInputParameter"])
    if "taskOutputParameter" in entry:
        source = entry["taskOutputParameter"]
        return outputs[source["producerTask"]]["parameters"][source["outputParameterKey"]]
    if "taskFinalStatus" in entry:
        raise PackageError("a task's final status is not emulated")
    constant = entry["runtimeValue"]["constant"]
    if run.kfp == "2.4" or not isinstance(constant, str):
        return constant
    return {"{{$.pipeline_job_uuid}}": run.run_id, "{{$.pipeline_task_name}}": task}.get(constant, constant)


def _converted(task: str, name: str, definition: dict[str, Any], value: Any) -> Any:
    """As KFP converts: everything may be taken as a string, nothing else as anything else; all numbers are doubles."""
    kind = definition["parameterType"]
    if kind == "STRING":
        return value if isinstance(value, str) else json.dumps(value)
    expected = {"NUMBER_INTEGER": (int, float), "NUMBER_DOUBLE": (int, float), "BOOLEAN": (bool,), "LIST": (list,), "STRUCT": (dict,)}[kind]
    if not isinstance(value, expected) or (isinstance(value, bool) and kind != "BOOLEAN"):
        raise PackageError(f'task {task}: input parameter "{name}" type mismatch: expect {kind}, got {type(value).__name__}')
    return float(value) if kind.startswith("NUMBER") else value


def _artifact(source: dict[str, str], outputs: dict[str, dict[str, Any]], store: ArtifactStore) -> dict[str, Any]:
    """An input as KFP passes it on: its name a number, its type empty."""
    name = outputs[source["producerTask"]]["artifacts"][source["outputArtifactKey"]]
    kept = store.artifact(name)
    return {"name": name, "type": {"instanceSchema": ""}, "uri": kept["uri"], "metadata": kept["metadata"]}
