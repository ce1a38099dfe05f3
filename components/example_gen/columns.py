"""Which columns of the raw rows are read, and as what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from trainer.features.kind import RawType
from trainer.problem import Joined
from trainer.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa


LABELS = "labels"  # what the list of names is called that several columns of 0 and 1 make


class Columns(Settings):
    """Crosses the ingestion's boundary as JSON; empty for data whose rows have no columns of the user's."""

    kept: dict[str, RawType] = Field({}, description="The columns that a tf.Example gets, and how it holds them.")
    label: str | None = Field(None, description="The one of them without which a row is left out.")
    separator: str | None = Field(None, description="What stands between the labels of a label that is several in one text.")
    marks: tuple[str, ...] = Field((), description="The columns of 0 and 1 that the label is made of, where it is no column itself.")
    empty_label: bool = Field(
        False, description="Whether a row without a value has a label, that of no labels: in CSV an empty cell cannot tell the two apart."
    )
    weight: str | None = Field(
        None,
        description="The one of them that says how much a row counts in the loss, without which a row is left out.",
        exclude_if=lambda weight: weight is None,
    )
    joined: Joined | None = Field(None, description="Which rows of a table make the lists of a row, where it holds none itself.")
    orders: dict[str, Literal["year_first", "day_first", "month_first"]] = Field({}, description="How dates are written, by column.")

    def arrow_types(self, *others: str | None, time: str | None = None) -> dict[str, pa.DataType]:
        """The columns to read by the types that a reader gives; where they are not kept, `others` as text and `time` as a time."""
        import pyarrow as pa  # not above: a config is read without it

        types = {"bytes": pa.binary(), "string": pa.string(), "float": pa.float64(), "int": pa.int64()}
        types["floats"] = pa.list_(pa.float64())
        types["strings"] = pa.string() if self.separator else pa.list_(pa.string())
        made = self.joined.of if self.joined else {}
        wanted = {name: types[kind] for name, kind in self.kept.items() if name not in made}
        if self.marks:
            wanted |= dict.fromkeys(self.marks, pa.string())
            del wanted[self.label or ""]
        if self.joined:
            wanted = (
                dict.fromkeys(made.values(), types["float"]) | dict.fromkeys((self.joined.time, *self.joined.key), pa.string()) | wanted
            )
        if time:
            wanted.setdefault(time, types["int"])
        return wanted | {name: pa.string() for name in others if name and name not in wanted}
