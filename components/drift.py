"""Shifted distributions: drift from the data that was accepted last, and skew between the splits (docs/adr/0037).

statistics of two sets of rows -> TFDV's comparators, whose thresholds the schema holds, and the shares of rows without a value, which TFDV
does not compare -> those differences that chance does not explain, in words
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Literal

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from components.anomaly import KINDS, Anomaly, Shift
from components.drift_thresholds import threshold
from components.picture_statistics import SEPARATOR

Statistics = statistics_pb2.DatasetFeatureStatisticsList
_CHANCE = 1e-3  # how often rows of one distribution may be taken for those of two, for each comparison
_DEVIATIONS = 3.09  # of a normal distribution, for the same chance
_KOLMOGOROV = 1.95  # the factor of Kolmogorov and Smirnov's test for that chance
_DECILE = 0.1  # as far as the place between two deciles is unknown
_EMPTY = 0.1  # how far the share of rows without a value may shift where the schema has no threshold, as for texts and times
_BINS = 20  # TFDV compares two histograms of 10 bins each on the union of their edges


def drift(now: Statistics, before: Statistics, split: str, schema: schema_pb2.Schema) -> tuple[list[Anomaly], list[Shift]]:
    """How the rows of `split` differ from those that were accepted last."""
    found = tfdv.validate_statistics(now, _prepared(schema, now, before), previous_statistics=before)
    empty = _empty(schema, "drift", now, before, split, "in the data that was accepted last")
    return _joined(_told(found, "drift", now, before, split, "in the data that was accepted last"), empty)


def skew(train: Statistics, other: Statistics, split: str, schema: schema_pb2.Schema) -> tuple[list[Anomaly], list[Shift]]:
    """How the rows of `split` differ from those of the train split."""
    found = tfdv.validate_statistics(train, _prepared(schema, train, other), serving_statistics=other)
    return _joined(_told(found, "skew", other, train, split, "in train"), _empty(schema, "skew", other, train, split, "in train"))


def _joined(*parts: tuple[list[Anomaly], list[Shift]]) -> tuple[list[Anomaly], list[Shift]]:
    return [anomaly for anomalies, _ in parts for anomaly in anomalies], [shift for _, shifts in parts for shift in shifts]


def _empty(
    schema: schema_pb2.Schema, what: Literal["drift", "skew"], now: Statistics, before: Statistics, split: str, where: str
) -> tuple[list[Anomaly], list[Shift]]:
    """How the shares of rows without a value differ, of features with one value a row."""
    sides = [{_name(feature): feature for feature in side.datasets[0].features} for side in (now, before)]
    totals = [max(side.datasets[0].num_examples, 1) for side in (now, before)]
    told, shifts = [], []
    for feature in schema.feature:
        found = [side[feature.name] for side in sides if feature.name in side]
        if len(found) < 2 or any(_common(side).max_num_values > 1 for side in found):
            continue
        new, old = (1 - _values(side) / total for side, total in zip(found, totals, strict=True))
        if new == old:
            continue
        given = threshold(feature.drift_comparator if what == "drift" else feature.skew_comparator)
        allowed = max(_EMPTY if given is None else given, _chance_of_shares(2, *totals))
        shifts.append(Shift(f"{feature.name} (rows without a value)", split, what, round(abs(new - old), 6), round(allowed, 6)))
        if abs(new - old) > allowed:
            text = (
                f"{feature.name}: {new:.0%} of {split} rows have no value, and {old:.0%} {where} "
                f"(the difference is {abs(new - old):.2f}, at most {allowed:.2f})"
            )
            kind = "missing_column" if new == 1 and what == "drift" else what  # an empty list in each row is there for TFDV
            told.append(Anomaly(feature.name, split, kind, text, round(new * totals[0]), new, [], KINDS[kind]))
    return told, shifts


def _prepared(schema: schema_pb2.Schema, *both: Statistics) -> schema_pb2.Schema:
    """Only features that both sides have values of; a picture's thresholds stand for each of the numbers that describe it."""
    names = set.intersection(*({_name(feature) for feature in side.datasets[0].features if _values(feature)} for side in both))
    prepared = schema_pb2.Schema(string_domain=schema.string_domain)
    for feature in schema.feature:
        if feature.name in names:
            prepared.feature.add().CopyFrom(feature)
        for name in sorted(names):
            if name.startswith(f"{feature.name}{SEPARATOR}"):
                number = prepared.feature.add(name=name, type=schema_pb2.FLOAT)
                number.drift_comparator.CopyFrom(feature.drift_comparator)
                number.skew_comparator.CopyFrom(feature.skew_comparator)
    for feature in prepared.feature:  # of the bytes of a picture nothing can be compared
        if any(other.name.startswith(f"{feature.name}{SEPARATOR}") for other in prepared.feature):
            feature.ClearField("drift_comparator")
            feature.ClearField("skew_comparator")
    return prepared


def _told(
    found: anomalies_pb2.Anomalies, what: Literal["drift", "skew"], now: Statistics, before: Statistics, split: str, where: str
) -> tuple[list[Anomaly], list[Shift]]:
    sides = [{_name(feature): feature for feature in side.datasets[0].features} for side in (now, before)]
    told, shifts = [], []
    for info in found.drift_skew_info:
        for measured in info.drift_measurements if what == "drift" else info.skew_measurements:
            name = info.path.step[0]
            new, old = sides[0][name], sides[1][name]
            is_category = measured.type == anomalies_pb2.DriftSkewInfo.Measurement.L_INFTY
            allowed = max(measured.threshold, _chance(new, old, is_category))
            feature, _, part = name.partition(SEPARATOR)
            of = f" ({part} of the pictures)" if part else ""
            shifts.append(Shift(f"{feature}{of}", split, what, round(measured.value, 6), round(allowed, 6)))
            if not measured.value > allowed or not (is_category or _differ_by_quantiles(new, old)):
                continue
            kind = f"picture_{what}" if part else what
            examples = _shares(new, old) if is_category else _numbers(new, old)
            measure = "the largest difference of a share" if is_category else "Jensen-Shannon divergence"
            told.append(
                Anomaly(
                    feature,
                    split,
                    kind,
                    f"{feature}{of}: {'the shares of values' if is_category else 'the numbers'} in {split} are not those {where}: "
                    f"{', '.join(examples)} ({measure} is {measured.value:.2f}, at most {allowed:.2f})",
                    _rows(new),
                    1.0,
                    examples,
                    KINDS[kind],
                )
            )
    return told, shifts


def _chance(new: statistics_pb2.FeatureNameStatistics, old: statistics_pb2.FeatureNameStatistics, is_category: bool) -> float:
    """How far values of one distribution may be apart by chance, so many there are on either side."""
    if is_category:
        return _chance_of_shares(max(new.string_stats.unique, old.string_stats.unique, 2), _values(new), _values(old))
    spread = 1 / max(_values(new), 1) + 1 / max(_values(old), 1)
    free = _BINS - 1
    chi_squared = free * (1 - 2 / (9 * free) + _DEVIATIONS * math.sqrt(2 / (9 * free))) ** 3  # Wilson and Hilferty
    return chi_squared * spread / (8 * math.log(2))


def _chance_of_shares(values: int, *rows: int) -> float:
    """The same of so many values' shares; none varies more than one of a half."""
    return NormalDist().inv_cdf(1 - _CHANCE / (2 * values)) * math.sqrt(sum(1 / max(each, 1) for each in rows)) / 2


def _differ_by_quantiles(new: statistics_pb2.FeatureNameStatistics, old: statistics_pb2.FeatureNameStatistics) -> bool:
    """Whether the deciles have moved too. TFDV's divergence is of bins of equal width, where a far value leaves one bin to all others."""
    quantiles = [
        next((histogram.buckets for histogram in side.num_stats.histograms if histogram.type == statistics_pb2.Histogram.QUANTILES), [])
        for side in (new, old)
    ]
    if not all(quantiles):
        return True
    inner = [bucket.high_value for buckets in quantiles for bucket in buckets[:-1]]
    farthest = max((abs(_below(value, quantiles[0]) - _below(value, quantiles[1])) for value in inner), default=0.0)
    return farthest > max(_DECILE, _KOLMOGOROV * math.sqrt(1 / _values(new) + 1 / _values(old)))


def _below(value: float, buckets: Sequence[statistics_pb2.Histogram.Bucket]) -> float:
    """The share of rows up to `value`."""
    total = sum(bucket.sample_count for bucket in buckets)
    below = 0.0
    for bucket in buckets:
        if bucket.high_value <= value:
            below += bucket.sample_count
        elif bucket.low_value <= value:
            below += bucket.sample_count * (value - bucket.low_value) / (bucket.high_value - bucket.low_value)
    return below / total if total else 0.0


def _shares(new: statistics_pb2.FeatureNameStatistics, old: statistics_pb2.FeatureNameStatistics) -> list[str]:
    """The three values whose shares differ most."""
    shares = [
        {bucket.label: bucket.sample_count / max(_values(side), 1) for bucket in side.string_stats.rank_histogram.buckets}
        for side in (new, old)
    ]
    moved = {name: abs(shares[0].get(name, 0) - shares[1].get(name, 0)) for name in sorted({*shares[0], *shares[1]})}
    names = sorted(moved, key=lambda name: round(-moved[name], 6))
    return [f"{name!r} {shares[0].get(name, 0):.0%} instead of {shares[1].get(name, 0):.0%}" for name in names[:3]]


def _numbers(new: statistics_pb2.FeatureNameStatistics, old: statistics_pb2.FeatureNameStatistics) -> list[str]:
    fields = {"mean": "mean", "median": "median", "deviation": "std_dev"}
    return [f"{word} {getattr(new.num_stats, field):.4g} instead of {getattr(old.num_stats, field):.4g}" for word, field in fields.items()]


def _common(feature: statistics_pb2.FeatureNameStatistics) -> statistics_pb2.CommonStatistics:
    kind = feature.WhichOneof("stats")
    return getattr(feature, kind).common_stats if kind else statistics_pb2.CommonStatistics()


def _rows(feature: statistics_pb2.FeatureNameStatistics) -> int:
    return int(_common(feature).num_non_missing)


def _values(feature: statistics_pb2.FeatureNameStatistics) -> int:
    """How many values the rows have. A row without one has an empty list, which TFDV counts as a row, and none of its distances does."""
    return int(_common(feature).tot_num_values)


def _name(feature: statistics_pb2.FeatureNameStatistics) -> str:
    return feature.name or (feature.path.step[0] if feature.path.step else "")
