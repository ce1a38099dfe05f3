"""SIGINT, SIGTERM and SIGHUP: the first ends the command in order, by an exception; the second ends the process at once."""

import os
import signal
from typing import NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """One of the signals has come; whatever handles Ctrl-C handles it."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_status = 128 + number


def exit_status(error: KeyboardInterrupt) -> int:
    """The status of a process that `error` ends: 130 after Ctrl-C, 143 after SIGTERM."""
    return error.exit_status if isinstance(error, Interrupted) else 128 + signal.SIGINT


def raise_on_signals() -> None:
    """Makes the signals exceptions in the main thread; one that is ignored, as under `nohup`, stays so."""
    seen: list[int] = []

    def first(number: int, _: object) -> NoReturn:
        if seen:  # something hangs while it is put in order; no lock is taken here, for whoever is interrupted may hold it
            os._exit(128 + number)
        seen.append(number)
        raise Interrupted(number)

    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, first)
