"""Runs the pipeline on this machine, shows one line a component, and says what came of it.

hold the root -> has an earlier run's record the answer? -> else a worker launches node by node, and what it tells is shown -> the record

Nothing of the caller's process changes: several may run at once, in threads of one process, each in a root of its own.
"""

import contextlib
import datetime
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console

from components.example_gen import download, raw_files
from pipeline import accepted_data, interruption, lock_watch, places, reviewed_schema, steps
from pipeline.config import PipelineConfig
from pipeline.runs import last_run, record, worker_process
from pipeline.runs.parallel_coordinates import svg
from pipeline.runs.progress import EPOCHS_VARIABLE, START, Progress
from pipeline.runs.quiet import log_of
from pipeline.runs.summary import Summary, print_summary, sample
from pipeline.runs.worker import interrupted
from pipeline.workspace import Held, Workspace, serving_path
from trainer.cause import one_line
from trainer.errors import ConfigError


def run(
    config: PipelineConfig,
    root: Path,
    verbose: bool = False,
    as_json: bool = False,
    settled: Callable[[], None] = lambda: None,
    until: str | None = None,
) -> Summary:
    """Runs `config` with everything it writes below `root`.

    Args:
      config: what to run.
      root: the folder; nobody else may run in it meanwhile.
      verbose: show the log on stderr, too.
      as_json: keep stdout free; progress goes to stderr.
      settled: called as soon as the outcome is clear, from when on nothing is left to interrupt.
      until: the id of the last step, where not all are wanted.

    Raises:
      ConfigError: before anything is run: the data is not there, or the root or the folder of the versions cannot be written.
    """
    began, started = datetime.datetime.now().astimezone(), time.monotonic()
    terminal = sys.stderr if as_json else sys.stdout
    workspace = Workspace(root)
    places.check_root(workspace)
    if config.pusher.base_path:
        places.check_base_path(serving_path(config, workspace), "pusher.base_path")
    reviewed_schema.check_place(config)
    config = _with_data(config)
    fingerprint = raw_files.fingerprint(config.data, workspace.fingerprints)
    with workspace.use() as held:
        schema = reviewed_schema.for_run(config, workspace)
        key = last_run.key(config, workspace, fingerprint, schema)

        def keep(summary: Summary) -> None:
            summary.seconds = round(time.monotonic() - started, 1)
            summary.log = str(held.log)
            gated = summary.artifacts.get(steps.DATA_GATE.id)
            if gated and summary.outcome == "pushed" and not summary.answered_from:
                with contextlib.suppress(OSError):  # a full disk must not make a pushed run a failed one
                    accepted_data.remember(workspace, fingerprint, workspace.place(gated["found"]))
            kept = record.of(config, workspace, fingerprint, began, summary, os.environ)
            if summary.tuning:
                with contextlib.suppress(OSError):  # the record has all that it shows
                    workspace.record(kept.run).parent.mkdir(exist_ok=True)
                    title = f"{config.name}: {len(summary.tuning.trials)} trials"
                    workspace.record(kept.run).with_suffix(".svg").write_text(svg(summary.tuning, title), encoding="utf-8")
            if not record.write(workspace, kept):
                summary.notes = [*summary.notes, f"the run's record could not be written to '{workspace.record(kept.run)}'"]
            elif not summary.answered_from and last_run.key(config, workspace, fingerprint, schema) == key:  # else the code was edited
                last_run.remember(workspace, key, kept)

        try:
            # Who the teacher is, and what weights there are to start from or to build on, only the run itself finds out.
            looks_up = config.trainer.step.HAS_TEACHER or config.trainer.start_from or config.trainer.backbone
            summary = None if until or looks_up else _recalled(workspace, key, held.log, terminal)
            if summary:
                settled()
            else:
                places.check_metadata(workspace.metadata)
                places.check_writable(serving_path(config, workspace), "pusher.base_path" if config.pusher.base_path else "--root")
                summary = _run(config, workspace, fingerprint, schema, held, verbose, terminal, settled, until)
        except (ConfigError, KeyboardInterrupt) as error:  # before anything was run
            status = interruption.exit_status(error)
            keep(Summary(reasons=[interrupted(START) if status else str(error)], usage_error=not status, signal_status=status))
            raise
        keep(summary)
        try:
            console, following = Console(file=terminal, highlight=False), _following(summary, workspace)
            print_summary(console, summary, config.name, following, sample(config.problem))
        except Exception:  # noqa: BLE001 - what has been done is done, whether it can be shown or not
            _note(held.log, traceback.format_exc())
            with contextlib.suppress(OSError, UnicodeError):
                terminal.write(f"{summary.outcome}: {summary.model_dir or summary.reasons}\n")
    return summary


def _following(summary: Summary, workspace: Workspace) -> list[str] | None:
    """What to look at and to type next after a search; what is said of a push is the same for all."""
    if summary.outcome != "tuned":
        return None
    picture = workspace.record(Path(summary.log or "").stem).with_suffix(".svg")
    return [
        f"Picture: {picture}",
        "`tapeline run` of this config trains with these settings. Or write them into it and remove `tuner`.",
    ]


def _with_data(config: PipelineConfig) -> PipelineConfig:
    """`config` with `data.path`, after the download that it asks for where none is given."""
    if config.data.path or not config.data.download:
        return config
    path = str(download.fetch(config.data.download))
    return config.model_copy(update={"data": config.data.model_copy(update={"path": path})})


def _recalled(workspace: Workspace, key: str, log: Path, terminal: TextIO) -> Summary | None:
    """The last run's summary, shown as cached, where nothing has changed since."""
    summary = last_run.recall(workspace, key)
    if summary:
        _note(log, "Nothing has changed since the last run.\n")
        with Progress(terminal, workspace.epochs) as progress:
            for component in summary.components:
                progress.start(component["name"])
                progress.finish("cached", component["rows"], refused=summary.is_refused_by(component["name"]))
    return summary


def _run(
    config: PipelineConfig,
    workspace: Workspace,
    fingerprint: str,
    schema: str | None,
    held: Held,
    verbose: bool,
    terminal: TextIO,
    settled: Callable[[], None],
    until: str | None,
) -> Summary:
    job = {
        "config": config.model_dump(mode="json", by_alias=True),
        "root": str(workspace.root),
        "data_fingerprint": fingerprint,
        "schema_file": schema,
        "until": until,
    }
    environ = {**os.environ, "TMPDIR": str(workspace.temporary), EPOCHS_VARIABLE: str(workspace.epochs)}
    heard = _Heard()
    sys.stdout.flush()
    sys.stderr.flush()
    with Progress(terminal, workspace.epochs) as progress:
        progress.start(START)
        try:
            with lock_watch.watching(workspace.metadata, terminal), log_of(held.log, sys.stderr.fileno() if verbose else None) as log:
                end = worker_process.run(job, heard.by(progress), log, environ, held.lock, settled)
        except OSError as error:  # no process could be started
            settled()
            heard.summary.reasons = [f"{START}: {one_line(error, str(workspace.root))}"]
        else:
            if not heard.is_outcome:
                _tell_of_lost(heard.summary, end, progress)
        (progress.end if heard.summary.is_decided else progress.fail)()
    heard.summary.components = progress.components()
    return heard.summary


class _Heard:
    """What the worker has told so far.

    Attributes:
      summary: what it has found.
      is_outcome: whether it has told how it ended.
    """

    def __init__(self) -> None:
        self.summary, self.is_outcome = Summary(), False

    def by(self, progress: Progress) -> Callable[[list[Any]], None]:
        """What to call with each event, which `progress` shows."""

        def hear(event: list[Any]) -> None:
            what, *of, found = event
            self.summary = Summary.from_values(found)
            self.is_outcome = what == "outcome"
            with contextlib.suppress(Exception):  # what cannot be shown ends no run
                match what, of:
                    case "start", [name]:
                        progress.start(name)
                    case "finish", [state, rows, refused]:
                        progress.finish(state, rows, refused=refused)
                    case "end", []:
                        progress.end()
                    case "fail", []:
                        progress.fail()

        return hear


def _tell_of_lost(summary: Summary, end: worker_process.End, progress: Progress) -> None:
    """Fills in `summary` for a worker that was ended before it could tell how; a push that it had told of stays one."""
    if summary.is_decided:
        return
    component = progress.lines[-1].name
    summary.signal_status = interruption.exit_status(end.interruption) if end.interruption else None
    summary.reasons = [
        interrupted(component)
        if end.interruption
        else f"{component}: Expected the run's process to end by itself. Received: {end}. "
        "Run the same command again: finished components are taken from the cache."
    ]


def _note(log: Path, text: str) -> None:
    """Adds to the log, which may be on a full disk."""
    with contextlib.suppress(OSError), log.open("a", encoding="utf-8") as file:
        file.write(text)
