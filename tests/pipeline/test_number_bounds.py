"""What an accepted schema says of numbers, and that it stops data which breaks it."""

import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from pandas import DataFrame
from tensorflow_metadata.proto.v0 import schema_pb2

from pipeline.number_bounds import with_bounds


def accepted(tmp_path, **splits):
    """The schema that is inferred of the first split, with the bounds that all splits have."""
    described = {name: tfdv.generate_statistics_from_dataframe(DataFrame(rows)) for name, rows in splits.items()}
    for name, statistics in described.items():
        folder = tmp_path / f"Split-{name}"
        folder.mkdir()
        (folder / "FeatureStats.pb").write_bytes(statistics.SerializeToString())
    inferred = text_format.MessageToString(tfdv.infer_schema(next(iter(described.values()))))
    return text_format.Parse(with_bounds(inferred, tmp_path), schema_pb2.Schema())


def domains(schema):
    """(least, largest) by column, None where there is no bound."""
    return {
        feature.name: tuple(getattr(feature.float_domain, side) if feature.float_domain.HasField(side) else None for side in ("min", "max"))
        for feature in schema.feature
        if feature.HasField("float_domain")
    }


def test_a_share_is_bound_on_both_sides_and_a_size_from_below(tmp_path):
    rows = {"share": [0.0, 0.5, 1.0], "size": [0.5, 20.0, 7.0], "warmth": [-3.5, 8.25, 0.0], "name": ["a", "b", "a"]}
    assert domains(accepted(tmp_path, train=rows)) == {"share": (0.0, 1.0), "size": (0.0, None)}


def test_every_split_counts(tmp_path):
    assert domains(accepted(tmp_path, train={"x": [0.25, 0.5]}, test={"x": [-0.5, 0.5]})) == {}


def test_a_value_below_the_bound_is_an_anomaly_with_its_column_and_its_value(tmp_path):
    schema = accepted(tmp_path, train={"長さ": [0.25, 0.5, 0.75]})
    found = tfdv.validate_statistics(tfdv.generate_statistics_from_dataframe(DataFrame({"長さ": [0.25, -1.0]})), schema)
    assert "-1" in found.anomaly_info["長さ"].description
