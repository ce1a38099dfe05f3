"""What a column of the sample says of the label, as the data gate will judge the rows that are learnt."""

import numpy as np
import pyarrow as pa

from components import giveaway
from components.giveaway import Values, Verdict
from pipeline.init.column import Column

_ROWS = 50_000


def judge(column: Column, label: Column, is_number: bool) -> Verdict:
    """What the column says of the label; `is_number` is whether the label is a number to predict."""
    known = pa.array(np.flatnonzero(label.values.is_valid())[:: max(1, label.given // _ROWS)])
    return giveaway.judge(_values(column, known, column.is_numeric), _values(label, known, is_number))


def _values(column: Column, rows: pa.Array, is_number: bool) -> Values:
    values = column.values.take(rows)
    numbers = column.to_numbers(values) if is_number else giveaway.codes(values)
    return Values(column.name, numbers, is_number, len(column.distinct), column.different)
