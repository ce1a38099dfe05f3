"""A table of any number of rows with numbers, categories, a text and a label that follows from them; equal calls give equal files."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pandas import DataFrame

NUMBERS = (*(f"number_{place}" for place in range(6)), "count_0", "count_1")
CATEGORIES = ("category_4", "category_40", "category_400")  # by how many values they have
TEXT, LABEL = "text", "label"
_BLOCK = 50_000  # rows
_WORDS = np.array(
    ["bad", "big", "blue", "from", "good", "great", "house", "late", "market", "never", "of", "order", "price", "red", "slow", "the"]
)
_WORDS_A_TEXT = 8


def write_csv(path: Path, rows: int) -> Path:
    """Writes the first `rows` rows as CSV; a longer table begins with a shorter one's rows, but for its last block."""
    for number, block in enumerate(blocks(rows)):
        block.to_csv(path, index=False, header=not number, mode="a" if number else "w")
    return path


def blocks(rows: int) -> Iterator[DataFrame]:
    """The table, some rows at a time, so that making a large one needs no more memory than a small one."""
    for number, start in enumerate(range(0, rows, _BLOCK)):
        yield _block(np.random.default_rng(number), min(_BLOCK, rows - start))


def _block(random: np.random.Generator, rows: int) -> DataFrame:
    columns: dict[str, object] = {name: random.normal(size=rows).round(4) for name in NUMBERS if name.startswith("number")}
    columns |= {name: random.integers(0, 1000, rows) for name in NUMBERS if name.startswith("count")}
    columns |= {name: _values(random, int(name.rpartition("_")[2]), rows) for name in CATEGORIES}
    columns[TEXT] = [" ".join(words) for words in _WORDS[random.integers(0, len(_WORDS), (rows, _WORDS_A_TEXT))]]
    table = DataFrame(columns)
    score = table["number_0"] - table["number_1"] + (table["category_4"] == "value_0") + random.normal(size=rows) / 2
    table[LABEL] = np.where(score > 0, "yes", "no")
    return table


def _values(random: np.random.Generator, count: int, rows: int) -> np.ndarray:
    return np.array([f"value_{number}" for number in range(count)])[random.integers(0, count, rows)]
