"""Several columns of 0 and 1 that are predicted together: one label, and the task of several labels for a row."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen import marks
from components.example_gen.columns import LABELS
from components.example_gen.readers.dialect import Dialect
from pipeline.init.column import Column
from pipeline.init.task import Target
from trainer.errors import ConfigError

_SEPARATOR = "\x1f"  # of the names in memory alone


def together(columns: Sequence[Column], task: str | None) -> tuple[Column, Target]:
    """The label that the columns make, and what is to be learnt of it.

    Raises:
      ConfigError: another `task` was given, a column holds something else than 0 and 1, or no row has a 1.
    """
    if task not in (None, "multilabel"):
        raise ConfigError(
            f"Expected --task multilabel with several columns in --label. Received: {task}. Leave it out, or name one column."
        )
    for column in columns:
        for reason in marks.read(column.distinct).wrong.values():
            raise ConfigError(f"Expected columns of 0 and 1 in --label, where it names several. Received: {reason}, in '{column.name}'.")
    names = tuple(column.name for column in columns)
    lists = marks.names(names, [marks.read(column.values).values for column in columns])
    label = Column(LABELS, pc.binary_join(lists, pa.scalar(_SEPARATOR)), Dialect())
    target = Target("multilabel", "columns of 0 and 1", separator=_SEPARATOR, columns=names)
    if not len(target.classes(label).distinct):
        raise ConfigError(f"Expected a 1 in one of the columns {', '.join(names)}. Received: none. Give other columns in --label.")
    return label, target
