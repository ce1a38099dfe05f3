"""Which column is predicted: as given, by its name, as a person answers, or the last one that could be."""

import csv
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.init.proposal import Request
from trainer.errors import ConfigError, did_you_mean, listed

# In order of preference.
_USUAL = """
    label labels target targets y class classes outcome response species category tags
    ラベル 正解ラベル 正解 目的変数 クラス 分類 カテゴリ カテゴリー タグ
"""


class Label(NamedTuple):
    """The columns' names, of which there are mostly one, and how they were chosen; empty where they were given."""

    columns: tuple[str, ...]
    why: str


def given(text: str, names: Sequence[str]) -> tuple[str, ...]:
    """The columns that `--label` names: one, or several with commas between them, as in a line of CSV: `"with, comma",other`."""
    if text in names or "," not in text:
        return (text,)
    return tuple(dict.fromkeys(name.strip() for name in next(csv.reader([text], skipinitialspace=True))))


def choose(request: Request, names: Sequence[str], usable: Sequence[str]) -> Label:
    """The label among the columns `names`, of which `usable` could be one.

    Raises:
      ConfigError: there is no such column, or nobody can be asked and nothing may be assumed.
    """
    if request.label is not None:
        return Label(tuple(_known(name, names, "--label") for name in given(request.label, names)), "")
    by_name = {name.strip().casefold(): name for name in reversed(usable)}
    usual = next((by_name[name] for name in _USUAL.split() if name in by_name), None)
    if usual:
        return Label((usual,), "assumed by its name; --label COLUMN names another")
    last = next(reversed(usable), names[-1])
    if request.ask:
        answer = request.ask(f"The columns are {listed(names)}.\nWhich column is predicted?", last)
        return Label((_known(answer, names, "a column"),), "")
    if request.assume:
        return Label((last,), "assumed as the last column that could be; --label COLUMN names another")
    raise ConfigError(
        f"Expected --label COLUMN, because no column has a usual label's name. Received: {listed(names)}. "
        f"Name the column that is predicted, or take '{last}' with --yes."
    )


def _known(given: str, names: Sequence[str], expected: str) -> str:
    name = next((name for name in names if name == given), None) or next((name for name in names if name.strip() == given.strip()), None)
    if name is None:
        what = "to be a column of the data" if expected.startswith("--") else "of the data"
        raise ConfigError(f"Expected {expected} {what}: {listed(names)}. Received: '{given}'.{did_you_mean(given, names)}")
    return name
