"""The time that one call of a client may take, whatever it sends: a look-up of the signature, the request, its hedge."""

import time


class Deadline:
    """`seconds` from now on."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that remain, 0 at the least."""
        return max(0.0, self._end - time.monotonic())
