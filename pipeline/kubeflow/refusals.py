"""Why KFP would refuse a package whose documents parse: names that do not resolve, inputs that nobody gives, executors it cannot run."""

import re
from typing import Any

from pipeline.kubeflow.package import Package, PackageError
from trainer.errors import did_you_mean

# A task's name becomes that of an Argo task and part of a path.
_TASK_NAME = re.compile(r"[A-Za-z]([A-Za-z0-9-]*[A-Za-z0-9])?")
_LARGEST_ARGUMENT = 128 * 1024  # Linux's bound on one argument of a command


def check(package: Package) -> None:
    """Raises PackageError for the first thing that KFP would refuse."""
    _check_names(package)
    for task in package.tasks:
        _check_inputs(package, task)
        _check_container(package, task)


def dropped(package: Package) -> list[str]:
    """What KFP leaves out without a word."""
    executors = package.spec["deploymentSpec"]["executors"]
    said = [
        f"platform: '{label}' names no executor, so KFP drops what it says.{did_you_mean(label, executors)}"
        for label in package.platform
        if label not in executors
    ]
    for label, executor in executors.items():
        if "lifecycle" in executor.get("container", {}):
            said.append(f"{label}: its lifecycle.preCacheCheck never runs on KFP")
    return said


def _check_names(package: Package) -> None:
    executors, components = package.spec.get("deploymentSpec", {}).get("executors", {}), package.spec.get("components", {})
    for name, task in package.tasks.items():
        if not _TASK_NAME.fullmatch(name):
            raise PackageError(
                f"task name '{name}' is invalid: name must consist of alpha-numeric characters or '-', and must start with a letter"
            )
        reference = task.get("componentRef", {}).get("name", "")
        if not reference:
            raise PackageError(f'error processing component name="root": component ref name is empty for task name="{name}"')
        if reference not in components:
            raise PackageError(
                f'error processing component name="root": cannot find component ref name="{reference}" for task name="{name}" in component '
                f'name="root".{did_you_mean(reference, components)}'
            )
        where = f'error processing component name="{reference}"'
        label = components[reference].get("executorLabel", "")
        if not label:
            raise PackageError(
                f"{where}: nested DAGs are not emulated; KFP runs them"
                if "dag" in components[reference]
                else f"{where}: unknown component implementation"
            )
        if label not in executors:
            raise PackageError(f'{where}: executor(label="{label}") not found in deployment config.{did_you_mean(label, executors)}')
        if "container" not in executors[label]:
            more = " (resolver executors not implemented)" if "resolver" in executors[label] else ""
            raise PackageError(f'{where}: executor(label="{label}"): non-container and non-importer executor not implemented{more}')


def _check_inputs(package: Package, task: str) -> None:
    """Every input comes from somewhere that gives it, and is one that the component has."""
    definitions = package.component(task).get("inputDefinitions", {})
    inputs = package.tasks[task].get("inputs", {})
    for needed in package.tasks[task].get("dependentTasks", []):
        _check_producer(package, task, needed)
    for kind in ("artifacts", "parameters"):
        for name, entry in inputs.get(kind, {}).items():
            if name not in definitions.get(kind, {}):
                raise PackageError(
                    f"task {task}: input {kind[:-1]} {name!r} is not one of its component's.{did_you_mean(name, definitions.get(kind, {}))}"
                )
            _check_source(package, task, name, kind, entry)
        for name, definition in definitions.get(kind, {}).items():
            if name not in inputs.get(kind, {}) and not definition.get("isOptional") and "defaultValue" not in definition:
                what = (
                    "neither value nor default value provided for non-optional parameter"
                    if kind == "parameters"
                    else "no producer for artifact"
                )
                raise PackageError(f'task {task}: failed to resolve inputs: {what} "{name}"')
    for name, definition in definitions.get("artifacts", {}).items():
        _check_type(task, name, definition)
    for name, definition in package.component(task).get("outputDefinitions", {}).get("artifacts", {}).items():
        _check_type(task, name, definition)
    for name, definition in definitions.get("parameters", {}).items():
        if definition.get("parameterType", "PARAMETER_TYPE_ENUM_UNSPECIFIED") == "PARAMETER_TYPE_ENUM_UNSPECIFIED":
            raise PackageError(f"task {task}: input parameter {name} has unspecified type")


def _check_type(task: str, name: str, definition: dict[str, Any]) -> None:
    kind = definition.get("artifactType", {})
    if not (kind.get("schemaTitle") or kind.get("instanceSchema")):
        raise PackageError(f'task {task}: failed to determine schema for "{name}": unknown type in ArtifactTypeSchema')


def _check_producer(package: Package, task: str, producer: str) -> None:
    if producer not in package.tasks:
        raise PackageError(
            f'compiling DAG "root": failed to add implicit deps: unknown producer task "{producer}" in DAG, of task "{task}".'
            f"{did_you_mean(producer, package.tasks)}"
        )


def _check_source(package: Package, task: str, name: str, kind: str, entry: dict[str, Any]) -> None:
    for key, field, outputs in (
        ("taskOutputArtifact", "outputArtifactKey", "artifacts"),
        ("taskOutputParameter", "outputParameterKey", "parameters"),
    ):
        if key in entry:
            producer, output = entry[key].get("producerTask", ""), entry[key].get(field, "")
            _check_producer(package, task, producer)
            known = package.component(producer).get("outputDefinitions", {}).get(outputs, {})
            if output not in known:
                raise PackageError(
                    f"task {task}: failed to resolve input {name!r}: cannot find output {output!r} in the outputs of {producer}."
                    f"{did_you_mean(output, known)}"
                )
            return
    if kind == "parameters":
        parent = entry.get("componentInputParameter")
        if parent is not None and parent not in package.parameters:
            raise PackageError(f"task {task}: parent DAG does not have input parameter {parent}.{did_you_mean(parent, package.parameters)}")
        if parent is None and "constant" not in entry.get("runtimeValue", {}) and "taskFinalStatus" not in entry:
            raise PackageError(f"task {task}: resolving input parameter {name}: parameter spec of this kind is not implemented yet")
        return
    raise PackageError(f"task {task}: input artifact {name!r}: artifact spec of this kind is not implemented yet")


def _check_container(package: Package, task: str) -> None:
    container = package.container(task)
    if not container.get("image"):
        raise PackageError(f"task {task}: container image is empty")
    command = [*container.get("command", []), *container.get("args", [])]
    if not command:
        raise PackageError(f"task {task}: failed to create component launcher v2: command and arguments are empty")
    longest = max(len(argument.encode()) for argument in command)
    if longest > _LARGEST_ARGUMENT:
        raise PackageError(f"task {task}: argument list too long: one argument is {longest:,} bytes, of at most {_LARGEST_ARGUMENT:,}")
    accelerator = container.get("resources", {}).get("accelerator", {})
    if accelerator.get("type") and not accelerator.get("count") and not accelerator.get("resourceCount"):
        raise PackageError(f"task {task}: accelerator {accelerator['type']} without a count: KFP would drop it without a word")
