"""Shows a run on Kubeflow Pipelines as a local one is shown, as it goes on or once, and ends with the gate's verdict.

run and its nodes -> states of the package's tasks -> a line a task; logs of Evaluator, Pusher and DataGate -> summary, exit status
"""

import contextlib
import functools
import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console

from components.gate_verdict import Verdict
from pipeline import steps
from pipeline.interruption import Told
from pipeline.kubeflow import step_log, task_states
from pipeline.kubeflow.client import ClusterError, KubeflowClient, RefusedError, patiently
from pipeline.kubeflow.package import Package
from pipeline.kubeflow.task_states import TaskState
from pipeline.plain import command, print_line
from pipeline.runs.progress import Progress
from pipeline.runs.summary import Summary, print_summary
from trainer.errors import AnomaliesError, ConfigError, TapelineError

PATIENCE_SECONDS = 15 * 60.0  # how long KFP may be away while a run is followed
_SLOWEST_POLL_SECONDS = 10.0
_NO_EPOCHS = Path(os.devnull)  # the Trainer's are in its pod


def find(client: KubeflowClient, run: str | None, experiment: str | None) -> Any:
    """The run of that ID; None: the last one of the experiment, or of all. Raises ConfigError where there is none."""
    if run:
        return client.run(run)
    place = client.experiment(experiment) if experiment else None
    if experiment and not place:
        raise ConfigError(f"Expected --experiment to name an experiment. Received: '{experiment}', which {client.connection.host} has not.")
    found = client.last_run(place)
    if found is None:
        raise ConfigError(f"Expected a run{f' in the experiment {experiment!r}' if experiment else ''}. Received: none there yet.")
    return client.run(found.run_id)


def package_of(client: KubeflowClient, run: Any) -> Package:
    """The package that a run runs, as KFP keeps it; where that is gone, the tasks that the run's nodes name, in their order."""
    version = run.pipeline_version_reference
    spec = run.pipeline_spec or {}
    spec = spec.get("pipeline_spec", spec)
    if not spec and version and version.pipeline_id and version.pipeline_version_id:
        with contextlib.suppress(RefusedError):  # somebody has deleted it
            spec = client.spec(version.pipeline_id, version.pipeline_version_id)
    if not spec.get("root", {}).get("dag", {}).get("tasks"):
        spec = {"pipelineInfo": {"name": run.display_name}, "root": {"dag": {"tasks": _tasks_of_nodes(_details(run))}}, "components": {}}
    return Package(spec, {}, [])


def follow(client: KubeflowClient, run: str, package: Package, out: TextIO, poll: float) -> Summary:
    """Shows the run until it ends, and what came of it.

    Args:
      client: of the KFP to ask.
      run: its ID.
      package: what it runs.
      out: where lines go.
      poll: seconds between two questions, at first; they grow to ten.

    Raises:
      ClusterError: KFP was away for longer than PATIENCE_SECONDS. Told: Ctrl-C; the run goes on.
    """
    logs: dict[str, str] = {}
    try:
        with Progress(out, _NO_EPOCHS) as progress:
            lines = _Lines(progress, package)
            pause = poll
            while True:
                found = patiently(lambda: client.run(run), poll, PATIENCE_SECONDS)
                states = task_states.of(_details(found), package)
                ended = found.state in task_states.ENDED
                _keep_logs(client, run, states, logs)
                lines.show(states, ended, found.state == "SUCCEEDED", logs)
                if ended:
                    break
                time.sleep(pause)
                pause = min(pause * 1.1, max(poll, _SLOWEST_POLL_SECONDS))
    except KeyboardInterrupt:
        _tell_how_to_go_on(client, run)
        raise Told from None
    except ClusterError as error:
        raise ClusterError(f"{error} The run goes on. Look again: {client.connection.command('status', run, '--follow')}") from None
    return _summarize(client, found, package, states, logs, progress, out)


def look(client: KubeflowClient, found: Any, package: Package, out: TextIO) -> Summary:
    """Shows once how far a run is; of one that has ended also what came of it. Its summary's outcome may be `running`."""
    states = task_states.of(_details(found), package)
    if found.state in task_states.ENDED:
        logs: dict[str, str] = {}
        _keep_logs(client, found.run_id, states, logs)
        with Progress(out, _NO_EPOCHS) as progress:
            _Lines(progress, package).show(states, True, found.state == "SUCCEEDED", logs)
        return _summarize(client, found, package, states, logs, progress, out)
    with Progress(out, _NO_EPOCHS) as progress:
        _Lines(progress, package).show({name: state for name, state in states.items() if state.state != "running"}, True, True, {})
    for name, state in states.items():
        if state.state == "running":
            print_line(_console(out), f"{name} is running, for {_seconds(state.began, None):.0f} s so far.")
    again = client.connection.command("status", found.run_id, "--follow")
    print_line(_console(out), f"The run is {(found.state or 'PENDING').lower()}. Follow it: {again}")
    return Summary(outcome="running", seconds=_duration(found), components=progress.components())


def step_logs(client: KubeflowClient, found: Any, package: Package, step: str | None) -> list[tuple[str, str]]:
    """(step, its log) of one step, or of all that have begun. Raises ConfigError, and ClusterError that says where to look."""
    from trainer.errors import did_you_mean

    states = task_states.of(_details(found), package)
    if step and step not in states:
        near = did_you_mean(step, states)
        raise ConfigError(f"Expected STEP to be one of {', '.join(package.order())}. Received: '{step}'.{near}")
    names = [step] if step else package.order()
    begun = [name for name in names if states[name].pods and states[name].state not in ("cached", "skipped")]
    if not begun:
        why = f"{step} is {states[step].state}: it has no log in this run" if step else "no step of the run has begun"
        raise ConfigError(f"Expected a step that has begun. Received: {why}.")
    found_logs = []
    for name in begun:
        pods = states[name].pods
        try:
            found_logs.append((name, client.log(found.run_id, pods)))
        except TapelineError as error:
            if step:
                raise ClusterError(f"KFP gives no log of {step}: {error}. Look there: {_kubectl(client, pods)}") from None
            found_logs.append((name, f"(no log: {error}. Look there: {_kubectl(client, pods)})\n"))
    return found_logs


class _Lines:
    """Feeds `Progress`, which knows one component at a time, in the package's order."""

    def __init__(self, progress: Progress, package: Package) -> None:
        self._progress = progress
        self._left = package.order()
        self._under_way: str | None = None

    def show(self, states: dict[str, TaskState], run_ended: bool, run_succeeded: bool, logs: dict[str, str]) -> None:
        """Shows what is new; when the run has ended, tasks that still run were cut off, and others will not begin."""
        while self._left:
            name = self._left[0]
            state = states.get(name, TaskState())
            if state.state == "pending" or (state.was_left_out and not run_succeeded):
                if not run_ended and state.state == "pending":
                    return
                self._left.pop(0)
                continue
            if self._under_way != name:
                self._progress.start(name)
                self._under_way = name
            # Steps run side by side there, and were begun before they were seen.
            self._progress.lines[-1].started = time.monotonic() - _seconds(state.began, state.ended)
            if state.state == "running" and not run_ended:
                return
            push = step_log.pushed(logs.get(steps.PUSHER.id, "")) if name == steps.PUSHER.id else None
            refused = push is not None and not push.get("version")
            self._progress.finish("failed" if state.state == "running" else state.state, refused=refused)
            self._left.pop(0)


def _summarize(
    client: KubeflowClient,
    found: Any,
    package: Package,
    states: dict[str, TaskState],
    logs: dict[str, str],
    progress: Progress,
    out: TextIO,
) -> Summary:
    summary = Summary(seconds=_duration(found), components=progress.components())
    said = step_log.verdict(logs.get(steps.EVALUATOR.id, ""))
    if said:
        summary.take(Verdict.from_values(said))
    finish: Callable[..., None] = _finish_succeeded if found.state == "SUCCEEDED" else _finish_failed
    finish(client, found, package, states, logs, summary)
    following = [f"Next:   {command('release', 'promote', summary.version)}"] if summary.version else []
    print_summary(_console(out), summary, package.name, following)
    return summary


def _finish_succeeded(
    client: KubeflowClient, found: Any, package: Package, states: dict[str, TaskState], logs: dict[str, str], summary: Summary
) -> None:
    """Pushed or refused, as the Pusher says; without its log as the Evaluator's bounds say; else unknown."""
    push = step_log.pushed(logs.get(steps.PUSHER.id, ""))
    refused = summary.reasons
    if push and push.get("version"):
        summary.outcome, summary.version, summary.model_dir = "pushed", str(push["version"]), push.get("destination")
    elif push or refused:
        summary.outcome = "refused"
        summary.reasons = refused or [
            f"the gate did not bless the model. Why: {client.connection.command('logs', found.run_id, steps.EVALUATOR.id)}"
        ]
    else:
        pods = states.get(steps.PUSHER.id, TaskState()).pods
        where = f"Look there: {_kubectl(client, pods)}" if pods else f"It has no step {steps.PUSHER.id} with a log."
        passed = " Every bound of the gate was passed." if summary.bounds else ""
        summary.reasons = [f"the run succeeded, but KFP does not give the log that says whether a version was pushed.{passed} {where}"]


def _finish_failed(
    client: KubeflowClient, found: Any, package: Package, states: dict[str, TaskState], logs: dict[str, str], summary: Summary
) -> None:
    """Why the first step that failed did, in its log's words; anomalies where that was the data's gate."""
    failed = next((name for name in package.order() if states[name].state == "failed"), None)
    if found.state == "CANCELED":
        summary.reasons = [f"the run was canceled{f', in {failed}' if failed else ''}"]
        return
    if failed is None:
        summary.reasons = [f"the run is {found.state}: {_run_error(found) or 'KFP does not say why'}"]
        return
    pods = states[failed].pods
    try:
        log = patiently(lambda: client.log(found.run_id, pods), 1.0, 5.0)
        status, said = step_log.exit_status(log), step_log.last_line(log)
        reason = said or "its log is empty"
    except TapelineError as error:
        status, said, log = None, "", ""
        reason = f"{_run_error(found) or 'KFP gives no log'} ({error}). Look there: {_kubectl(client, pods)}"
    if failed == steps.DATA_GATE.id and not states[failed].driver_failed and status in (None, AnomaliesError.exit_status):
        summary.reasons = [said or f"{failed}: {reason}"]
        summary.stop(step_log.anomalies(log) or {})
    else:
        summary.reasons = [f"{failed}: {reason}"]
    summary.usage_error = status == ConfigError.exit_status
    summary.log = client.connection.command("logs", found.run_id, failed)


def _keep_logs(client: KubeflowClient, run: str, states: dict[str, TaskState], logs: dict[str, str]) -> None:
    """The logs that say what came of the run, as soon as they are whole: a pod may be gone later."""
    for name in (steps.EVALUATOR.id, steps.PUSHER.id):
        state = states.get(name, TaskState())
        if name not in logs and state.state == "run" and state.pods:
            try:
                logs[name] = patiently(functools.partial(client.log, run, state.pods), 1.0, 5.0)
            except TapelineError:  # the summary says that it is not known, and where to look
                logs[name] = ""


def _details(found: Any) -> list[Any]:
    return (found.run_details.task_details if found.run_details else None) or []


def _tasks_of_nodes(details: list[Any]) -> dict[str, Any]:
    """Tasks, one behind the other, for the drivers that ran."""
    drivers = sorted((node for node in details if (node.display_name or "").endswith("-driver")), key=lambda node: str(node.start_time))
    names = [name for node in drivers if (name := node.display_name.removesuffix("-driver")) != "root"]
    return {name: {"dependentTasks": names[max(place - 1, 0) : place]} for place, name in enumerate(names)}


def _seconds(began: datetime | None, ended: datetime | None) -> float:
    """How long; till now where it has not ended, and 0 where the clocks differ by more than that."""
    return max((_aware(ended or datetime.now(UTC)) - _aware(began)) / timedelta(seconds=1), 0.0) if began else 0.0


def _duration(found: Any) -> float:
    finished = found.finished_at if found.finished_at and found.finished_at.year > 1970 else None
    return round(_seconds(found.created_at, finished), 1)


def _aware(time_: datetime) -> datetime:
    return time_ if time_.tzinfo else time_.replace(tzinfo=UTC)


def _run_error(found: Any) -> str:
    return " ".join((found.error.message if found.error and found.error.message else "").split())


def _kubectl(client: KubeflowClient, pods: Sequence[str]) -> str:
    if not pods:
        return "the run's page"
    return shlex.join(["kubectl", "logs", "-n", client.connection.namespace or "kubeflow", pods[0], "-c", "main"])


def _tell_how_to_go_on(client: KubeflowClient, run: str) -> None:
    err = _console(sys.stderr)
    print_line(err, "The run goes on; only the following of it has ended.")
    print_line(err, f"Look again: {client.connection.command('status', run, '--follow')}")
    print_line(err, f"End it:     {client.connection.command('terminate', run)}")


def _console(out: TextIO) -> Console:
    return Console(file=out, highlight=False)
