"""The door of both ports: open while the server serves; once it is closed new requests are refused, and those inside are waited for.

gRPC's own `stop` refuses a request that arrives in that very moment as CANCELLED; here it is UNAVAILABLE, as over REST (503).
"""

import asyncio
import time
from types import TracebackType

from serving.errors import UnavailableError

REFUSAL = "Server is shutting down"
_QUIET_SECONDS = 0.2  # a request may just be on its way into a handler, and the last answers on their way out


class Door:
    """A context manager for every request; counts who is inside. Used in one event loop. Entering raises UnavailableError once closed."""

    def __init__(self) -> None:
        self.is_closed = False
        self.inside = 0

    @property
    def is_open(self) -> bool:
        """Whether new requests are let in."""
        return not self.is_closed

    def close(self) -> None:
        """From now on new requests are refused. From any thread."""
        self.is_closed = True

    async def wait(self, seconds: float) -> None:
        """Returns when nobody has been inside for a moment, after so many seconds at the latest."""
        end = time.monotonic() + seconds
        quiet_since = time.monotonic()
        while time.monotonic() < end and time.monotonic() - quiet_since < _QUIET_SECONDS:
            await asyncio.sleep(_QUIET_SECONDS / 10)
            if self.inside:
                quiet_since = time.monotonic()

    def __enter__(self) -> None:
        if self.is_closed:
            raise UnavailableError(REFUSAL)
        self.inside += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.inside -= 1
