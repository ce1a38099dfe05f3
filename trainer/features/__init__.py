"""The kinds of features, one a file: a kind's settings, what Transform makes of it, and how a row holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from trainer.features import names
from trainer.features.category import CategoryFeature, values_of
from trainer.features.cross import Crosses, crossed
from trainer.features.image import ImageFeature
from trainer.features.number import NumberFeature
from trainer.features.series import SeriesFeature
from trainer.features.text import TextFeature
from trainer.features.time import TimeFeature
from trainer.lazy import tf
from trainer.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trainer.lazy import tft

KINDS = (ImageFeature, NumberFeature, CategoryFeature, TimeFeature, TextFeature, SeriesFeature)
_DTYPES = {"bytes": "string", "string": "string", "float": "float32", "floats": "float32", "int": "int64"}
RAW_DTYPES = {kind.model_fields["kind"].default: _DTYPES[kind.raw_type] for kind in KINDS}  # TensorFlow's name, by kind
MISSING_VALUES = {kind.model_fields["kind"].default: kind.missing_value for kind in KINDS}  # what stands for none, by kind
LISTS = {kind.model_fields["kind"].default for kind in KINDS if kind.raw_type == "floats"}  # the kinds of which a row has a list


def _in_full(given: Any) -> Any:
    """`number` is short for `{kind: number}`."""
    return {"kind": given} if isinstance(given, str) else given


_InFull = Annotated[ImageFeature | NumberFeature | CategoryFeature | TimeFeature | TextFeature | SeriesFeature, Field(discriminator="kind")]
_Short = Literal["image", "number", "category", "time", "text", "series"]  # for the JSON Schema: what `_in_full` takes
Feature = Annotated[_InFull, BeforeValidator(_in_full, json_schema_input_type=_Short | _InFull)]


class Features(Settings):
    """The features that a model is given. Crosses Transform's boundary as JSON."""

    by_name: dict[str, Feature] = Field(min_length=1, description="The features by their names in a raw row.")

    crosses: Crosses = Field([], description="Features whose values together are one more category.")

    @property
    def kinds(self) -> dict[str, str]:
        """The kind of each feature."""
        return {name: feature.kind for name, feature in self.by_name.items()}

    @property
    def series(self) -> dict[str, SeriesFeature]:
        """The features that are lists of numbers in the order of time."""
        return {name: feature for name, feature in self.by_name.items() if isinstance(feature, SeriesFeature)}

    @property
    def orders(self) -> dict[str, Any]:
        """How the dates of a feature are written, of those whose year is last."""
        times = {name: feature for name, feature in self.by_name.items() if isinstance(feature, TimeFeature)}
        return {name: feature.order for name, feature in times.items() if feature.order != "year_first"}

    @property
    def learns_from_data(self) -> bool:
        """Whether Transform must see the whole training split before it can transform a row."""
        return any(feature.learns_from_data for feature in self.by_name.values())

    def transform(self, raw: Mapping[str, tf.Tensor | tf.SparseTensor]) -> dict[str, tf.Tensor]:
        """What the model gets of a row's raw features, (batch, ...) by transformed name; features of one kind are worked on together."""
        result = {}
        for kind in KINDS:
            own = {name: feature for name, feature in self.by_name.items() if isinstance(feature, kind)}
            if own:
                result |= kind.transform(own, {name: raw[name] for name in own})
        return result | self._crossed(raw, result)

    def _crossed(self, raw: Mapping[str, tf.Tensor | tf.SparseTensor], transformed: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        if not self.crosses:
            return {}
        bucketed = [name for name, feature in self.by_name.items() if getattr(feature, "buckets", None)]
        texts = {
            name: tf.strings.as_string(transformed[names.BUCKETS][:, bucketed.index(name)]) if name in bucketed else values_of(raw[name])
            for name in dict.fromkeys(name for cross in self.crosses for name in cross.of)
        }
        return {names.CROSSES: crossed(self.crosses, texts)}


def table_sizes(graph: tft.TFTransformOutput) -> dict[str, int]:
    """How many rows the table has that a transformed feature's values are places in, by its name; see `kind.places_in_table`."""
    features = graph.transformed_metadata.schema.feature
    return {
        feature.name: feature.int_domain.max + 1 for feature in features if feature.HasField("int_domain") and feature.name != names.LABEL
    }
