"""SIGTERM and SIGINT: before the server answers they end the process at once, afterwards they ask for an orderly end.

    signal -> C's handler writes its number to a socket -> wait() reads it in the main thread -> `asked`

A handler runs between any two instructions of the main thread, also of another handler. What takes a lock there may wait for itself for
ever, and an exception there may come up where it is swallowed. So the handler does neither.
"""

import os
import signal
import socket
import threading
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Shutdown:
    """Takes over both signals when it is made, in the main thread. `asked` is set once `wait` has returned."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._serving = False
        # The C handler writes here whichever thread the signal reaches: the main thread, blocked in a lock, might never hear of it.
        self._woken, self._wakes = socket.socketpair()
        self._wakes.setblocking(False)
        signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, self._handle)

    def serving(self) -> None:
        """From now on there may be requests in flight."""
        self._serving = True

    def wait(self) -> None:
        """Returns when a signal has asked for the end; called in the main thread."""
        while self._woken.recv(1)[0] not in _SIGNALS:
            pass
        self.asked.set()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self._serving:
            os._exit(0)
