"""What is to be learnt: from which features, which label, as which task. Every component that must know is given this one value."""

from typing import Literal

from pydantic import Field

from trainer.features import names
from trainer.settings import Settings
from trainer.tasks import Task

LABEL_SIGNATURE = "transform_label"
FILE = "assets.extra/tapeline.problem.json"  # below the folder of a saved model


class Written(Settings):
    """How values are written in the delimited text that a model has learnt from, in the words of `data.csv`."""

    names: tuple[str, ...] | None = Field(description="The columns' names where there is no header.")
    delimiter: str
    decimal: str
    thousands: str | None
    units: dict[str, str] = Field(
        {}, description="By column, what stands behind its numbers; no column of models made before this was told."
    )
    missing: tuple[str, ...]
    not_rows: tuple[str, ...]
    trim: bool
    replace: dict[str, str]


class Joined(Settings):
    """Which rows of a table a row's series are made of, as `data.series` says."""

    key: tuple[str, ...] = Field(description="The columns whose equal values make one series.")
    time: str = Field(description="The column by whose order its rows follow each other.")
    length: int = Field(description="The most numbers of a list.")
    of: dict[str, str] = Field(description="By feature, the column of its numbers.")
    before: dict[str, int] = Field(description="By feature, how many rows before its own a row's list ends.")


class Problem(Settings):
    """Crosses a component's boundary as JSON. How a feature is transformed is not in it: that changes Transform alone."""

    features: dict[str, str] = Field(min_length=1, description="The kind of each feature that the model is given, by its name.")
    orders: dict[str, Literal["day_first", "month_first"]] = Field(
        {}, description="How the dates of a feature are written in the data where the year is last, by its name."
    )
    written: Written | None = Field(None, description="How values are written in the data, where it is delimited text of a known dialect.")
    joined: Joined | None = Field(None, description="What a row's series are made of, where the rows of the data hold no lists.")
    label: str = Field(description="The name of the raw feature that is predicted.")
    task: Task = Field(description="What is predicted.")
    weight: str | None = Field(
        None,
        description="The name of the raw feature that says how much a row counts in the loss.",
        exclude_if=lambda weight: weight is None,
    )

    @property
    def is_of_pictures(self) -> bool:
        """Whether a picture is all that the model is given."""
        return list(self.features.values()) == ["image"]

    @property
    def label_signatures(self) -> list[str]:
        """The signatures of the saved model that turn tf.Examples into what a label is evaluated as, beside those that are served."""
        return [LABEL_SIGNATURE] if self.task.raw_type in ("string", "strings") else []

    @property
    def kinds(self) -> dict[str, str]:
        """The kind of each feature, and of the label as if it were one."""
        return {**self.features, self.label: "category" if self.task.raw_type == "string" else "number"}

    @property
    def evaluated_label(self) -> str:
        """The name under which the Evaluator finds the label: the raw feature's, or what `label_signatures` gives."""
        return names.LABEL if self.label_signatures else self.label
