"""The unit behind the numbers of a text file's columns: `5 kg`, `12.5cm`, `30 min`, `1 year` and `2 years`.

a sample of each column -> the unit that all of its numbers have -> the columns without it
"""

import collections
import re

import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen.readers import cells, written_numbers
from components.example_gen.readers.dialect import MISSING

_WORD = r"[^\W\d_][^\d\s,;:]{0,11}"
_CELL = re.compile(rf"[-+]?[0-9.,](?:[0-9.,' ]*[0-9])? ?(?P<unit>°|[″′‰]|°?{_WORD}(?: {_WORD})?[23]?)")
_BARE = re.compile(r"[-+]?[0-9.,][0-9.,' ]*([eE][-+]?[0-9]+)?(?P<unit>)")
_LEAST = 3  # different values: of two, `2WD` and `4WD`, nobody can say that they are amounts
_NEARLY_ALL, _SOME = 0.9, 0.1  # of a column's values
_LETTERS = frozenset("kKmMbB千万億")  # that stand for an amount; others beside bare numbers are those of codes, `12`, `12a` and `12c`
_SHORTEST_PLURAL = 3  # letters, `hrs`: `ms` is none of `m`
_SHOWN = 3


def find(names: list[str], columns: list[list[str]]) -> tuple[dict[str, str], list[str]]:
    """({column: its unit, in the width of ASCII}, doubts: a sentence for each column whose numbers have several)."""
    found, doubts = {}, []
    for name, column in zip(names, columns, strict=True):
        values = [value for cell in column if (value := cell.strip()) and value not in MISSING]
        if not any(value[0] in "+-.,−" or value[0].isdigit() for value in values[:100]):
            continue
        counts = _counts(values)
        given = counts.total() - counts[""]
        are_amounts = all(len(each) != 1 or each in _LETTERS for each in counts)
        is_mixed = counts.total() >= _NEARLY_ALL * len(values) and given >= _SOME * len(values) and are_amounts
        if not (given >= _NEARLY_ALL * len(values) or is_mixed) or _few_or_times(values):
            continue
        unit = _one([each for each in counts if each])
        if unit and given >= _NEARLY_ALL * len(values):
            found[name] = unit
        else:
            shown = ", ".join(f"{repr(unit) if unit else 'none'} {count:,}" for unit, count in counts.most_common(_SHOWN)) + (
                ", ..." if len(counts) > _SHOWN else ""
            )
            doubts.append(f"Numbers in column '{name}' have several units ({shown}) and are not read as numbers: write one unit.")
    return found, doubts


def _counts(values: list[str]) -> collections.Counter[str]:
    """How many of the values have which unit; those without one under the empty text."""
    cores = written_numbers.core(pa.array(values, pa.string())).to_pylist()
    matches = (_BARE.fullmatch(core) or _CELL.fullmatch(core) for core in cores)
    return collections.Counter(match["unit"] or "" for match in matches if match)


def _few_or_times(values: list[str]) -> bool:
    different = list(dict.fromkeys(values))
    return len(different) < _LEAST or not cells.times(pa.array(different[:20], pa.string())).wrong


def _one(units: list[str]) -> str:
    """The unit that all of these are, empty where they are several."""
    longest = max(units, key=len)
    return longest if set(units) <= {longest, _singular(longest)} else ""


def _singular(unit: str) -> str:
    return unit[:-1] if unit.endswith("s") and len(unit) >= _SHORTEST_PLURAL else unit


def bare(values: list[str], unit: str | None) -> list[str]:
    """As `without`, of a sample's values."""
    return without(pa.array(values, pa.string()), unit).to_pylist() if unit else values


def without(texts: pa.StringArray, unit: str | None) -> pa.StringArray:
    """`texts`, string (rows,), without `unit` behind a digit; those that have another, or none, as they are."""
    if not unit:
        return texts
    singular = _singular(unit)
    shape = re.escape(singular) + ("s?" if singular != unit else "")
    normalized = pc.utf8_normalize(texts, "NFKC")
    bare = pc.replace_substring_regex(normalized, rf"^(.*[0-9.,]) *{shape} *$", r"\1")
    return pc.if_else(pc.equal(bare, normalized), texts, bare)
