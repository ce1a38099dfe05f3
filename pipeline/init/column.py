"""One column of a sample, counted: what the other files decide by."""

import functools

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen import separated
from components.example_gen.readers import cells, units
from components.example_gen.readers.dialect import Dialect

_TRIED = 1000  # of the distinct values; where many of them are no numbers, the others are not looked at
_FEW = 0.1  # of the different values


class Column:
    """A column's values and how often each is there.

    Attributes:
      name: as it stands in the file.
      values: string (rows,), null where missing.
      head: the first rows' values, neighbours as in the file.
      distinct: the values that are there, the most frequent first.
      counts: int64, of each.
      type: that of the values as they are stored; None of text files, whose columns have none.
    """

    def __init__(
        self, name: str, values: pa.Array, dialect: Dialect, head: pa.Array | None = None, stored: pa.DataType | None = None
    ) -> None:
        self.name, self.values, self.head, self.type = name, values, values if head is None else head, stored
        self._dialect = dialect
        counted = pc.value_counts(values.drop_null())
        counts = counted.field("counts").to_numpy()
        order = np.argsort(-counts, kind="stable")
        self.distinct, self.counts = counted.field("values").take(pa.array(order)), counts[order]

    @property
    def rows(self) -> int:
        """How many values there could be."""
        return len(self.values)

    @property
    def given(self) -> int:
        """How many values there are."""
        return self.rows - self.missing

    @property
    def missing(self) -> int:
        """How many values are missing."""
        return self.values.null_count

    @property
    def examples(self) -> list[str]:
        """Three values, the first ones that the file has."""
        return pc.unique(self.values.drop_null()[:1000]).to_pylist()[:3]

    @property
    def different(self) -> float:
        """The share of the values that are different ones."""
        return len(self.distinct) / max(1, self.given)

    def counts_of(self, values: list[str]) -> list[int]:
        """How often each of these distinct values is there."""
        return self.counts[pc.index_in(pa.array(values, pa.string()), self.distinct).to_numpy()].tolist() if values else []

    def parts(self, separator: str) -> "Column":
        """The names that stand in the values, `separator` between them, each as a value of its own."""
        return Column(self.name, separated.split(self.values, separator).flatten(), self._dialect)

    @functools.cached_property
    def not_numbers(self) -> list[str]:
        """The distinct values that are no numbers, as far as the most frequent ones; where few of those are, of all of them."""
        first = self._wrong(self.distinct[:_TRIED])
        return first if len(first) > _FEW * min(len(self.distinct), _TRIED) else first + self._wrong(self.distinct[_TRIED:])

    @property
    def is_numeric(self) -> bool:
        """Whether all values are numbers."""
        return bool(len(self.distinct)) and not self.not_numbers

    @property
    def is_nearly_numeric(self) -> bool:
        """Whether a few of the different values are no numbers, and all others are."""
        return 0 < len(self.not_numbers) <= _FEW * min(len(self.distinct), _TRIED)

    @functools.cached_property
    def numbers(self) -> np.ndarray:
        """float64 of the distinct values of a numeric column."""
        return self.to_numbers(self.distinct)

    @property
    def is_whole(self) -> bool:
        """Whether all values are whole numbers."""
        return self.is_numeric and bool((self.numbers == np.floor(self.numbers)).all())

    def to_numbers(self, values: pa.Array) -> np.ndarray:
        """float64 of texts, NaN where missing or no number."""
        return pc.fill_null(self._numbers(values).values, float("nan")).to_numpy(zero_copy_only=False)

    def _wrong(self, values: pa.Array) -> list[str]:
        return [values[row].as_py() for row in self._numbers(values).wrong]

    @property
    def unit(self) -> str:
        """What stands behind each number, empty where there is none."""
        return self._dialect.units.get(self.name, "")

    def _numbers(self, values: pa.Array) -> cells.Column:
        values = units.without(values, self.unit)
        return cells.numbers(values, self._dialect.decimal, self._dialect.missing, self._dialect.thousands)
