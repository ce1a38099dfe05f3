"""The event loop in which both ports answer, in a thread of its own: the main thread waits for signals and loads models."""

import asyncio
import sys
import threading
from collections.abc import Coroutine
from typing import Any

# Where threads read large requests the loop waits for its turn that long, several times for one answer. Python's own 5 ms would be
# tens of milliseconds for everybody else's answers.
_SWITCH_SECONDS = 0.0005


class EventLoop:
    """Runs from when it is made until `stop`."""

    def __init__(self) -> None:
        sys.setswitchinterval(_SWITCH_SECONDS)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="event-loop", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, Any], timeout: float | None = None) -> Any:
        """What the coroutine returns or raises, from another thread. Raises TimeoutError after so many seconds."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout)

    def stop(self) -> None:
        """Ends the loop; what still runs in it is left where it is."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
