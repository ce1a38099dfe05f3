"""Text that looks like CSV and is none, or is written in a way that is not read: told as a whole, with what makes CSV of it."""

import re

from components.example_gen.readers.dialect import Dialect, fields

_ARFF = re.compile(rb"(?i)\A(?:[^\S\r\n]*(?:%[^\r\n]*)?[\r\n]+)*[^\S\r\n]*@relation\s")
# The first quote behind the one that opens a field has a backslash before it, and does not close the field.
_ESCAPED = re.compile(rb'(?:^|[,;\t|])"[^"\r\n]*\\"(?=[^"\r\n,;\t|])', re.MULTILINE)
_LEAST = 2  # one alone is a broken line
_QUOTED_LINE = re.compile(r'"((?:[^"]|"")*)"[,;\t]*')
_LEAST_QUOTED_LINES, _MOST_LINES = 5, 1000  # that are looked at


def other_text(text: bytes) -> str:
    """What the beginning of a file, as UTF-8, is, with what to do, two sentences; empty where it may be CSV."""
    if _ARFF.match(text):
        return "an ARFF file. Write CSV: `sed '1,/^@data/Id' FILE > FILE.csv`, and name the columns by `data.csv.names`."
    if len(_ESCAPED.findall(text)) >= _LEAST:
        return r"""one with backslashes before quotes, \". Write two quotes: `sed 's/\\"/""/g' FILE > FILE.csv`."""
    if _quoted_lines(text):
        command = r"""sed -E 's/^"(.*)"[,;[:space:]]*$/\1/; s/""/"/g' FILE > FILE.csv"""
        return f"one whose lines are in quotes as a whole. Take them away: `{command}`."
    return ""


def _quoted_lines(text: bytes) -> bool:
    """Whether each line but the header is one quoted field that holds a row, as a spreadsheet saves CSV that it shows as one column."""
    lines = [line for line in text.decode(errors="replace").splitlines()[:_MOST_LINES] if line.strip()]
    inner = [match[1].replace('""', '"') for line in lines[1:-1] if (match := _QUOTED_LINE.fullmatch(line))]  # the last may be cut off
    if len(inner) < max(_LEAST_QUOTED_LINES, len(lines) - 2):
        return False
    header = _QUOTED_LINE.fullmatch(lines[0])
    return any(_width([header[1] if header else lines[0], *inner], delimiter) > 1 for delimiter in ",;\t|")


def _width(rows: list[str], delimiter: str) -> int:
    """How many fields each of the rows has, by this delimiter; 0 where they differ."""
    widths = {len(row) for row in fields(rows, Dialect(delimiter=delimiter))}
    return widths.pop() if len(widths) == 1 else 0
