"""SIGTERM, by which a node that is taken away ends its processes: noted while a training goes on, and obeyed when its state is safe."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

from trainer.errors import TapelineError


class Terminated(TapelineError):
    """The training was told to end, and can go on from where it was."""

    exit_status = 128 + signal.SIGTERM


class Termination:
    """Inside, SIGTERM only sets `has_come`. Whoever sees it there calls `obey`; where nobody does, it is obeyed behind it.

    In a thread that is not the main one nothing is noted: Python lets no other handle signals.
    """

    def __init__(self) -> None:
        self.has_come = False
        self._before: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
            self._before = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._give_back()
        if self.has_come and kind is None:
            signal.raise_signal(signal.SIGTERM)

    def obey(self, message: str) -> None:
        """Ends the training as the signal would have ended it: by the handler that was there before, else by `Terminated`."""
        before = self._before
        self._give_back()
        if callable(before):
            signal.raise_signal(signal.SIGTERM)
        raise Terminated(message)

    def _note(self, _: int, __: FrameType | None) -> None:
        self.has_come = True

    def _give_back(self) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
            self._before = None
