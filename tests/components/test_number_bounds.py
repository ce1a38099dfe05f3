"""What data says of its numbers, and that it stops later data which breaks it."""

import pytest
import tensorflow_data_validation as tfdv
from pandas import DataFrame

from components import number_bounds


def described(**columns):
    return tfdv.generate_statistics_from_dataframe(DataFrame(columns))


def bounded(*splits):
    """The schema that is inferred of the first split, with the bounds that all splits have."""
    return number_bounds.with_bounds(tfdv.infer_schema(splits[0]), number_bounds.of(splits))


def domains(schema):
    """(least, largest) by column, None where there is no bound."""
    return {
        feature.name: tuple(getattr(feature.float_domain, side) if feature.float_domain.HasField(side) else None for side in ("min", "max"))
        for feature in schema.feature
        if feature.HasField("float_domain")
    }


def found(before, now):
    """What later data, whose schema is inferred of it, breaks of that which was accepted: the descriptions by column."""
    message = tfdv.validate_statistics(now, tfdv.infer_schema(now))
    [broken] = number_bounds.against({"train": message}, {"train": now}, before).values()
    return {name: info.description for name, info in broken.anomaly_info.items()}, domains(broken.baseline)


def test_a_share_is_bound_on_both_sides_and_a_size_from_below():
    rows = described(share=[0.0, 0.5, 1.0], size=[0.5, 20.0, 7.0], warmth=[-3.5, 8.25, 0.0], name=["a", "b", "a"])
    assert domains(bounded(rows)) == {"share": (0.0, 1.0), "size": (0.0, None)}


def test_every_split_counts():
    assert domains(bounded(described(x=[0.25, 0.5]), described(x=[-0.5, 0.5]))) == {}


def test_a_value_below_the_bound_is_an_anomaly_with_its_column_and_its_value():
    schema = bounded(described(長さ=[0.25, 0.5, 0.75]))
    assert "-1" in tfdv.validate_statistics(described(長さ=[0.25, -1.0]), schema).anomaly_info["長さ"].description


@pytest.mark.parametrize(
    ("before", "now", "bound"),
    [
        ([0.25, 0.5, 0.75], [0.25, -1.0], (0.0, 1.0)),
        ([0.25, 0.5, 0.75], [0.25, 1.5], (0.0, 1.0)),
        ([0.5, 20.0, 7.0], [-0.5, 20.0], (0.0, None)),
    ],
)
def test_without_a_reviewed_schema_what_the_accepted_data_never_did_is_an_anomaly(before, now, bound):
    descriptions, bounds = found(described(x=before, other=["a", "b", "c"][: len(before)]), described(x=now, new=["a", "b"]))
    assert list(descriptions) == ["x"]
    assert bounds == {"x": bound}


@pytest.mark.parametrize(
    ("before", "now"),
    [([0.0, 1.0, 1.0], [0.0, 2.0]), ([-0.5, 1.5], [-9.0, 9.0]), ([0.5, 7.0], [0.0, 900.0])],
    ids=["counts of which no 2 was there yet", "both signs", "within"],
)
def test_without_a_reviewed_schema_other_numbers_than_before_are_none(before, now):
    assert found(described(x=before), described(x=now)) == ({}, {})
