"""Runs a compiled package here as Kubeflow Pipelines would: the driver's and the launcher's work, task by task.

package, parameters -> refused as KFP refuses -> for each task: inputs -> condition -> cache -> its own command -> its outputs
"""

import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pipeline.kubeflow import driver, launcher
from pipeline.kubeflow.artifact_store import ArtifactStore
from pipeline.kubeflow.package import Package, PackageError
from trainer import json_text

_ALWAYS = "ALL_UPSTREAM_TASKS_COMPLETED"


class Observer(Protocol):
    """Told what happens, in order."""

    def started(self, task: str) -> None:
        """A task begins."""

    def finished(self, task: str, state: str, outputs: dict[str, dict[str, Any]]) -> None:
        """It has ended: `run`, `cached` or `skipped`, and its output artifacts."""


@dataclass
class Emulator:
    """One package's runs below one folder.

    Attributes:
      root: FOLDER/metadata.json, FOLDER/pods/ (gone after each task), FOLDER/logs/RUN/TASK.log.
      image: run the steps in this image through Docker; None for subprocesses.
      mounts: folders that the image's containers may see, and write to.
    """

    package: Package
    root: Path
    kfp: str = driver.KFP_VERSIONS[-1]
    image: str | None = None
    mounts: dict[str, bool] = field(default_factory=dict)
    use_cache: bool = True

    def run(self, parameters: dict[str, Any], pipeline_root: str, observer: Observer) -> Path:
        """Runs the package and returns the folder of its logs.

        Raises:
          launcher.StepError: a step failed. PackageError: KFP would have stopped.
        """
        run = driver.Run(self.kfp, str(uuid.uuid4()), pipeline_root, parameters)
        shutil.rmtree(self.root / "pods", ignore_errors=True)  # a killed run's
        store = ArtifactStore(self.root / "metadata.json")
        logs = self.root / "logs" / run.run_id
        outputs: dict[str, dict[str, Any]] = {}
        left_out: set[str] = set()
        failure: Exception | None = None
        for task in self._order():
            always = self.package.tasks[task].get("triggerPolicy", {}).get("strategy") == _ALWAYS
            if failure is not None and not always:
                continue
            if self.package.producers(task) & left_out and not always:
                left_out.add(task)  # Argo omits what comes behind a skipped task
                continue
            observer.started(task)
            try:
                state = self._task(task, run, store, outputs, logs)
            except (launcher.StepError, PackageError) as error:
                failure = failure or error
                continue
            if state == "skipped":
                left_out.add(task)
            kept = outputs.get(task, {}).get("artifacts", {})
            observer.finished(task, state, {name: store.artifact(number) for name, number in kept.items()})
        if failure is not None:
            raise failure
        return logs

    def _order(self) -> Iterator[str]:
        """Exit handlers come last."""
        order = self.package.order()
        strategy = {task: self.package.tasks[task].get("triggerPolicy", {}).get("strategy") for task in order}
        yield from sorted(order, key=lambda task: strategy[task] == _ALWAYS)

    def _task(self, task: str, run: driver.Run, store: ArtifactStore, outputs: dict[str, dict[str, Any]], logs: Path) -> str:
        inputs = driver.resolve_inputs(self.package, task, run, outputs, store)
        if not driver.will_trigger(self.package.tasks[task].get("triggerPolicy", {}).get("condition", ""), inputs):
            return "skipped"
        execution = str(uuid.uuid4())
        pod = launcher.Pod(self.root / "pods" / f"{task}-{execution[:8]}", logs / f"{task}.log", self.image, self.mounts)
        provided = driver.provide_outputs(self.package, task, run, execution, pod.output_file)
        cacheable = self.use_cache and self.package.tasks[task].get("cachingOptions", {}).get("enableCache", False)
        fingerprint = driver.fingerprint(self.package, task, inputs, _without_files(provided))
        cached = store.cached(fingerprint) if cacheable else None
        if cached:
            outputs[task] = cached
            return "cached"
        pod.folder.mkdir(parents=True)
        if self.image:
            pod.folder.chmod(0o777)  # the image's user is another one
        try:
            output = launcher.execute(self.package.container(task), {"inputs": inputs, "outputs": provided}, pod)
            outputs[task] = _publish(self.package, task, provided, output, run, store)
        finally:
            shutil.rmtree(pod.folder, ignore_errors=True)
        if cacheable:
            store.remember(fingerprint, outputs[task])
        return "run"


def _without_files(provided: dict[str, Any]) -> dict[str, Any]:
    return {"artifacts": provided["artifacts"], "parameters": provided["parameters"]}


def _publish(
    package: Package, task: str, provided: dict[str, Any], output: dict[str, Any], run: driver.Run, store: ArtifactStore
) -> dict[str, Any]:
    """Records what the step gave, merged into what it was asked for, as the launcher does. Raises PackageError."""
    artifacts = {}
    for name, entry in provided["artifacts"].items():
        merged = dict(entry["artifacts"][0])
        for given in output.get("artifacts", {}).get(name, {}).get("artifacts", [])[:1]:
            merged["uri"] = given.get("uri") or merged["uri"]
            merged["metadata"] = {**merged.get("metadata", {}), **given.get("metadata", {})}
        if not merged["uri"].startswith(run.pipeline_root.rstrip("/") + "/"):
            raise PackageError(f'task {task}: failed to upload output artifact "{name}": {merged["uri"]} is not below {run.pipeline_root}')
        artifacts[name] = store.record(name, merged)
    parameters = dict(output.get("parameterValues", {}))
    kinds = package.component(task).get("outputDefinitions", {}).get("parameters", {})
    for name, entry in provided["parameters"].items():
        if name not in parameters:
            parameters[name] = _read_parameter(task, name, kinds[name]["parameterType"], Path(entry["outputFile"]))
    return {"artifacts": artifacts, "parameters": parameters}


def _read_parameter(task: str, name: str, kind: str, file: Path) -> Any:
    try:
        text = file.read_text(encoding="utf-8")
        return text if kind == "STRING" else json_text.loads(text)
    except (OSError, ValueError) as error:
        raise PackageError(f'task {task}: failed to read output parameter name="{name}" type="{kind}": {error}') from None
