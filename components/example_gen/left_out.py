"""Rows that were left out: counted, some of them named, and too many of them refused."""

import dataclasses
from collections.abc import Iterable, Sequence

from components.example_gen.readers.rows import Reject
from trainer.errors import DataError, printable

MOST_NAMED = 3


@dataclasses.dataclass(frozen=True)
class Written:
    """What became of a batch of rows, as one worker tells it.

    Attributes:
      split: where `rows` were written to.
      rejected: rows that could not be read, of which `examples` are a few, in words.
      lacking: rows without a value in the column `lacked`, of which `examples` are the places of a few.
      weightless: how many of `rows` have the weight 0.
      problem: why the data cannot be read at all.
    """

    split: str = ""
    rows: int = 0
    rejected: int = 0
    examples: list[str] = dataclasses.field(default_factory=list)
    lacking: int = 0
    lacked: str = ""
    weightless: int = 0
    problem: str = ""


class Rejects:
    """Counts what a reader leaves out, and keeps the first few."""

    def __init__(self) -> None:
        self.count = 0
        self.examples: list[str] = []

    def add(self, reject: Reject) -> None:
        """One more."""
        self.count += 1
        if len(self.examples) < MOST_NAMED:
            place = f"line {reject.line} of {reject.file}" if reject.line else reject.file
            self.examples.append(printable(f"{place}: {reject.reason}"))


def without(column: str, count: int, places: Sequence[str]) -> Written:
    """That `count` rows have no value in the column and are in no split, the first of them at `places`."""
    return Written(lacking=count, lacked=column, examples=list(places))


def notes(written: Iterable[Written], rows: int, allowed: float) -> list[str]:
    """Lines for a person about the rows that are not among the `rows` that were written.

    Raises:
      DataError: more than the share `allowed` could not be read.
    """
    parts = list(written)
    rejected, lacking = sum(part.rejected for part in parts), sum(part.lacking for part in parts)
    examples = _examples(part for part in parts if part.rejected)
    read = rows + lacking
    if rejected > allowed * (read + rejected):
        share = _share_above(rejected / (read + rejected))
        more = f", or leave them out with `data.max_unreadable: {share}`" if read else " or give other data: no row is left"
        raise DataError(
            f"Expected {f'at most {allowed:.2%} unreadable rows' if allowed else 'rows that can be read'} (`data.max_unreadable`). "
            f"Received: {rejected:,} of {read + rejected:,} that cannot: {examples}. "
            f"Mend them{more}."
        )
    lines = []
    if rejected:
        lines.append(f"{rejected:,} of {read + rejected:,} rows could not be read and {_were(rejected)} left out: {examples}.")
    for column in dict.fromkeys(part.lacked for part in parts if part.lacking):
        of_column = [part for part in parts if part.lacked == column]
        count = sum(part.lacking for part in of_column)
        more = f" and {count - MOST_NAMED:,} more" if count > MOST_NAMED else ""
        lines.append(f"{count:,} of {read:,} rows without '{column}' {_were(count)} left out: {_examples(of_column)}{more}.")
    return lines


def _examples(parts: Iterable[Written]) -> str:
    return "; ".join([example for part in parts for example in part.examples][:MOST_NAMED])


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _share_above(share: float) -> float:
    """The next two-digit share above."""
    for digits in (2, 3, 4, 6, 8):
        rounded = round(share + 0.5 * 10**-digits, digits)
        if share <= rounded <= max(2 * share, 0.01):
            return min(rounded, 1.0)
    return min(share * 1.01, 1.0)
