"""What a run does in a process of its own, which TFX, Beam and TensorFlow may do with as they like (docs/adr/0035).

the request, a line of stdin -> settle this process -> the run -> a line of JSON to the caller for all that happens

Its stdout and stderr are the run's log. It ends with its caller, however that ends.
"""

import contextlib
import ctypes
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from pipeline import interruption
from pipeline.config import PipelineConfig
from pipeline.runs.progress import START
from pipeline.runs.summary import Summary
from pipeline.workspace import Workspace
from serving.terminal import lenient
from trainer import environment
from trainer.cause import one_line, origin
from trainer.errors import AnomaliesError, ConfigError, TapelineError

Tell = Callable[..., None]  # tell(what happened, of what, ...), in plain values
_PR_SET_PDEATHSIG = 1


def main(request: dict[str, Any]) -> NoReturn:
    """Does `run` with `request["of"]`, and ends the process."""
    _end_with(request["caller"])
    interruption.raise_on_signals(second_ends=False)  # a terminal sends them to the caller too, who passes them on
    for descriptor in request["descriptors"]:  # the caller's ends of them, not for programs that are started here
        os.set_inheritable(descriptor, False)
    sys.stdout, sys.stderr = (lenient(descriptor, "utf-8", closefd=False) for descriptor in (1, 2))  # a log, which may be full
    environment.settle()
    events = os.fdopen(request["descriptors"][0], "w", encoding="utf-8")

    def tell(*event: Any) -> None:
        events.write(f"\n{json.dumps(event)}\n")  # on a line of its own, also where a signal has cut the one before
        events.flush()

    run(tell, **request["of"])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # without the seconds that TensorFlow and Beam take to tear down


def run(tell: Tell, config: dict[str, Any], root: str, data_fingerprint: str, schema_file: str | None, until: str | None) -> None:
    """Runs the pipeline, or its steps up to `until`, in a root that the caller holds.

    It tells what a `Progress` is told: `start`, `finish`, `end` and `fail`, each with the summary so far; then `outcome`, and how it ended.
    """
    workspace, summary = Workspace(root), Summary()
    shown = _Shown(tell, summary)
    try:
        from pipeline.runs import pipeline_run  # imports TFX and TensorFlow, which takes seconds

        shown.finish("run")
        settings = PipelineConfig.from_json(json.dumps(config))
        pipeline_run.run(settings, workspace, data_fingerprint, schema_file, shown, summary, until)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - whatever a component raises ends as one line
        interruption.hold()
        traceback.print_exc()  # into the log
        signal_status = interruption.exit_status(error)
        if signal_status and summary.is_decided:  # it came too late to interrupt anything
            shown.end()
        else:
            first = origin(error)
            summary.outcome = "failed"
            if isinstance(first, AnomaliesError):
                summary.stop({"anomalies": first.anomalies, "shifts": first.shifts})
            summary.usage_error = isinstance(first, ConfigError)
            summary.signal_status = signal_status
            summary.reasons = [interrupted(shown.name)] if signal_status else _reason(error, shown.name, root).splitlines()
            shown.fail()
    interruption.hold()
    tell("outcome", summary.to_values())


def interrupted(component: str) -> str:
    """The line of a run that a signal has ended."""
    return f"{component} was interrupted. Run the same command again: finished components are taken from the cache."


class _Shown:
    """Stands here for the caller's `Progress`."""

    def __init__(self, tell: Tell, summary: Summary) -> None:
        self._tell, self._summary = tell, summary
        self.name = START

    def start(self, name: str) -> None:
        """See Progress."""
        self.name = name
        self._say("start", name)

    def finish(self, state: str, rows: int | None = None, *, refused: bool = False) -> None:
        """See Progress."""
        self._say("finish", state, rows, refused)

    def end(self) -> None:
        """See Progress."""
        self._say("end")

    def fail(self) -> None:
        """See Progress."""
        self._say("fail")

    def _say(self, *event: Any) -> None:
        self._tell(*event, self._summary.to_values())


def _reason(error: BaseException, component: str, root: str) -> str:
    """The failure in one line; errors of the project's own say everything themselves."""
    return one_line(error) if isinstance(origin(error), TapelineError) else f"{component}: {one_line(error, root)}"


def _end_with(caller: int) -> None:
    """Ends this process as soon as the caller's is gone, by `kill -9` too.

    The kernel does it on Linux, also while ml-metadata holds the interpreter's lock; elsewhere the end of stdin, which the caller holds.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != caller:  # it was gone before
            os._exit(1)

    def wait() -> None:
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
