"""Lines of a table that are no rows: totals, units below the header, notes at the end."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen.readers.dialect import Dialect, fields
from components.example_gen.readers.encoding import to_utf8
from components.example_gen.readers.raw_file import RawFile
from components.example_gen.readers.records import cut
from pipeline.init.sample import Sample

_TOTAL = (
    r"^(?i:(grand |sub-?)?totals?|sum|average|mean|(gesamt|zwischen)?summe|gesamt|insgesamt|total général|sous-total|razem|suma|celkem"
    r"|合[ 　]*計|総合?計|小[ 　]*計|計|平均)[:：]?$"
)
_NOTE = r"^(?i:※|[*]|(注|注記|注釈|出典|出所|資料|備考)[0-9１-９]*[)）:：\]】]|(source|note|quelle|anmerkung|stand)s?:)"
_UNIT = r"^[(（\[［].*[)）\]］]$"
_FIRST = 3  # rows among which units are looked for
_LEAST_COLUMNS = 3  # from which one filled cell is too few for a row
_MOST = 20  # lines of another width that are looked at
_MOST_SHARE = 0.25  # of the rows; what is there more often is a value


def in_rows(taken: Sample, columns: Iterable[str]) -> dict[str, str]:
    """The first filled cells of those rows that are none, and what such a row is, for people."""
    table = taken.table.select(list(columns))
    if table.num_columns < 2 or not table.num_rows:
        return {}
    cells = [pc.utf8_trim_whitespace(column.combine_chunks()) for column in table.columns]
    firsts = pc.coalesce(*cells)
    filled = sum(pc.is_valid(cell).to_numpy(zero_copy_only=False).astype(int) for cell in cells)
    is_total = _fits(firsts, _TOTAL) & (filled < table.num_columns)
    is_single = (filled == 1) & (table.num_columns >= _LEAST_COLUMNS) & _fits(firsts, r"^[^0-9]*\pL{2}")
    at_end = np.arange(table.num_rows) > np.flatnonzero(~is_single).max(initial=-1)
    is_note = is_single & (_fits(firsts, _NOTE) | (at_end & taken.is_whole))
    is_unit = np.all([_fits(cell, _UNIT) | ~pc.is_valid(cell).to_numpy(zero_copy_only=False) for cell in cells], axis=0)
    is_unit[_FIRST:] = False
    found: dict[str, str] = {}
    for which, what in ((is_total, "a total"), (is_unit, "units"), (is_note, "a note")):
        for text in dict.fromkeys(firsts.filter(pa.array(which)).drop_null().to_pylist()):
            there = pc.fill_null(pc.equal(firsts, text), False).to_numpy(zero_copy_only=False)
            if which[there].all() and there.sum() <= max(1, _MOST_SHARE * table.num_rows):
                found.setdefault(text, what)
    return found


def in_lines(path: Path, lines: Mapping[int, str], dialect: Dialect) -> dict[str, str]:
    """As `in_rows`, of those of a file's lines (line: why it cannot be read) that have too few fields for a row."""
    wanted = [line for line, reason in lines.items() if re.match(r"\d+ fields? instead of", reason)]
    if not 0 < len(wanted) <= _MOST:
        return {}
    found: dict[str, str] = {}
    for block in cut(to_utf8(RawFile(path).blocks(), dialect.encoding), dialect.delimiter, dialect.quote, dialect.skip):
        for number in np.flatnonzero(np.isin(block.lines, wanted)).tolist():
            [record] = fields([block.data[block.starts[number] : block.ends[number]].tobytes().decode()], dialect)
            given = [cell.strip() for cell in record if cell.strip()]
            if re.search(_TOTAL, given[0]):
                found[given[0]] = "a total"
            elif len(given) == 1 and re.search(r"[^\W\d_]{2}", given[0]):
                found[given[0]] = "a note"
    return found


def _fits(texts: pa.Array, pattern: str) -> np.ndarray:
    return pc.fill_null(pc.match_substring_regex(texts, pattern), False).to_numpy(zero_copy_only=False)
