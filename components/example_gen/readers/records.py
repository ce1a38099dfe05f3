"""Cuts a delimited text into records at the line ends outside quotes, with NumPy: where each begins, and on which line.

blocks of UTF-8 -> positions of line ends and quotes -> which line ends are inside quotes -> whole records, and the rest for the next block

A quote opens a field only at its very beginning, as spreadsheets write it; elsewhere (`5" pipe`) it is a character. Where a quote is never
closed, or closed in the middle of a later line, the line that opened it is the broken one, and reading goes on behind it.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from components.example_gen.readers.encoding import MARK
from components.example_gen.readers.rows import MOST_BYTES
from trainer.errors import DataError

RECORD_BYTES = 1 << 24  # of one record; a quote that is open for longer is taken for one that is never closed
_LF, _CR, _SPACE = 10, 13, 32
_MARK = MARK.encode()

UNDECODABLE, NUL, UNCLOSED = "bytes that are not of the file's encoding", "a NUL byte", "a quote that is not closed"


class Records(NamedTuple):
    """Neighbouring whole records.

    Attributes:
      data: uint8 (bytes,), their text as UTF-8.
      starts: int64 (records,), where each begins in `data`.
      ends: int64 (records,), where each ends, without its line end.
      lines: int64 (records,), the line of the file on which each begins, from 1 on.
      edges: int64, the positions of the quotes that open and close fields, in turn.
      broken: {number of a record: why it cannot be read}.
    """

    data: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    lines: np.ndarray
    edges: np.ndarray
    broken: dict[int, str]


def cut(blocks: Iterable[bytes], delimiter: str, quote: str | None, skip: int = 0, name: str = "the text") -> Iterator[Records]:
    """The records of a text, called `name` for people, behind its first `skip` lines; blank lines are none."""
    scanner, rest, line = _Scanner(delimiter, quote), b"", 1
    for block in _with_end(blocks):
        is_last = block is None
        data = rest + (block or b"")
        while skip and (length := _line_length(data, is_last)):
            data, skip, line = data[length:], skip - 1, line + 1
        if skip or not data:
            rest = data
            continue
        records, used, lines = scanner.scan(data, line, is_last)
        rest, line = data[used:], line + lines
        if len(rest) > MOST_BYTES:
            raise DataError(f"Expected lines of at most {MOST_BYTES >> 20} MiB. Received: a longer one, line {line:,} of {name}.")
        if len(records.starts):
            yield records


def _with_end(blocks: Iterable[bytes]) -> Iterator[bytes | None]:
    yield from (block for block in blocks if block)
    yield None


def _line_length(data: bytes, is_last: bool) -> int:
    """Bytes of the first line with its end; 0 where it is not there as a whole."""
    ends = [at for at in (data.find(b"\n"), data.find(b"\r")) if at >= 0]
    if not ends:
        return len(data) if is_last else 0
    at = min(ends)
    if data[at] == _CR and at + 1 == len(data) and not is_last:
        return 0
    return at + 2 if data[at : at + 2] == b"\r\n" else at + 1


class _Scanner:
    def __init__(self, delimiter: str, quote: str | None) -> None:
        self._delimiter, self._spaced, self._quote = ord(delimiter[0]), delimiter.endswith(" ") and len(delimiter) > 1, quote

    def scan(self, text: bytes, line: int, is_last: bool) -> tuple[Records, int, int]:
        """The whole records of `text`, which begins on `line`; how many bytes and lines they are."""
        data = np.frombuffer(text, np.uint8)
        breaks = _line_breaks(data, has_cr=b"\r" in text, is_last=is_last)
        is_quoted = self._quote is not None and self._quote.encode() in text
        quotes = np.flatnonzero(data == ord(self._quote or "")) if is_quoted else np.zeros(0, np.int64)
        edges, opened = self._edges(data, quotes, breaks, is_last)
        is_end = np.searchsorted(edges, breaks) % 2 == 0
        ends = breaks[is_end]
        used = int(ends[-1]) + 1 if len(ends) else 0
        first_breaks = np.flatnonzero(is_end) + 1
        if is_last and used < len(data):
            ends, used, first_breaks = np.append(ends, len(data)), len(data), np.append(first_breaks, len(breaks))
        starts = np.concatenate(([0], np.minimum(ends + 1, len(data))))[: len(ends)]
        lines = line + np.concatenate(([0], first_breaks))[: len(ends)]
        # A CRLF's CR is not part of the record.
        ends = ends - ((ends > starts) & (data[np.maximum(ends - 1, 0)] == _CR)) if b"\r" in text and len(ends) else ends
        broken = {int(np.searchsorted(ends, at)): UNCLOSED for at in opened if at < used}
        marks = {b"\0": NUL} if text.isascii() else {_MARK: UNDECODABLE, b"\0": NUL}  # looking for the first takes as long as all the rest
        for mark, reason in marks.items():
            at = text.find(mark, 0, used)
            while at >= 0:
                record = int(np.searchsorted(ends, at))
                broken.setdefault(record, reason)
                at = text.find(mark, int(ends[record]) if record < len(ends) else used, used)
        full = ends > starts
        if not full.all():
            numbers = np.cumsum(full) - 1
            broken = {int(numbers[record]): reason for record, reason in broken.items() if full[record]}
            starts, ends, lines = starts[full], ends[full], lines[full]
        used_lines = int(first_breaks[-1]) if len(first_breaks) else 0
        return Records(data[:used], starts, ends, lines, edges, broken), used, used_lines

    def _edges(self, data: np.ndarray, quotes: np.ndarray, breaks: np.ndarray, is_last: bool) -> tuple[np.ndarray, list[int]]:
        """(positions of the quotes that open and close a field, those of quotes that open one and never close it)."""
        if not len(quotes):
            return quotes, []
        is_field_start, is_field_end = self._at_start(data, quotes), self._at_end(data, quotes)
        doubled = np.diff(quotes) == 1
        follows, leads = np.concatenate(([False], doubled)), np.concatenate((doubled, [False]))
        opens, closes = slice(0, None, 2), slice(1, None, 2)
        sound = (is_field_start[opens] | follows[opens]).all() and (is_field_end[closes] | leads[closes]).all()
        if sound and not (len(quotes) % 2 and (is_last or len(data) > RECORD_BYTES)):
            return quotes, []
        # An open quote is closed by what is still to come, unless nothing is or its field is already too long.
        return _walk(quotes, is_field_start, is_field_end, follows, breaks, len(data), len(data) if is_last else len(data) - RECORD_BYTES)

    def _at_start(self, data: np.ndarray, at: np.ndarray) -> np.ndarray:
        before = data[np.maximum(at - 1, 0)]
        result = (at == 0) | (before == self._delimiter) | (before == _LF) | (before == _CR)
        if self._spaced:
            result |= (before == _SPACE) & (data[np.maximum(at - 2, 0)] == self._delimiter)
        return result

    def _at_end(self, data: np.ndarray, at: np.ndarray) -> np.ndarray:
        after = data[np.minimum(at + 1, len(data) - 1)]
        return (at == len(data) - 1) | (after == self._delimiter) | (after == _LF) | (after == _CR)


def _line_breaks(data: np.ndarray, has_cr: bool, is_last: bool) -> np.ndarray:
    """Where lines end: each LF, and each CR that no LF follows. Of CRLF it is the LF."""
    if not has_cr:
        return np.flatnonzero(data == _LF)
    at = np.flatnonzero((data == _LF) | (data == _CR))
    followed = np.zeros(len(at), bool)
    followed[:-1] = (data[at[:-1]] == _CR) & (data[at[1:]] == _LF) & (np.diff(at) == 1)
    if not is_last and len(at) and at[-1] == len(data) - 1 and data[-1] == _CR:
        followed[-1] = True  # an LF may come with the next block
    return at[~followed]


def _walk(
    quotes: np.ndarray,
    is_field_start: np.ndarray,
    is_field_end: np.ndarray,
    follows: np.ndarray,
    breaks: np.ndarray,
    length: int,
    must_close: int,
) -> tuple[np.ndarray, list[int]]:
    """As `_edges`, quote by quote, for text where some quotes are mere characters or are not closed.

    `length` is the text's; a quote before `must_close` that is still open at its end is never closed.
    """
    edges: list[int] = []
    opened: list[int] = []
    places, starts, ends, adjacent = quotes.tolist(), is_field_start.tolist(), is_field_end.tolist(), follows.tolist()
    number, count = 0, len(places)
    while number < count:
        if not starts[number]:
            number += 1
            continue
        start, close = places[number], number + 1
        while close + 1 < count and adjacent[close + 1]:
            close += 2  # a doubled quote is a quote
        is_open = close >= count
        if is_open and start >= must_close:
            edges.append(start)
            break
        next_break = np.searchsorted(breaks, start)
        line_end = int(breaks[next_break]) if next_break < len(breaks) else length
        if is_open or (not ends[close] and places[close] > line_end):
            opened.append(start)
            number = int(np.searchsorted(quotes, line_end))
        else:
            edges += [start, places[close]]
            number = close + 1
    return np.array(edges, np.int64), opened
