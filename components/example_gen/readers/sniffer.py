"""Finds out how a delimited text file is written, with reasons, and with doubts where two answers are equally good.

encoding -> each delimiter with and without quotes: do rows have one width, and do their cells look like values? -> the best one
-> lines before the header -> header or not -> decimal point -> what stands for missing
"""

import collections
import itertools
import re
import statistics
from pathlib import Path
from typing import NamedTuple

import numpy as np

from components.example_gen.readers import units
from components.example_gen.readers.dialect import Dialect, column_names, fields
from components.example_gen.readers.encoding import Encoding, NotTextError, detect, label, to_utf8
from components.example_gen.readers.header import has_header
from components.example_gen.readers.other_text import other_text
from components.example_gen.readers.raw_file import RawFile
from components.example_gen.readers.records import cut
from components.example_gen.readers.value_writing import decimal_of, is_number, missing_of
from trainer.errors import DataError

SAMPLE_BYTES = 1 << 19  # of the text as UTF-8
_DELIMITERS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "vertical bars"}
_LEAST_QUOTED = 2  # fields in single quotes: one may be a word that somebody has stressed
_ROWS = 1000  # whose cells are looked at
_MOST_PREAMBLE = 60  # records
_PREAMBLE = 0.75  # what a guess is worth by which the table begins further down: the first line may be the header by another one
_CLOSE = 0.8  # of the best score; one that is nearer is a doubt
_SEPARATORS = {",": "commas", ".": "points", " ": "spaces", "'": "apostrophes"}
_DATE = re.compile(r"\d{1,4}[-/.年]\d{1,2}[-/.月]\d{1,4}日?([T ]\d{1,2}:\d{2}.*)?|\d{1,2}:\d{2}(:\d{2})?")
_ALIGNED = re.compile(r'"[^"]*"|\S+')
_SIMPLE = re.compile(r"[^\s,;|\"]+( [^\s,;|\"]+){0,3}")


class Found(NamedTuple):
    """What a sniffer found.

    Attributes:
      dialect: how the file is written.
      columns: the names of its columns; those that are empty and have no name are left out.
      reasons: why, in clauses for people.
      doubts: where another answer is as good, in sentences for people.
    """

    dialect: Dialect
    columns: tuple[str, ...]
    reasons: tuple[str, ...]
    doubts: tuple[str, ...]


class _Guess(NamedTuple):
    """A delimiter with or without quotes, and what it makes of the text.

    Attributes:
      rows: the fields of each record.
      lines: the line on which each begins.
      width: fields of most of them.
      first: the first record of that width.
      score: how much they look like a table, 0 to 1.
      quoted: how many fields are in quotes.
      is_sound: whether all that begin with a quote end with one.
    """

    delimiter: str
    quote: str | None
    rows: list[list[str]]
    lines: list[int]
    width: int
    first: int
    score: float
    quoted: int
    is_sound: bool

    @property
    def is_even(self) -> bool:
        """Whether all rows have one number of fields."""
        return all(len(row) == self.width for row in self.rows if any(row))


def sniff(source: Path | bytes) -> Found:
    """How the file (all of it is read once, for its encoding), or the beginning of one, is written.

    Raises:
      DataError: it holds no text, none at all, only lines that are too long, or what is no CSV as it is read here.
    """
    name = f"'{source}'" if isinstance(source, Path) else "the text"
    try:
        encoding = detect(RawFile(source).blocks() if isinstance(source, Path) else [source])
    except NotTextError as error:
        raise DataError(f"Expected a CSV or TSV file. Received {name}, which is {error}.") from error
    blocks = RawFile(source).blocks(1 << 16) if isinstance(source, Path) else iter([source])
    text, is_whole = b"", True
    for block in to_utf8(blocks, encoding.codec):
        text += block
        if len(text) > SAMPLE_BYTES:
            is_whole = False
            break
    if not text.strip():
        raise DataError(f"Expected rows in {name}. Received: {'only blank lines' if text else 'an empty file'}.")
    if other := other_text(text):
        raise DataError(f"Expected a CSV or TSV file. Received {name}, {other}")
    found = _found(text, is_whole, encoding)
    if len(found.columns) <= 2 and (aligned := _aligned(text, is_whole)) > len(found.columns):
        raise DataError(
            f"Expected one character between fields in {name}. Received: {aligned} columns aligned by several spaces. Write commas: "
            """`perl -pe 's/^[ \\t]+//; s/("[^"]*")|[ \\t]+/$1 || ","/ge' FILE > FILE.csv`."""
        )
    if not found.columns:
        received = "only empty ones" if is_whole else f"a line of more than {SAMPLE_BYTES:,} bytes, and no other"
        raise DataError(f"Expected columns with values in {name}. Received: {received}.")
    return found


def _found(text: bytes, is_whole: bool, encoding: Encoding) -> Found:
    reasons, doubts = [f"{label(encoding.codec)}: {encoding.why}"], []
    if not encoding.sure:
        doubts.append(f"The encoding is a guess, {encoding.why}.")
    declared = re.match(rb'"?sep=([^"\r\n])"?[^\S\r\n]*(\r\n|\r|\n)', text)
    lines = int(bool(declared))
    if declared:
        text = text[declared.end() :]
        reasons.append("the first line names the delimiter")
    guess, more = _best(text, is_whole, declared[1].decode() if declared else None)
    doubts += more
    body, skipped = _without_preamble(guess)
    shape, more_reasons, more_doubts = _shape(guess, body, skipped)
    reasons += [f"{_shown(guess.delimiter)} between {guess.width} columns" if guess.width > 1 else "one column", *more_reasons]
    doubts += more_doubts
    names, first_row, skip, header = shape
    values = [row for row in body[first_row:] if len(row) >= len(names) and row != body[0]][:_ROWS]
    columns = [[row[place] for row in values] for place in range(len(names))]
    found_units, unit_doubts = units.find(names, columns)
    bare = [units.bare(column, found_units.get(name)) for name, column in zip(names, columns, strict=True)]
    decimal, thousands, more_doubts = decimal_of(names, bare, guess.delimiter)
    missing, more_reasons, missing_doubts = missing_of(names, bare, decimal, thousands)
    if guess.quote == "'":
        reasons.append("single quotes around fields")
    if decimal == ",":
        reasons.append("numbers with a decimal comma")
    if thousands:
        reasons.append(f"thousands separated by {_SEPARATORS[thousands]}")
    dialect = Dialect(
        encoding=encoding.codec,
        delimiter=guess.delimiter,
        quote=guess.quote,  # type: ignore[arg-type]  # a quote or None
        header=header,
        names=None if header else tuple(names),
        skip=skip + lines if skip or lines else 0,
        decimal=decimal,  # type: ignore[arg-type]  # one of the two
        thousands=thousands,  # type: ignore[arg-type]  # one of those
        units=found_units,
        missing=missing,
    )
    shown = [
        name for name, column in zip(names, columns, strict=True) if not (re.fullmatch(r"column_\d+", name) and values and not any(column))
    ]
    if len(shown) < len(names):
        empty = len(names) - len(shown)
        reasons.append(f"{empty} empty column{'' if empty == 1 else 's'} without a name left out")
    for name, count in collections.Counter(names).items():
        if count > 1:
            doubts.append(f"The column '{name}' is there {count} times; it cannot be read until all but one are renamed.")
    ragged = sum(len(row) != guess.width and any(row) for row in body[first_row:])
    if ragged and guess.width > 1:
        doubts.append(f"{ragged:,} of {len(body) - first_row:,} rows have another number of fields than {guess.width}.")
    return Found(
        dialect, tuple(dict.fromkeys(shown)), tuple(reasons + more_reasons), tuple(doubts + more_doubts + unit_doubts + missing_doubts)
    )


def _best(text: bytes, is_whole: bool, declared: str | None) -> tuple[_Guess, list[str]]:
    """The best guess, and what speaks for another one."""
    if declared:
        return _guess(text, is_whole, declared, '"'), []
    guesses = [_quoted_or_not(text, is_whole, delimiter) for delimiter in _DELIMITERS]
    spaced = [guess for guess in guesses if guess.delimiter != "\t" and _is_spaced(guess.rows)]
    guesses = [_guess(text, is_whole, f"{guess.delimiter} ", guess.quote) for guess in spaced] + guesses
    one = _one_column(text, is_whole)
    several = sorted((guess for guess in guesses if guess.width > 1), key=lambda guess: -guess.score * (_PREAMBLE if guess.first else 1))
    if not several or several[0].score < one.score:
        by_space = _guess(text, is_whole, " ", '"')
        cells = [cell for row in by_space.rows[1:] for cell in row]
        if by_space.width > 1 and by_space.score > 0.7 and sum(map(is_number, cells)) > len(cells) / 2:
            return by_space, []
        doubts = []
        if several and several[0].score > _CLOSE * one.score:
            doubts.append(f"The file could also be {several[0].width} columns with {_shown(several[0].delimiter)} between them.")
        return one, doubts
    best = several[0]
    doubts = []
    if best.delimiter[0] == "," and best.width == 2 and all(re.fullmatch(r"\s*[+-]?\d+,\d+\s*", ",".join(row)) for row in best.rows[1:]):
        other = "one column of numbers with a decimal comma"
        if len(best.rows[0]) == 1 and len(best.rows) > 1:
            return one, [f"The file could also be two columns of whole numbers; it is taken for {other}."]
        if all(map(is_number, best.rows[0])):
            doubts.append(f"The file could also be {other}.")
    for other_guess in several[1:]:
        if other_guess.score > _CLOSE * best.score and other_guess.delimiter[0] != best.delimiter[0]:
            doubts.append(f"The delimiter could also be {_shown(other_guess.delimiter)}, for {other_guess.width} columns.")
    if one.score > _CLOSE * best.score:
        doubts.append("The file could also be one column of texts.")
    return best, doubts


def _shown(delimiter: str) -> str:
    names = {**_DELIMITERS, " ": "spaces"}
    return names.get(delimiter) or (f"{names[delimiter[0]]} and spaces" if delimiter[0] in names else repr(delimiter))


def _quoted_or_not(text: bytes, is_whole: bool, delimiter: str) -> _Guess:
    """With quotes, unless text makes more sense without.

    Single quotes are quotes where each field that begins with one ends with one, and rows have one number of fields, as in exports from
    ARFF; else they are apostrophes.
    """
    guess = _guess(text, is_whole, delimiter, '"')
    if b'"' in text:
        plain = _guess(text, is_whole, delimiter, None)
        guess = plain if plain.score > guess.score else guess
        if guess.quoted and guess.is_sound and guess.is_even:
            return guess
    if re.search(rb"(?m)(^|[,\t;| ])'", text):
        # What is cut off in the middle of a field would be a quote that is not closed.
        single = _guess(text if is_whole else text[: text.rfind(b"\n") + 1], is_whole, delimiter, "'")
        if single.quoted >= _LEAST_QUOTED and single.is_sound and single.is_even:
            return single
    return guess


def _guess(text: bytes, is_whole: bool, delimiter: str, quote: str | None) -> _Guess:
    rows: list[list[str]] = []
    lines: list[int] = []
    unsound = sound = 0
    dialect = Dialect(delimiter=delimiter, quote=quote)  # type: ignore[arg-type]  # a quote or None
    for records in cut([text], delimiter, quote):
        closing = records.edges[1::2]
        closing = closing[closing + 1 < len(records.data)]
        is_sound = np.isin(records.data[closing + 1], [ord(delimiter[0]), 10, 13, ord(quote or delimiter[0])])  # a doubled quote is one
        sound, unsound = sound + int(is_sound.sum()), unsound + int((~is_sound).sum()) + len(records.broken)
        spans = zip(records.starts.tolist(), records.ends.tolist(), strict=True)
        texts = (
            "" if number in records.broken else records.data[start:end].tobytes().decode() for number, (start, end) in enumerate(spans)
        )
        rows += [row or [""] for row in fields(texts, dialect)]
        lines += records.lines.tolist()
    if not is_whole and len(rows) > 1:
        rows.pop()  # it may be cut in two
    counts = [len(row) for row in rows if any(cell.strip() for cell in row)] or [1]
    for seen in (counts[len(counts) // 2 :], counts):  # the second half, unless that is another table
        width, _ = max(collections.Counter(seen).items(), key=lambda item: (item[1], item[0]))
        first = next((number for number, row in enumerate(rows) if len(row) == width and any(row)), 0)
        if first <= _MOST_PREAMBLE:
            break
    of_width = [row for row in rows[first:] if len(row) == width]
    spoken = [row for row in rows[first:] if any(cell.strip() for cell in row)]
    # What stands before the table counts half: no preamble is likelier than one.
    consistency = sum(len(row) == width for row in spoken) / max(1.0, len(spoken) + first / 2)
    cells = [cell for row in of_width[:_ROWS] for cell in row]
    looks = statistics.fmean(map(_look, cells)) if cells else 0.0
    columns = 1 - 0.6 / width if width > 1 else 0.3
    quoting = 1 - unsound / max(1, sound + unsound) if quote else 0.999  # quotes that are sound are quotes
    if quote and unsound < 3 and sound > unsound:
        quoting = max(quoting, 0.95)
    score = consistency**2 * looks * columns * quoting
    return _Guess(delimiter, quote, rows, lines, width, first, score, sound, not unsound)


def _look(cell: str) -> float:
    """How much a cell looks like a value, 0 to 1."""
    text = cell.strip()
    if not text or is_number(text) or _DATE.fullmatch(text):
        return 1.0
    if _SIMPLE.fullmatch(text):
        return 0.9
    if re.search(r"[;\t|]", text):
        return 0.1 if re.search(r"\d[;\t|]\d", text) else 0.3 if re.search(r"[;\t|]\S", text) else 0.5
    return 0.2 if text.count('"') == 1 else 0.6


def _is_spaced(rows: list[list[str]]) -> bool:
    """Whether nearly every field but the first of a row begins with a space."""
    cells = [cell for row in rows[:_ROWS] for cell in row[1:] if cell]
    return bool(cells) and sum(cell.startswith(" ") for cell in cells) >= 0.9 * len(cells)


def _aligned(text: bytes, is_whole: bool) -> int:
    """How many columns, mostly of numbers, runs of spaces or tabs part, but those in quotes; 0 where they part no table."""
    lines = text.decode().splitlines()[: None if is_whole else -1]
    rows = [cells for line in lines[:_ROWS] if (cells := _ALIGNED.findall(line))]
    width = len(rows[0]) if len(rows) > 2 else 0
    numbers = sum(is_number(cell) for cells in rows[1:] for cell in cells)
    return width if width > 1 and all(len(cells) == width for cells in rows) and numbers > width * (len(rows) - 1) / 2 else 0


def _one_column(text: bytes, is_whole: bool) -> _Guess:
    """The text as one column, with a delimiter that it does not hold."""
    preferred = [",", "\t", ";", "|"] if not re.search(rb"\w \w", text) else ["\t", "|", ";", ","]
    delimiter = next((delimiter for delimiter in preferred if delimiter.encode() not in text), "\x1f")
    quoted = _guess(text, is_whole, ",", '"')
    if quoted.width == 1 and all(len(row) == 1 for row in quoted.rows):  # commas only inside quotes
        delimiter = "," if b"," in text else delimiter
    return _quoted_or_not(text, is_whole, delimiter)


def _without_preamble(guess: _Guess) -> tuple[list[list[str]], int]:
    """(the records from the header or first row on, how many records are before)."""
    first = guess.first
    filled = [sum(bool(cell.strip()) for cell in row) for row in guess.rows]
    if guess.width > 2 and statistics.median(filled) >= 2:
        # A spreadsheet pads its title with delimiters.
        while filled[first] <= 1 and first < min(len(filled) - 2, _MOST_PREAMBLE):
            first += 1
    return guess.rows[first:], first


def _shape(guess: _Guess, body: list[list[str]], skipped: int) -> tuple[tuple[list[str], int, int, bool], list[str], list[str]]:
    """((names, number of the first row in `body`, lines to skip, whether there is a header), reasons, doubts)."""
    before = guess.rows[skipped - 1] if skipped and guess.lines[skipped] - guess.lines[skipped - 1] == 1 else []
    reasons, doubts = [], []
    if len(before) >= 2 and len(before) == guess.width - 1 and not any(map(is_number, before)) and all(before):
        skip = guess.lines[skipped - 1] - 1
        if not any(row[-1] for row in body if len(row) == guess.width):
            return (column_names(before), 0, skip, True), ["a header, and a delimiter at the end of every row"], doubts
        # As R writes tables: the names of the rows have no name.
        return (["row", *column_names(before)], 0, skip + 1, False), ["a header without a name for the first column"], doubts
    skip = guess.lines[skipped] - 1
    if skip:
        reasons.append(f"{skip} line{'' if skip == 1 else 's'} before the {'header' if guess.width > 1 else 'first row'}")
    rows = [row for row in body[1:] if len(row) == len(body[0]) and row != body[0]][:_ROWS]
    if groups := _groups(body, rows):
        reasons.append("a header of two lines, groups of columns above their names")
        return (groups, 2, guess.lines[skipped + 2] - 1, False), reasons, doubts
    header, why, doubt = has_header(body[0], rows)
    reasons.append(why)
    doubts += [doubt] if doubt else []
    names = column_names(body[0] if header else [""] * len(body[0]))
    return (names, int(header), skip, header), reasons, doubts


def _groups(body: list[list[str]], rows: list[list[str]]) -> list[str]:
    """The names of a header of two lines, as merged cells leave it: `2019,,2020,` above `men,women,men,women`; none of another one."""
    above = [cell.strip() for cell in body[0]]
    if len(rows) < 3 or rows[0] is not body[1] or not 0 < above.count("") < len(above) - 1 or not above[0]:
        return []
    names = [cell.strip() for cell in rows[0]]
    is_header, _, doubt = has_header(names, rows[1:])
    if not is_header or doubt or not all(names) or any(map(is_number, [*filter(None, above), *names])):
        return []
    if len(set(names)) == len(names):
        return names
    groups = list(itertools.accumulate(above, lambda last, cell: cell or last))
    both = [f"{group} {name}" for group, name in zip(groups, names, strict=True)]
    return both if len(set(both)) == len(both) else []
