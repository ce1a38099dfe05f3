"""What a step's log says: what is wrong with the data, the gate's verdict, the pushed version, why it failed.

`pipeline.kubeflow.step` writes those lines. Beside them a log holds what KFP's launcher and Argo say; the last line of all is usually
theirs.
"""

import re
from typing import Any

from trainer import json_text

_LAUNCHER = r"[IWEF]\d{4} \d\d:\d\d:\d\d"  # glog
_NOT_THE_STEPS = re.compile(_LAUNCHER + r"""|time="|\{"(level|time|msg)"|Error: exit status \d+$""")  # the rest is Argo's
_EXIT_STATUS = re.compile(_LAUNCHER + r".*exit status (\d+)")  # Argo's own line has the launcher's status, not the step's


def verdict(log: str) -> dict[str, Any] | None:
    """The Evaluator's `verdict: {"metrics": ..., "bounds": ...}`, None where it is not there."""
    return _json_line(log, "verdict: ")


def pushed(log: str) -> dict[str, Any] | None:
    """The Pusher's `pushed: {"version": ..., "destination": ...}`; no version where the gate refused."""
    return _json_line(log, "pushed: ")


def anomalies(log: str) -> dict[str, Any] | None:
    """The data gate's `anomalies: {"reasons": [a line each], "anomalies": [...], "shifts": [...]}` where it stopped the run, else None."""
    return _json_line(log, "anomalies: ")


def last_line(log: str) -> str:
    """The last line that is the step's own, which is how a step that fails ends; empty where there is none."""
    own = [line.strip() for line in log.splitlines() if line.strip() and not _NOT_THE_STEPS.match(line.strip())]
    return own[-1] if own else ""


def exit_status(log: str) -> int | None:
    """The step's exit status, as the launcher tells it; None where it does not."""
    found = [_EXIT_STATUS.match(line.strip()) for line in log.splitlines()]
    return next((int(status[1]) for status in reversed(found) if status), None)


def _json_line(log: str, start: str) -> dict[str, Any] | None:
    for line in reversed(log.splitlines()):
        if line.startswith(start):
            try:
                value = json_text.loads(line.removeprefix(start))
            except ValueError:  # two processes wrote into one line
                continue
            return value if isinstance(value, dict) else None
    return None
