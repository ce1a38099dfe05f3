"""Bounds of numbers where the data say them: nothing below 0, or shares from 0 to 1.

TFDV infers no bounds. The least and the largest value seen would stop the run at the first row beyond them, so only these two are taken:
into a schema that a person accepts; and where nobody has yet, for data that comes behind some that was accepted.
"""

import math
from collections.abc import Iterable, Mapping

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

Statistics = statistics_pb2.DatasetFeatureStatisticsList
Bounds = tuple[float, float]


def of(described: Iterable[Statistics]) -> dict[str, Bounds]:
    """The bounds of each number that has some over all the statistics; infinite above where it is no share."""
    seen: dict[str, Bounds] = {}
    for message in described:
        for feature in message.datasets[0].features:
            if feature.HasField("num_stats") and feature.num_stats.common_stats.tot_num_values:
                low, high = seen.get(_name(feature), (math.inf, -math.inf))
                seen[_name(feature)] = min(low, feature.num_stats.min), max(high, feature.num_stats.max)
    return {name: (0.0, 1.0 if high <= 1 else math.inf) for name, (low, high) in seen.items() if low >= 0}


def with_bounds(schema: schema_pb2.Schema, bounds: Mapping[str, Bounds]) -> schema_pb2.Schema:
    """The schema with those of the float features without a domain."""
    bounded = schema_pb2.Schema.FromString(schema.SerializeToString())
    for feature in bounded.feature:
        if _is_open(feature) and feature.name in bounds:
            feature.float_domain.min, high = bounds[feature.name]
            if high < math.inf:
                feature.float_domain.max = high
    return bounded


def against(
    differing: Mapping[str, anomalies_pb2.Anomalies], described: Mapping[str, Statistics], before: Statistics
) -> dict[str, anomalies_pb2.Anomalies]:
    """What differs from an inferred schema, and which numbers break the bounds that the data accepted last had.

    Args:
      differing: what TFDV says of each split.
      described: the statistics of each split.
      before: those that were accepted.
    """
    bounds = {name: (low, high if _has_fractions(name, before) else math.inf) for name, (low, high) in of([before]).items()}
    return {split: _bounded(message, described[split], bounds) for split, message in differing.items()}


def _bounded(message: anomalies_pb2.Anomalies, statistics: Statistics, bounds: Mapping[str, Bounds]) -> anomalies_pb2.Anomalies:
    names = {feature.name for feature in message.baseline.feature if _is_open(feature) and feature.name in bounds}
    alone = schema_pb2.Schema(feature=[feature for feature in message.baseline.feature if feature.name in names])
    theirs = Statistics.FromString(statistics.SerializeToString())
    kept = [feature for feature in theirs.datasets[0].features if _name(feature) in names]
    del theirs.datasets[0].features[:]
    theirs.datasets[0].features.extend(kept)
    bounded = with_bounds(alone, bounds)
    found = tfdv.validate_statistics(theirs, bounded).anomaly_info if names else {}
    result = anomalies_pb2.Anomalies.FromString(message.SerializeToString())
    for feature in result.baseline.feature:
        if feature.name in found:
            feature.CopyFrom(next(each for each in bounded.feature if each.name == feature.name))
            result.anomaly_info[feature.name].MergeFrom(found[feature.name])
    return result


def _is_open(feature: schema_pb2.Feature) -> bool:
    return feature.type == schema_pb2.FLOAT and not feature.WhichOneof("domain_info")


def _has_fractions(name: str, statistics: Statistics) -> bool:
    """Whether a number's quantiles are not all whole: 0 and 1 alone may be counts of which no 2 was there yet."""
    [feature] = [each for each in statistics.datasets[0].features if _name(each) == name]
    quantiles = [histogram for histogram in feature.num_stats.histograms if histogram.type == statistics_pb2.Histogram.QUANTILES]
    return any(not bucket.high_value.is_integer() for histogram in quantiles for bucket in histogram.buckets)


def _name(feature: statistics_pb2.FeatureNameStatistics) -> str:
    return feature.name or feature.path.step[0]
