"""What can be set of validation, evaluation and pushing: the `schema`, `evaluator` and `pusher` sections of a config file."""

from typing import Annotated, Self

import pydantic
from pydantic import Field

from components.anomaly import KINDS
from components.place import Place
from trainer.settings import Settings


def _kinds(severity: str) -> str:
    """The kinds of that severity, in words."""
    *first, last = [f"`{kind}`" for kind, given in KINDS.items() if given == severity]
    return f"{', '.join(first)} and {last}"


Share = Annotated[float, Field(ge=0.0, le=1.0)]


Finding = Annotated[str, Field(min_length=1)]


class SchemaConfig(Settings):
    """Where the reviewed schema is, and what of the data stops a run."""

    path: Place | None = Field(
        None,
        description="The reviewed `schema.pbtxt`, absolute or relative to the config file. While the file is not there the schema is "
        "inferred; `tapeline schema accept` writes the inferred one there, and every later run uses it.",
    )
    warn: tuple[Finding, ...] = Field(
        (),
        description="What the data gate only warns of: columns, or kinds of anomalies: " + _kinds("warn") + " are warned of by themselves.",
    )
    stop: tuple[Finding, ...] = Field(
        (), description="What stops the run: columns or kinds, which are those of `warn`: " + _kinds("stop") + " stop it by themselves."
    )

    @pydantic.model_validator(mode="after")
    def _one_severity(self) -> Self:
        both = sorted({*self.warn} & {*self.stop})
        if both:
            raise ValueError(f"schema.warn: Expected what `schema.stop` does not name. Received: '{both[0]}' in both. Remove one.")
        return self


QUANTILE_LOSS = "quantile_loss"
MEDIAN = 0.5  # the quantile that is always measured


class BoundConfig(Settings):
    """One bound of the gate."""

    metric: str = Field(description="A metric of the task: `accuracy`, `auc`, `f1`, `calibration`, `rmse`, `quantile_loss` and so on.")
    min: float | None = Field(None, description="The least value that passes.")
    max: float | None = Field(None, description="The largest value that passes.")
    slice: dict[str, str] | None = Field(None, description="Rows with these values in these columns alone, `{sex: female}`.")
    quantile: Annotated[float, Field(gt=0.0, lt=1.0)] | None = Field(
        None, description="Of `quantile_loss`, which quantile the model should answer; the median, 0.5, where it is not given."
    )

    @property
    def measured(self) -> str:
        """The name of what is measured: of another quantile than the median with it, `quantile_loss_0.9`."""
        return self.metric if self.quantile in (None, MEDIAN) else f"{self.metric}_{self.quantile:g}"

    @pydantic.model_validator(mode="after")
    def _has_a_quantile(self) -> Self:
        if self.quantile is not None and self.metric != QUANTILE_LOSS:
            raise ValueError(
                f"evaluator.bounds: Expected `quantile` with the metric '{QUANTILE_LOSS}' alone. "
                f"Received: '{self.metric}'. Remove `quantile`."
            )
        return self

    @pydantic.model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.min is None) == (self.max is None):
            raise ValueError(
                f"evaluator.bounds: Expected one of min and max for the metric '{self.metric}'. "
                f"Received: {'neither' if self.min is None else 'both'}."
            )
        return self


class EvaluatorConfig(Settings):
    """The gate: what a model must reach on the test split to be pushed."""

    min_accuracy: Share | None = Field(
        None, description="The least accuracy on the whole test split; 0.9 for `digits` and `idx` where it is not given."
    )
    bounds: tuple[BoundConfig, ...] = Field((), description="Bounds of any metric of the task, on the whole test split or on a slice.")
    min_class_accuracy: Share | None = Field(None, description="The least accuracy on the rows of each class; `null` sets no such bound.")
    class_min_accuracy: dict[str, Share] = Field(
        {}, description="The least accuracy on the rows of single classes, by their label or name; wins over `min_class_accuracy`."
    )
    max_accuracy_drop: Share | None = Field(
        0.01,
        description="How much less accurate than the last blessed model a new one may be, on the same rows; `null` compares nothing.",
    )
    linear_baseline: bool | None = Field(
        None,
        description="Whether a model of columns must keep up with a linear model that is fitted in the same run. By default where "
        "`trainer.loss` is what the two are compared by: cross-entropy, without label smoothing, or the mean squared error, of rows "
        "without `weight`.",
    )


class PusherConfig(Settings):
    """Where accepted models go."""

    base_path: Place | None = Field(
        None,
        description="Folder that gets `<name>/<version>/`, absolute or relative to the config file; `serving` below the run's root if "
        "not given.",
    )
