"""Bounds of numbers in a schema that a person accepts, where the data say them: nothing below 0, or shares from 0 to 1.

TFDV infers no bounds. The least and the largest value seen would stop the run at the first row beyond them, so only these two are taken.
"""

from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2


def with_bounds(schema: str, statistics: Path) -> str:
    """The schema, as text, with bounds of the float features without a domain.

    Args:
      schema: a Schema proto as text.
      statistics: StatisticsGen's folder, with `Split-NAME/FeatureStats.pb` each.
    """
    message = text_format.Parse(schema, schema_pb2.Schema())
    seen = _ranges(statistics)
    for feature in message.feature:
        if feature.type != schema_pb2.FLOAT or feature.WhichOneof("domain_info") or feature.name not in seen:
            continue
        low, high = seen[feature.name]
        if low >= 0:
            feature.float_domain.min = 0
        if low >= 0 and high <= 1:
            feature.float_domain.max = 1
    return text_format.MessageToString(message, as_utf8=True)


def _ranges(statistics: Path) -> dict[str, tuple[float, float]]:
    """The lowest and the highest value of each number over all splits."""
    found: dict[str, tuple[float, float]] = {}
    for file in sorted(statistics.glob("Split-*/FeatureStats.pb")):
        for feature in statistics_pb2.DatasetFeatureStatisticsList.FromString(file.read_bytes()).datasets[0].features:
            if feature.HasField("num_stats") and feature.num_stats.common_stats.num_non_missing:
                name = feature.name or feature.path.step[0]
                low, high = found.get(name, (float("inf"), float("-inf")))
                found[name] = min(low, feature.num_stats.min), max(high, feature.num_stats.max)
    return found
