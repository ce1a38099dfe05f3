"""What TFDV has found to differ from the schema, in a person's words, with the rows counted.

Anomalies proto of a split -> which columns and why -> a test of rows for each, which somebody counts -> a line each
"""

import math
from collections.abc import Callable, Iterator, Mapping

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from components.anomaly import Anomaly, Severity
from components.domains import bounds, known_values, range_words
from components.example_rows import Value
from components.wrong_rows import Hits, Places, Test, listed, shown
from trainer.errors import did_you_mean

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


_IN_EVERY_ROW = ("missing_column", "new_column")  # one of them is as good as another
Key = tuple[str, str]  # the column and the kind of anomaly


def tests(message: anomalies_pb2.Anomalies) -> dict[Key, Test]:
    """What finds the rows that an anomaly is about, for each that is about some.

    Args:
      message: what ExampleValidator has written of the split; it holds the schema too.
    """
    features = {feature.name: feature for feature in message.baseline.feature}
    return {
        (name, kind): Test(name, _test(kind, features.get(name), message.baseline))
        for name, kind, _, _ in _reasons(message)
        if kind not in ("other", "missing_column")
    }


def anomalies(message: anomalies_pb2.Anomalies, split: str, total: int, hits: Mapping[Key, Hits], places: Places) -> list[Anomaly]:
    """A line for each column and kind of anomaly.

    Args:
      message: as in `tests`.
      split: its name.
      total: its rows.
      hits: what `tests` have hit.
      places: where rows stand in the raw data, as far as that is known.
    """
    features = {feature.name: feature for feature in message.baseline.feature}
    told: dict[tuple[str, ...], Anomaly] = {}
    for name, kind, reason, severity in _reasons(message):
        if kind == "other":
            text = f"{name}: {sentence(reason)}, in {split}"
            told[name, kind, text] = Anomaly(name, split, kind, text, severity=severity)
        elif (name, kind) not in told:
            hit = hits.get((name, kind), Hits(total))
            known = [] if kind in _IN_EVERY_ROW else hit.places(split, places)
            text = _words(name, kind, hit, known, total, split, features.get(name), message.baseline)
            values = [value for value, _ in hit.examples if hit.values]
            told[name, kind] = Anomaly(name, split, kind, text, hit.rows, hit.rows / total if total else None, values, severity, known)
    whole = [Anomaly("", split, "other", f"{split}: {sentence(reason)}") for reason in message.dataset_anomaly_info.reason]
    return sorted([*told.values(), *whole], key=lambda anomaly: anomaly.feature)


def _reasons(message: anomalies_pb2.Anomalies) -> Iterator[tuple[str, str, anomalies_pb2.AnomalyInfo.Reason, Severity]]:
    """(column, kind, reason, severity) by column."""
    for name, info in sorted(message.anomaly_info.items()):
        severity: Severity = "warn" if info.severity == anomalies_pb2.AnomalyInfo.WARNING else "stop"
        for reason in info.reason:
            kind = _Reason.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_number[reason.type].name
            yield name, _KIND_OF.get(kind, "other"), reason, severity


def sentence(reason: anomalies_pb2.AnomalyInfo.Reason) -> str:
    """TFDV's own words."""
    return f"{reason.short_description}: {reason.description.rstrip('. ')}"


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
    name: str,
    kind: str,
    hit: Hits,
    places: list[str],
    total: int,
    split: str,
    feature: schema_pb2.Feature | None,
    schema: schema_pb2.Schema,
) -> str:
    of_rows, have, are = _of_rows(hit.rows, total, split)
    examples = hit.sentence(places)
    if kind == "new_value":
        known = known_values(feature, schema)
        knows = listed([repr(value) for value in known[:_KNOWN_SHOWN]], len(known)) or "none"
        near = [did_you_mean(value.strip("'"), known) for value, _ in hit.examples[:1]]
        hint = f"; {near[0].strip()[0].lower()}{near[0].strip()[1:]}" if near and near[0] else ""
        return f"{name}: {of_rows} {have} a value that the schema does not know: {examples} (it knows {knows}{hint})"
    if kind == "out_of_range":
        return f"{name}: {of_rows} {are} outside {range_words(feature)}: {examples}"
    if kind == "not_finite":
        return f"{name}: {of_rows} {have} no finite number: {examples}"
    if kind == "missing_column":
        return f"{name}: the column is missing in all {total:,} {split} rows (the schema demands it)"
    if kind == "missing_values":
        return f"{name}: {of_rows} {have} no value ({_presence(feature)}){examples and ': '}{examples}"
    if kind == "new_column":
        return f"{name}: the schema does not know this column, which {of_rows} {have}: {examples}"
    expected = _TYPES.get(feature.type, "another type") if feature is not None else "another type"
    return f"{name}: wrong type in {of_rows}: {expected} expected, found {examples or 'another type'}"


def _of_rows(count: int, total: int, split: str) -> tuple[str, str, str]:
    share = f" ({count / total:.0%})" if total and count / total >= 0.01 else ""
    return f"{count:,} of {total:,} {split} rows{share}", "has" if count == 1 else "have", "is" if count == 1 else "are"


def _presence(feature: schema_pb2.Feature | None) -> str:
    least = feature.presence.min_fraction if feature is not None else 0.0
    return "the schema demands one in every row" if least in (0, 1) else f"the schema demands one in {least:.0%} of the rows"
