"""SIGTERM and SIGINT: before the server answers they end the process at once, afterwards they ask for an orderly end."""

import signal
import sys
import threading
from types import FrameType


class Shutdown:
    """Takes over both signals when it is made, in the main thread."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._serving = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    def serving(self) -> None:
        """From now on there may be requests in flight."""
        self._serving = True

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self._serving:
            sys.exit(0)
        self.asked.set()
