"""What becomes of a version: its state as GetModelStatus tells it, and the events that the operator reads."""

import enum
from dataclasses import dataclass


class State(enum.IntEnum):
    """ModelVersionStatus.State of TensorFlow Serving's API."""

    UNKNOWN = 0
    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(frozen=True)
class VersionStatus:
    """What GetModelStatus says of one version; `error_message` is empty unless loading failed (then `error_code` is not OK)."""

    version: int
    state: State
    error_code: str = "OK"
    error_message: str = ""


@dataclass(frozen=True)
class Event:
    """Something the operator wants to read.

    A version is `available`, `failed` to load, was `unloaded`, or its warm-up file had a problem (`warmup`); `message` has the reason.
    """

    kind: str
    model: str
    version: int
    message: str = ""
