"""Text that looks like CSV and is none, or is written in a way that is not read: told as a whole, with what makes CSV of it."""

import re

_ARFF = re.compile(rb"(?i)\A(?:[^\S\r\n]*(?:%[^\r\n]*)?[\r\n]+)*[^\S\r\n]*@relation\s")
# The first quote behind the one that opens a field has a backslash before it, and does not close the field.
_ESCAPED = re.compile(rb'(?:^|[,;\t|])"[^"\r\n]*\\"(?=[^"\r\n,;\t|])', re.MULTILINE)
_LEAST = 2  # one alone is a broken line


def other_text(text: bytes) -> str:
    """What the beginning of a file, as UTF-8, is, with what to do, two sentences; empty where it may be CSV."""
    if _ARFF.match(text):
        return "an ARFF file. Write CSV: `sed '1,/^@data/Id' FILE > FILE.csv`, and name the columns by `data.csv.names`."
    if len(_ESCAPED.findall(text)) >= _LEAST:
        return r"""one with backslashes before quotes, \". Write two quotes: `sed 's/\\"/""/g' FILE > FILE.csv`."""
    return ""
