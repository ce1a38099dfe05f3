"""Rows in batches that are neither too many nor too large to be one message."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

MOST_ROWS = 256
MOST_BYTES = 8 << 20  # a server takes 16 MiB unless it is told otherwise, and a phone's picture has some of them

Row = TypeVar("Row")


def row_batches(rows: Iterable[Row], size: Callable[[Row], int] = lambda _: 0) -> Iterator[list[Row]]:
    """Lists of up to `MOST_ROWS` rows, in order, of no more than `MOST_BYTES` together unless one row alone has more.

    `size`: a row's bytes. No row at all is no batch.
    """
    batch: list[Row] = []
    taken = 0
    for row in rows:
        own = size(row)
        if batch and (len(batch) == MOST_ROWS or taken + own > MOST_BYTES):
            yield batch
            batch, taken = [], 0
        batch.append(row)
        taken += own
    if batch:
        yield batch


def bytes_in(content: object) -> int:
    """Of a file's content, or of what a row's cells hold, such as pictures; 0 of anything else."""
    if isinstance(content, Mapping):
        return sum(map(bytes_in, content.values()))
    return len(content) if isinstance(content, (bytes, str)) else 0
