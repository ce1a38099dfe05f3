"""One spelling of what is meant to be one value: without the spaces around it, and as `replace` of a dialect says."""

import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen.readers.dialect import Dialect

# Those of a keyboard, and those that nobody sees: of no width, byte order marks, spaces that do not break.
SPACES = " \t\r\n\u00a0\u3000\u200b\u200c\u200d\u2060\ufeff"


def unified(texts: pa.StringArray, dialect: Dialect) -> pa.StringArray:
    """`texts`, string (rows,), each in the dialect's spelling; null where a missing value is left without the spaces."""
    if dialect.trim:
        texts = pc.utf8_trim(texts, SPACES)
        texts = pc.if_else(pc.is_in(texts, pa.array(dialect.missing, pa.string())), pa.scalar(None, pa.string()), texts)
    if dialect.replace:
        numbers = pc.index_in(texts, pa.array(dialect.replace.keys(), pa.string()))
        texts = pc.coalesce(pa.array(dialect.replace.values(), pa.string()).take(numbers), texts)
    return texts
