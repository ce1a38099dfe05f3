"""Runs the pipeline on this machine, shows one line a component, and says what came of it.

hold the root -> silence the libraries -> launch node by node -> read the gate's verdict and the pushed version back
"""

import os
import time
import traceback
from pathlib import Path
from typing import TextIO

from rich.console import Console

from components.example_gen import source
from pipeline.config import PipelineConfig
from pipeline.runners.progress import Progress
from pipeline.runners.quiet import output_to_log
from pipeline.runners.summary import Summary, print_summary
from pipeline.workspace import Workspace
from trainer.errors import AnomaliesError, TapelineError

EPOCHS_VARIABLE = "TAPELINE_PROGRESS"


def run(config: PipelineConfig, root: Path, verbose: bool = False, as_json: bool = False) -> Summary:
    """Runs `config` with everything it writes below `root`.

    Raises:
      ConfigError: before anything is run: the data is not there, or the root cannot be written.
    """
    started = time.monotonic()
    workspace = Workspace(root)
    with workspace.use() as log:
        fingerprint = source.fingerprint(config.data)
        with output_to_log(log, verbose) as (out, err):
            terminal = err if as_json else out
            summary = _run(config, workspace, fingerprint, terminal)
            summary.seconds = round(time.monotonic() - started, 1)
            summary.log = str(log)
            print_summary(Console(file=terminal, highlight=False), summary, config.name)
    return summary


def _run(config: PipelineConfig, workspace: Workspace, fingerprint: str, terminal: TextIO) -> Summary:
    epochs = workspace.temporary / "epochs.jsonl"
    os.environ[EPOCHS_VARIABLE] = str(epochs)
    summary = Summary()
    with Progress(terminal, epochs) as progress:
        try:
            progress.start("start")
            from pipeline.runners import pipeline_run  # imports TFX and TensorFlow, which takes seconds

            progress.finish("run")
            pipeline_run.run(config, workspace, fingerprint, progress, summary)
        except (Exception, KeyboardInterrupt) as error:  # whatever a component raises ends as one line and an exit status
            traceback.print_exc()  # into the log
            progress.fail()
            summary.outcome = "anomalies" if isinstance(error, AnomaliesError) else "failed"
            summary.reasons = [_one_line(error, progress.lines[-1].name)]
    summary.components = [{"name": line.name, "seconds": round(line.seconds, 2), "cached": line.state == "cached"} for line in progress.lines]
    return summary


def _one_line(error: BaseException, component: str) -> str:
    """The failure in one line; errors of the project's own say everything themselves."""
    if isinstance(error, TapelineError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return f"{component} was interrupted. Run the same command again: finished components are taken from the cache."
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or ["no message"]
    return f"{component}: {type(error).__name__}: {lines[-1]}"
