"""SIGINT, SIGTERM and SIGHUP: the first ends the command in order, by an exception; the second ends the process at once.

signal -> `Interrupted` in the main thread -> lost in a callback? raised again a moment later -> swallowed? `check` raises it
after `hold` -> nothing, for what is left is to say what has been done
"""

import os
import signal
import sys
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_AGAIN_SECONDS = 0.05
_came: list[int] = []  # no lock, for whoever is interrupted may hold it
_held: list[bool] = []


class Interrupted(KeyboardInterrupt):
    """One of the signals has come; whatever handles Ctrl-C handles it."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_status = 128 + number


class Told(KeyboardInterrupt):
    """An interruption of which the command has said itself what became of its work."""


def exit_status(error: BaseException) -> int | None:
    """130 after Ctrl-C, 143 after SIGTERM, None where `error` has nothing to do with a signal.

    TensorFlow makes errors of its own of an exception that comes up in its callbacks: after a signal every error counts.
    """
    if isinstance(error, Interrupted):
        return error.exit_status
    if _came or isinstance(error, KeyboardInterrupt):
        return 128 + (_came[0] if _came else signal.SIGINT)
    return None


def check() -> None:
    """Raises Interrupted where a signal has come and somebody has swallowed the exception."""
    if _came:
        raise Interrupted(_came[0])


def hold() -> None:
    """From here on the first signal interrupts nothing: the command only has to say what came of its work. A second one ends it."""
    _held.append(True)


def raise_on_signals(*, second_ends: bool = True) -> None:
    """Makes the signals exceptions in the main thread; one that is ignored, as under `nohup`, stays so.

    `second_ends`: whether a second one ends this process. Not where the first may come twice: from the terminal, and from a parent process
    that passes it on.
    """

    def first(number: int, _: object) -> None:
        if _came and not second_ends:
            return
        if _came:  # something hangs while it is put in order
            os._exit(128 + number)
        _came.append(number)
        if not _held:
            raise Interrupted(number)

    def again(_: int, __: object) -> None:
        if not _held:
            raise Interrupted(_came[0])

    def not_raised(lost: Any) -> None:
        """Python drops what is raised in a weak reference's callback or a destructor, and Keras's loops have plenty of both."""
        if isinstance(lost.exc_value, Interrupted):
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
        else:
            sys.__unraisablehook__(lost)

    sys.unraisablehook = not_raised
    signal.signal(signal.SIGALRM, again)
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, first)
