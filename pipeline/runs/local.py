"""Runs the pipeline on this machine, shows one line a component, and says what came of it.

hold the root -> silence the libraries -> launch node by node -> read the gate's verdict and the pushed version back
"""

import contextlib
import datetime
import os
import sys
import time
import traceback
from pathlib import Path
from typing import TextIO

from rich.console import Console

from components.example_gen import download, raw_files, remote_files
from pipeline import interruption, lock_watch, places, reviewed_schema
from pipeline.config import PipelineConfig
from pipeline.runs import last_run, record
from pipeline.runs.progress import EPOCHS_VARIABLE, START, Progress
from pipeline.runs.quiet import output_hidden, output_to_log
from pipeline.runs.summary import Summary, print_summary
from pipeline.workspace import Workspace, serving_path
from trainer.cause import one_line, origin
from trainer.errors import AnomaliesError, ConfigError, TapelineError


def run(config: PipelineConfig, root: Path, verbose: bool = False, as_json: bool = False) -> Summary:
    """Runs `config` with everything it writes below `root`.

    Raises:
      ConfigError: before anything is run: the data is not there, or the root or the folder of the versions cannot be written.
    """
    began, started = datetime.datetime.now().astimezone(), time.monotonic()
    workspace = Workspace(root)
    places.check_root(workspace)
    if config.pusher.base_path:
        places.check_base_path(serving_path(config, workspace), "pusher.base_path")
    reviewed_schema.check_place(config)
    config = _with_data(config)
    with output_hidden() if remote_files.is_remote(config.data.path) else contextlib.nullcontext():  # TensorFlow reads gs://, and talks
        fingerprint = raw_files.fingerprint(config.data)
    with workspace.use() as log, output_to_log(log, verbose) as (out, err):
        terminal = err if as_json else out
        schema = reviewed_schema.for_run(config, workspace)
        key = last_run.key(config, workspace, fingerprint, schema)

        def keep(summary: Summary) -> None:
            summary.seconds = round(time.monotonic() - started, 1)
            summary.log = str(log)
            kept = record.of(config, workspace, fingerprint, began, summary, os.environ)
            is_new = record.write(workspace, kept) and not summary.answered_from
            if is_new and last_run.key(config, workspace, fingerprint, schema) == key:  # else the code was edited while it ran
                last_run.remember(workspace, key, kept)

        summary = _recalled(workspace, key, terminal)
        if summary is None:
            try:
                places.check_metadata(workspace.metadata)
                places.check_writable(serving_path(config, workspace), "pusher.base_path" if config.pusher.base_path else "--root")
            except ConfigError as error:
                keep(Summary(reasons=[str(error)], usage_error=True))
                raise
            summary = _run(config, workspace, fingerprint, schema, terminal)
        interruption.hold()
        keep(summary)
        try:
            print_summary(Console(file=terminal, highlight=False), summary, config.name)
        except Exception:  # noqa: BLE001 - what has been done is done, whether it can be shown or not
            traceback.print_exc()  # into the log
            terminal.write(f"{summary.outcome}: {summary.model_dir or summary.reasons}\n")
    return summary


def _with_data(config: PipelineConfig) -> PipelineConfig:
    """`config` with `data.path`, after the download that it asks for where none is given."""
    if config.data.path or not config.data.download:
        return config
    path = str(download.fetch(config.data.download))
    return config.model_copy(update={"data": config.data.model_copy(update={"path": path})})


def _recalled(workspace: Workspace, key: str, terminal: TextIO) -> Summary | None:
    """The last run's summary, shown as cached, where nothing has changed since."""
    summary = last_run.recall(workspace, key)
    if summary:
        sys.stderr.write("Nothing has changed since the last run.\n")  # into the log
        with Progress(terminal, workspace.temporary) as progress:
            for component in summary.components:
                progress.start(component["name"])
                progress.finish("cached", component["rows"], refused=summary.is_refused_by(component["name"]))
    return summary


def _run(config: PipelineConfig, workspace: Workspace, fingerprint: str, schema: str | None, terminal: TextIO) -> Summary:
    os.environ[EPOCHS_VARIABLE] = str(workspace.epochs)
    summary = Summary()
    with Progress(terminal, workspace.epochs) as progress:
        try:
            progress.start(START)
            from pipeline.runs import pipeline_run  # imports TFX and TensorFlow, which takes seconds

            progress.finish("run")
            with lock_watch.watching(workspace.metadata, terminal):
                pipeline_run.run(config, workspace, fingerprint, schema, progress, summary)
            summary.components = progress.components()
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - whatever a component raises ends as one line
            traceback.print_exc()  # into the log
            signal_status = interruption.exit_status(error)
            if signal_status and summary.is_decided:  # it came too late to interrupt anything
                progress.end()
                summary.components = progress.components()
                return summary
            progress.fail()
            first = origin(error)
            summary.outcome = "anomalies" if isinstance(first, AnomaliesError) else "failed"
            summary.usage_error = isinstance(first, ConfigError)
            summary.signal_status = signal_status
            if signal_status:
                error = KeyboardInterrupt()
            summary.reasons = [_reason(error, progress.lines[-1].name, str(workspace.root))]
            summary.components = progress.components()
    return summary


def _reason(error: BaseException, component: str, root: str) -> str:
    """The failure in one line; errors of the project's own say everything themselves."""
    if isinstance(error, KeyboardInterrupt):
        return f"{component} was interrupted. Run the same command again: finished components are taken from the cache."
    return one_line(error) if isinstance(origin(error), TapelineError) else f"{component}: {one_line(error, root)}"
