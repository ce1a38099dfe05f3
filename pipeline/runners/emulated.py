"""Shows a package's emulated run as a local one is shown: a line a step, the gate's table, what became of the model.

package -> parameters that this machine can serve -> the emulator, observed -> summary, exit status
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from components.bound import Bound
from pipeline import interruption
from pipeline.kubeflow import emulator, launcher, load_package, run_parameters
from pipeline.kubeflow.package import Package, PackageError
from pipeline.runners.local import EPOCHS_VARIABLE
from pipeline.runners.progress import Progress
from pipeline.runners.summary import Summary, print_summary
from pipeline.workspace import Workspace
from trainer.errors import AnomaliesError, ConfigError

_LOCAL_PARAMETERS = {"pipeline_root": "artifacts", "serving_base_path": "serving"}


def run(
    path: Path, root: Path | None, given: dict[str, Any], kfp: str, image: str | None, *, use_cache: bool = True, as_json: bool = False
) -> Summary:
    """Runs the package in the file `path`.

    Args:
      path: what `tapeline compile` wrote.
      root: everything is written below it; runs/NAME-kubeflow if None.
      given: parameters by name, over the package's defaults.
      kfp: which Kubeflow Pipelines to be, of `driver.KFP_VERSIONS`.
      image: run the steps in this image through Docker; None for subprocesses.
      use_cache: answer steps as KFP's cache would.
      as_json: keep stdout for the summary.

    Raises:
      ConfigError: KFP would refuse the package or the parameters, or they cannot be used here.
    """
    started = time.monotonic()
    compiled = load_package.load(path)
    workspace = Workspace(root or Path("runs") / f"{compiled.name}-kubeflow")
    parameters = run_parameters.root_parameters(compiled, given)
    notes = [*compiled.warnings, *_settle(parameters, given, workspace)]
    err = Console(file=sys.stderr, highlight=False, soft_wrap=True)
    for note in notes:
        err.print(f"[yellow]Note:[/] {note}", markup=True)
    out = sys.stderr if as_json else sys.stdout
    summary = Summary()
    with workspace.use():
        _run(compiled, workspace, parameters, kfp, image, use_cache, out, summary)
    summary.seconds = round(time.monotonic() - started, 1)
    print_summary(Console(file=out, highlight=False), summary, compiled.name)
    return summary


def _settle(parameters: dict[str, Any], given: dict[str, Any], workspace: Workspace) -> list[str]:
    """Puts places of the cloud, where nobody gave others, below the root, and says so."""
    notes = []
    for name, folder in _LOCAL_PARAMETERS.items():
        value = parameters.get(name, "")
        if name in given and "://" in str(value):
            raise ConfigError(f"Expected {name} to be a folder of this machine. Received: '{value}'. Leave it out for one below --root.")
        if "://" in str(value) or not value:
            place = str(workspace.root / folder)
            if name in parameters:
                notes.append(f"{name} is {place} here, and {value} on the cluster")
                parameters[name] = place
        else:
            parameters[name] = str(Path(value).expanduser().absolute())
    return notes


def _run(
    compiled: Package,
    workspace: Workspace,
    parameters: dict[str, Any],
    kfp: str,
    image: str | None,
    use_cache: bool,
    out: Any,
    summary: Summary,
) -> None:
    epochs = workspace.temporary / "epochs.jsonl"
    os.environ[EPOCHS_VARIABLE] = str(epochs)
    pipeline_root = parameters.get("pipeline_root") or str(workspace.artifacts)
    mounts = _mounts(parameters, pipeline_root, workspace) if image else {}
    machine = emulator.Emulator(compiled, workspace.root, kfp, image, mounts, use_cache)
    with Progress(out, epochs) as progress:
        observer = _Observer(progress, summary)
        try:
            summary.log = str(machine.run(parameters, pipeline_root, observer))
        except (launcher.StepError, PackageError, KeyboardInterrupt) as error:
            progress.fail()
            name = progress.lines[-1].name if progress.lines else "the run"
            summary.outcome = "failed"
            summary.reasons = [
                str(error) or f"{name} was interrupted. Run the same command again: finished steps are taken from the cache."
            ]
            summary.signal_status = interruption.exit_status(error)
            if isinstance(error, launcher.StepError):
                summary.log = str(error.log)
                summary.outcome = "anomalies" if error.status == AnomaliesError.exit_status else "failed"
                summary.usage_error = error.status == ConfigError.exit_status
        summary.components = progress.components()


def _mounts(parameters: dict[str, Any], pipeline_root: str, workspace: Workspace) -> dict[str, bool]:
    """What a container may see: its artifacts and the served versions to write, the raw data to read."""
    if not os.getuid():
        os.umask(0)  # the image's user is another one, and must write into what root makes for it
    mounts = {}
    for folder in (pipeline_root, parameters.get("serving_base_path", ""), str(workspace.temporary)):
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            if not os.getuid():
                Path(folder).chmod(0o777)  # the image's user is another one
            mounts[folder] = True
    data = parameters.get("data_path", "")
    if data and Path(data).exists():
        mounts[data] = False
    return mounts


class _Observer:
    """Turns steps into lines, and what they put out into the summary."""

    def __init__(self, progress: Progress, summary: Summary) -> None:
        self._progress, self._summary = progress, summary
        self._rows: dict[str, int] = {}

    def started(self, task: str) -> None:
        self._progress.start(task)

    def finished(self, task: str, state: str, outputs: dict[str, dict[str, Any]]) -> None:
        for artifact in outputs.values():
            self._read(artifact["metadata"])
        self._progress.finish(state, sum(self._rows.values()) if task == "ImageExampleGen" and self._rows else None)

    def _read(self, metadata: dict[str, Any]) -> None:
        self._rows |= {name: int(value) for name, value in metadata.items() if name.startswith("rows_")}
        if "verdict" in metadata:
            verdict = json.loads(metadata["verdict"])
            self._summary.metrics = verdict["metrics"]
            self._summary.bounds = [Bound(**bound) for bound in verdict["bounds"]]
            self._summary.reasons = [bound.reason for bound in self._summary.bounds if not bound.passed]
        if "pushed" in metadata:
            self._summary.outcome = "pushed" if metadata["pushed"] else "refused"
            self._summary.version = metadata.get("pushed_version")
            self._summary.model_dir = metadata.get("pushed_destination")
