"""What TFDV has found to differ from the schema, in a person's words, with the rows counted.

Anomalies proto of a split -> which columns and why -> once through the split's rows, for these columns alone -> a line each
"""

import collections
import dataclasses
import math
from collections.abc import Callable, Sequence

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from components.anomaly import Anomaly
from components.domains import bounds, known_values, range_words
from components.example_rows import Value, rows, values
from trainer.errors import did_you_mean

_SHOWN = 3
_KNOWN_SHOWN = 5
_Reason = anomalies_pb2.AnomalyInfo.Reason
_WRONG_TYPE = (
    *("UNEXPECTED_DATA_TYPE", "ENUM_TYPE_BYTES_NOT_STRING", "ENUM_TYPE_FLOAT_NOT_STRING", "ENUM_TYPE_INT_NOT_STRING"),
    *("FLOAT_TYPE_NOT_FLOAT", "FLOAT_TYPE_STRING_NOT_FLOAT", "FLOAT_TYPE_NON_STRING", "INT_TYPE_INT_EXPECTED", "INT_TYPE_NOT_INT_STRING"),
    *("INT_TYPE_NOT_STRING", "INT_TYPE_STRING_EXPECTED", "STRING_TYPE_NOW_FLOAT", "STRING_TYPE_NOW_INT"),
)
_KIND_OF = {
    **{f"{of}_TYPE_{side}_{of}": "out_of_range" for of in ("FLOAT", "INT") for side in ("SMALL", "BIG")},
    **dict.fromkeys(("ENUM_TYPE_UNEXPECTED_STRING_VALUES", "BOOL_TYPE_UNEXPECTED_STRING", "ENUM_TYPE_INVALID_UTF8"), "new_value"),
    **dict.fromkeys(("FLOAT_TYPE_HAS_NAN", "FLOAT_TYPE_HAS_INF"), "not_finite"),
    **dict.fromkeys(("SCHEMA_MISSING_COLUMN", "FEATURE_TYPE_NOT_PRESENT", "FEATURE_TYPE_NO_VALUES"), "missing_column"),
    **dict.fromkeys(
        ("FEATURE_TYPE_LOW_FRACTION_PRESENT", "FEATURE_TYPE_LOW_NUMBER_PRESENT", "FEATURE_TYPE_LOW_NUMBER_VALUES"), "missing_values"
    ),
    "SCHEMA_NEW_COLUMN": "new_column",
    **dict.fromkeys(_WRONG_TYPE, "wrong_type"),
}
_TYPES = {schema_pb2.BYTES: "texts", schema_pb2.INT: "whole numbers", schema_pb2.FLOAT: "numbers"}


@dataclasses.dataclass
class _Count:
    """Which rows a test has hit."""

    rows: int = 0
    values: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)


def of_split(message: anomalies_pb2.Anomalies, split: str, split_uri: str, total: int) -> list[Anomaly]:
    """A line for each column and kind of anomaly.

    Args:
      message: what ExampleValidator has written of the split; it holds the schema too.
      split: its name.
      split_uri: the folder of its TFRecords.
      total: its rows.
    """
    features = {feature.name: feature for feature in message.baseline.feature}
    told, wanted = [], {}
    for name, info in sorted(message.anomaly_info.items()):
        severity = "warn" if info.severity == anomalies_pb2.AnomalyInfo.WARNING else "stop"
        for reason in info.reason:
            kind = _KIND_OF.get(_Reason.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_number[reason.type].name, "other")
            if kind == "other":
                told.append(Anomaly(name, split, kind, f"{name}: {sentence(reason)}, in {split}", severity=severity))
            elif (name, kind) not in wanted:
                wanted[name, kind] = severity
    tests = {(name, kind): _test(kind, features.get(name), message.baseline) for name, kind in wanted if kind != "missing_column"}
    counts = _counted(tests, split_uri)
    for (name, kind), severity in wanted.items():
        count = counts.get((name, kind), _Count(total))
        text = _words(name, kind, count, total, split, features.get(name), message.baseline)
        share = count.rows / total if total else None
        told.append(Anomaly(name, split, kind, text, count.rows, share, list(count.values)[:_SHOWN], severity))
    told += [Anomaly("", split, "other", f"{split}: {sentence(reason)}") for reason in message.dataset_anomaly_info.reason]
    return sorted(told, key=lambda anomaly: anomaly.feature)


def sentence(reason: anomalies_pb2.AnomalyInfo.Reason) -> str:
    """TFDV's own words."""
    return f"{reason.short_description}: {reason.description.rstrip('. ')}"


def _counted(tests: dict[tuple[str, str], Callable[[list[Value]], list[Value] | None]], split_uri: str) -> dict[tuple[str, str], _Count]:
    counts = {key: _Count() for key in tests}
    for example in rows(split_uri) if tests else ():
        for (name, kind), test in tests.items():
            hit = test(values(example, name))
            if hit is not None:
                counts[name, kind].rows += 1
                counts[name, kind].values.update(shown(value) for value in hit)
    return counts


def _test(kind: str, feature: schema_pb2.Feature | None, schema: schema_pb2.Schema) -> Callable[[list[Value]], list[Value] | None]:
    """What gives the wrong ones of a row's values, and None where the row is as it should be."""
    if kind == "missing_values":
        return lambda found: None if found else []
    is_wrong = _wrong(kind, feature, schema)
    return lambda found: [value for value in found if is_wrong(value)] or None


def _wrong(kind: str, feature: schema_pb2.Feature | None, schema: schema_pb2.Schema) -> Callable[[Value], bool]:
    if kind == "new_value":
        known = set(known_values(feature, schema))
        return lambda value: shown(value, quote=False) not in known
    if kind == "out_of_range":
        low, high = bounds(feature)
        return lambda value: not isinstance(value, bytes) and not low <= value <= high
    if kind == "not_finite":
        return lambda value: isinstance(value, float) and not math.isfinite(value)
    if kind == "wrong_type" and feature is not None:
        right = {schema_pb2.BYTES: bytes, schema_pb2.INT: int, schema_pb2.FLOAT: float}.get(feature.type, bytes)
        return lambda value: not isinstance(value, right)
    return lambda _: True


def _words(
    name: str, kind: str, count: _Count, total: int, split: str, feature: schema_pb2.Feature | None, schema: schema_pb2.Schema
) -> str:
    of_rows, have, are = _of_rows(count.rows, total, split)
    examples = _listed(list(count.values), _SHOWN)
    if kind == "new_value":
        known = known_values(feature, schema)
        listed = _listed([repr(value) for value in known], _KNOWN_SHOWN) or "none"
        near = [did_you_mean(value.strip("'"), known) for value in list(count.values)[:1]]
        hint = f"; {near[0].strip()[0].lower()}{near[0].strip()[1:]}" if near and near[0] else ""
        return f"{name}: {of_rows} {have} a value that the schema does not know: {examples} (it knows {listed}{hint})"
    if kind == "out_of_range":
        return f"{name}: {of_rows} {are} outside {range_words(feature)}: {examples}"
    if kind == "not_finite":
        return f"{name}: {of_rows} {have} no finite number: {examples}"
    if kind == "missing_column":
        return f"{name}: the column is missing in all {total:,} {split} rows (the schema demands it)"
    if kind == "missing_values":
        return f"{name}: {of_rows} {have} no value ({_presence(feature)})"
    if kind == "new_column":
        return f"{name}: the schema does not know this column, which {of_rows} {have}: {examples}"
    expected = _TYPES.get(feature.type, "another type") if feature is not None else "another type"
    return f"{name}: wrong type in {of_rows}: {expected} expected, found {examples or 'another type'}"


def _of_rows(count: int, total: int, split: str) -> tuple[str, str, str]:
    share = f" ({count / total:.0%})" if total and count / total >= 0.01 else ""
    return f"{count:,} of {total:,} {split} rows{share}", "has" if count == 1 else "have", "is" if count == 1 else "are"


def _listed(items: Sequence[str], most: int) -> str:
    more = f" and {len(items) - most:,} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more


def _presence(feature: schema_pb2.Feature | None) -> str:
    least = feature.presence.min_fraction if feature is not None else 0.0
    return "the schema demands one in every row" if least in (0, 1) else f"the schema demands one in {least:.0%} of the rows"


def shown(value: Value, quote: bool = True) -> str:
    """A value as a person writes it: texts in quotes, short."""
    if isinstance(value, bytes):
        text = value.decode("utf-8", "replace")
        if not quote:
            return text
        return repr(text if len(text) <= 60 else f"{text[:60]}...")
    return f"{value:.6g}" if isinstance(value, float) else str(value)
