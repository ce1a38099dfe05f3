"""How far a distribution may shift: thresholds in the schema, for TFDV's comparators, where a person can edit them."""

from collections.abc import Mapping

from tensorflow_metadata.proto.v0 import schema_pb2

_THRESHOLDS = {"category": 0.1, "number": 0.1, "image": 0.2}


def with_thresholds(schema: schema_pb2.Schema, kinds: Mapping[str, str]) -> schema_pb2.Schema:
    """The schema with a threshold for drift and for skew of each feature that has none.

    Args:
      schema: a Schema.
      kinds: `category`, `number`, `image` and other kinds by the feature's name. Of texts and times nothing is compared: the former have no
        shares, the latter move on by themselves.
    """
    copy = schema_pb2.Schema.FromString(schema.SerializeToString())
    for feature in copy.feature:
        kind = kinds.get(feature.name, "")
        for comparator in (feature.drift_comparator, feature.skew_comparator):
            if kind not in _THRESHOLDS or threshold(comparator) is not None:
                continue
            set_threshold(comparator, _THRESHOLDS[kind], kind == "category")
    return copy


def threshold(comparator: schema_pb2.FeatureComparator) -> float | None:
    """What it allows, None where it says nothing."""
    for name in ("infinity_norm", "jensen_shannon_divergence"):
        if comparator.HasField(name):
            return float(getattr(comparator, name).threshold)
    return None


def set_threshold(comparator: schema_pb2.FeatureComparator, value: float, is_category: bool) -> None:
    """L-infinity compares the shares of values, Jensen-Shannon's divergence numbers."""
    comparator.Clear()
    (comparator.infinity_norm if is_category else comparator.jensen_shannon_divergence).threshold = value
