"""Shows a package's emulated run as a local one is shown: a line a step, the gate's table, what became of the model.

package -> parameters that this machine can serve -> the emulator, observed -> summary, exit status
"""

import contextlib
import json
import os
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from components.data_found import read_found
from components.gate_verdict import Verdict, read_verdict
from pipeline import interruption, places, steps
from pipeline.kubeflow import emulator, launcher, load_package, package_parameters, run_parameters, step_log
from pipeline.kubeflow.package import Package, PackageError
from pipeline.kubeflow.prepare import fingerprint_of
from pipeline.plain import print_line
from pipeline.runs.progress import EPOCHS_VARIABLE, Progress
from pipeline.runs.summary import Summary, print_summary, sample
from pipeline.workspace import Workspace
from trainer import exported
from trainer.errors import AnomaliesError, ConfigError

_LOCAL_PARAMETERS = {"pipeline_root": "artifacts", "serving_base_path": "serving"}


def run(
    path: Path, root: Path | None, texts: dict[str, str], kfp: str, image: str | None, *, use_cache: bool = True, as_json: bool = False
) -> Summary:
    """Runs the package in the file `path`.

    Args:
      path: what `tapeline compile` wrote.
      root: everything is written below it; runs/NAME-kubeflow if None.
      texts: parameters by name, as they were given, over the package's defaults.
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
    places.check_root(workspace)
    given = run_parameters.typed(compiled, texts)
    parameters = run_parameters.over_defaults(compiled, given)
    places.check_buckets(parameters)
    notes = [*compiled.warnings, *_settle(parameters, given, workspace)]
    if image:
        _check_writable_places(parameters, given, workspace)
    if given.get("data_path") and "data_fingerprint" in parameters and "data_fingerprint" not in given:
        parameters["data_fingerprint"], more = fingerprint_of(compiled, str(parameters["data_path"]))  # as `submit` does
        notes += more
    err = Console(file=sys.stderr, highlight=False, soft_wrap=True)
    for note in notes:
        print_line(err, f" {note}", "Note:", "yellow")
    out = sys.stderr if as_json else sys.stdout
    summary = Summary()
    with workspace.use():
        _check_permissions(parameters, compiled.name)
        _run(compiled, workspace, parameters, kfp, image, use_cache, out, summary)
        interruption.hold()
    summary.seconds = round(time.monotonic() - started, 1)
    print_summary(Console(file=out, highlight=False), summary, compiled.name, asked=sample(package_parameters.problem(compiled)))
    return summary


def _settle(parameters: dict[str, Any], given: dict[str, Any], workspace: Workspace) -> list[str]:
    """Puts places of the cloud, where nobody gave others, below the root, and says so; a place that was given counts from here.

    A step has a working directory of its own.
    """
    notes = []
    if given.get("data_path") and "://" not in str(given["data_path"]):
        parameters["data_path"] = str(Path(str(given["data_path"])).expanduser().absolute())
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
    places.check_name(str(parameters.get("pipeline_root", "")), "pipeline_root")
    if "serving_base_path" in given:
        places.check_base_path(str(parameters["serving_base_path"]), "serving_base_path")
    return notes


def _check_writable_places(parameters: dict[str, Any], given: dict[str, Any], workspace: Workspace) -> None:
    """A container writes below the root, or where the person says: a package must not open a folder of this machine to it."""
    for name in _LOCAL_PARAMETERS:
        place = parameters.get(name)
        if place and name not in given and not Path(place).resolve().is_relative_to(workspace.root.resolve()):
            raise ConfigError(
                f"Expected {name} below --root with --image. Received: '{place}', from the package. "
                f"If the image may write there, say so: -p {name}={shlex.quote(place)}."
            )


def _check_permissions(parameters: dict[str, Any], name: str) -> None:
    """Raises ConfigError where a step could not write its artifacts or, after the training, the version of the pipeline `name`."""
    for parameter, folder in (("pipeline_root", ""), ("serving_base_path", f"/{name}")):
        if parameters.get(parameter):
            places.check_writable(f"{parameters[parameter]}{folder}", parameter)


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
    os.environ[EPOCHS_VARIABLE] = str(workspace.epochs)
    pipeline_root = parameters.get("pipeline_root") or str(workspace.artifacts)
    mounts = _mounts(parameters, pipeline_root, workspace) if image else {}
    machine = emulator.Emulator(compiled, workspace.root, kfp, image, mounts, use_cache)
    with Progress(out, workspace.epochs) as progress:
        observer = _Observer(progress, summary)
        try:
            with _open_to_everybody() if mounts and not os.getuid() else contextlib.nullcontext():
                summary.log = str(machine.run(parameters, pipeline_root, observer))
        except (launcher.StepError, PackageError, KeyboardInterrupt) as error:
            if isinstance(error, KeyboardInterrupt) and summary.is_decided:  # it came too late to interrupt anything
                progress.end()
                summary.components = progress.components()
                return
            progress.fail()
            name = progress.lines[-1].name if progress.lines else "the run"
            summary.outcome = "failed"
            summary.reasons = [
                str(error) or f"{name} was interrupted. Run the same command again: finished steps are taken from the cache."
            ]
            summary.signal_status = interruption.exit_status(error)
            if isinstance(error, launcher.StepError):
                summary.log = str(error.log)
                summary.usage_error = error.status == ConfigError.exit_status
                if error.status == AnomaliesError.exit_status:
                    summary.stop(step_log.anomalies(error.log.read_text(encoding="utf-8", errors="replace")) or {})
        summary.components = progress.components()


def _mounts(parameters: dict[str, Any], pipeline_root: str, workspace: Workspace) -> dict[str, bool]:
    """What a container may see: its artifacts and the served versions to write, the raw data to read."""
    mounts = {}
    for folder in (pipeline_root, parameters.get("serving_base_path", ""), str(workspace.temporary)):
        if folder:
            _open_to_image(Path(folder), workspace)
            mounts[folder] = True
    data = parameters.get("data_path", "")
    if data and Path(data).exists():
        mounts[data] = False
    return mounts


@contextlib.contextmanager
def _open_to_everybody() -> Iterator[None]:
    """What root makes meanwhile the image's user, who is another one, may write into."""
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


def _open_to_image(folder: Path, workspace: Workspace) -> None:
    """Makes the folder, and for root, whose image runs as another user, lets everybody write to it: if it is new, or the run's own."""
    is_ours = not folder.exists() or folder.resolve().is_relative_to(workspace.root.resolve())
    folder.mkdir(parents=True, exist_ok=True)
    if is_ours and not os.getuid():
        folder.chmod(0o777)


class _Observer:
    """Turns steps into lines, and what they put out into the summary."""

    def __init__(self, progress: Progress, summary: Summary) -> None:
        self._progress, self._summary = progress, summary
        self._rows: dict[str, int] = {}

    def started(self, task: str) -> None:
        self._progress.start(task)

    def finished(self, task: str, state: str, outputs: dict[str, dict[str, Any]]) -> None:
        if "blessing" in outputs:
            self._take_verdict(outputs["blessing"])
        if "found" in outputs:
            with contextlib.suppress(FileNotFoundError):  # the cache's answer, from before there was the file
                self._summary.warn(*read_found(outputs["found"]["uri"]))
        if task == steps.TRAINER.id and "model" in outputs:
            model = outputs["model"]["uri"]
            self._summary.convert(exported.read(model), f"{model}/{exported.FOLDER}")
        for artifact in outputs.values():
            self._read(artifact["metadata"])
        self._progress.finish(state, self._rows_for(task), refused=self._summary.is_refused_by(task))

    def _rows_for(self, task: str) -> int | None:
        splits = steps.BY_ID[task].splits if task in steps.BY_ID and self._rows else ()
        return sum(self._rows.get(f"rows_{name}", 0) for name in splits) if splits else None

    def _take_verdict(self, blessing: dict[str, Any]) -> None:
        try:
            self._summary.take(read_verdict(blessing["uri"]))
        except FileNotFoundError:  # the cache's answer, from before there was the file
            if "verdict" in blessing["metadata"]:
                self._summary.take(Verdict.from_json(blessing["metadata"]["verdict"]))

    def _read(self, metadata: dict[str, Any]) -> None:
        self._summary.notes += json.loads(metadata.get("notes", "[]"))
        self._rows |= {name: int(value) for name, value in metadata.items() if name.startswith("rows_")}
        if "pushed" in metadata:
            self._summary.version = metadata.get("pushed_version")
            self._summary.model_dir = metadata.get("pushed_destination")
            self._summary.outcome = "pushed" if metadata["pushed"] else "refused"  # last: a signal may come in between
