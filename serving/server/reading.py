"""Where requests are read: small ones at once in the event loop, large ones in one of two threads, so that the loop goes on.

Two, because each of them may hold a request of the largest size, many times as large once it is parsed.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from serving.errors import InvalidArgumentError

Result = TypeVar("Result")
LARGE_BYTES = 64 * 1024  # of JSON: reading it takes a millisecond
MANY_EXAMPLES = 1024
_READERS = ThreadPoolExecutor(2, "read")


async def read(size: int, function: Callable[..., Result], *arguments: object) -> Result:
    """`function(*arguments)`, which reads `size` bytes of a caller. Raises ServingError: whatever is wrong with them is the caller's."""
    return await in_thread_if(size > LARGE_BYTES, _as_callers_fault, function, *arguments)


async def in_thread_if(long: bool, function: Callable[..., Result], *arguments: object) -> Result:
    """What may hold up the event loop is done in a thread."""
    return await asyncio.get_running_loop().run_in_executor(_READERS, function, *arguments) if long else function(*arguments)


def _as_callers_fault(function: Callable[..., Result], *arguments: object) -> Result:
    """What reads bytes has nothing else to fail on, and says with these that they are out of some range, or no text."""
    try:
        return function(*arguments)
    except (ValueError, OverflowError, RecursionError) as error:
        raise InvalidArgumentError(f"Expected a request that can be read. {type(error).__name__}: {error}") from error
