"""One bad row does not fail its neighbours: a batch that is refused is asked again in halves, until only the bad rows are alone."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from serving.errors import InputFileError, ServingError

Row = TypeVar("Row")
Answer = TypeVar("Answer")
Fault = TypeVar("Fault", bound=Exception)

# These are said of the server, the model or the caller, whatever the rows are: asking again in parts would only take longer.
_NOT_OF_A_ROW = {
    "UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    "CANCELLED",
    "NOT_FOUND",
    "FAILED_PRECONDITION",
    "UNIMPLEMENTED",
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
}


def in_parts(
    rows: Sequence[Row], ask: Callable[[Sequence[Row]], Answer], refusal: type[Fault]
) -> Iterator[tuple[Sequence[Row], Answer | Fault]]:
    """(rows, what `ask` answers to them together) in order; a row that is refused comes alone, with its error, a `refusal`.

    Raises what is not a row's own fault: the server is not there, the model is another.
    """
    try:
        answer: Answer | Fault = ask(rows)
    except refusal as error:
        if isinstance(error, InputFileError) or (isinstance(error, ServingError) and error.code in _NOT_OF_A_ROW):
            raise
        if len(rows) > 1:
            middle = len(rows) // 2
            yield from in_parts(rows[:middle], ask, refusal)
            yield from in_parts(rows[middle:], ask, refusal)
            return
        answer = error
    yield rows, answer
