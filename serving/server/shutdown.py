"""SIGTERM and SIGINT: before the server answers they end the process at once, afterwards they ask for an orderly end."""

import signal
import socket
import sys
import threading
from types import FrameType


class Shutdown:
    """Takes over both signals when it is made, in the main thread."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._serving = False
        # The C handler writes here whichever thread the signal reaches: the main thread, blocked in a lock, might never hear of it.
        self._woken, self._wakes = socket.socketpair()
        self._wakes.setblocking(False)
        signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    def serving(self) -> None:
        """From now on there may be requests in flight."""
        self._serving = True

    def wait(self) -> None:
        """Returns when a signal has asked for the end; called in the main thread."""
        while not self.asked.is_set():
            self._woken.recv(1)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self._serving:
            sys.exit(0)
        self.asked.set()
