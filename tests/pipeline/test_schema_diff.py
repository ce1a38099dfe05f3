"""How the reviewed schema and the last run's data differ: in words, with the flags that allow it."""

import json

import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv

from pipeline import reviewed_schema, schema_diff, schema_file
from pipeline.schema_edit import Changes, edit
from trainer.errors import ConfigError

PRESENT = "presence { min_fraction: 1 min_count: 1 }"
SCHEMA = f"""
feature {{ name: "species" type: BYTES {PRESENT} string_domain {{ value: "setosa" }} }}
feature {{ name: "length" type: FLOAT {PRESENT} value_count {{ min: 1 max: 1 }} float_domain {{ min: 0 max: 1 }} }}
"""


@pytest.fixture
def config(tmp_path, settings):
    (tmp_path / "s.pbtxt").write_text(SCHEMA)
    return settings(
        data={"format": "csv", "path": "x.csv"},
        label="species",
        task="multiclass",
        features={"length": "number"},
        schema={"path": str(tmp_path / "s.pbtxt")},
    )


@pytest.fixture
def described(workspace):
    """described(rows) leaves what a run does that has described (species, length) rows."""

    def leave(rows):
        folder = workspace.artifacts / "rows" / "Split-train"
        folder.mkdir(parents=True)
        with tf.io.TFRecordWriter(str(folder / "data.gz"), "GZIP") as writer:
            for species, length in rows:
                numbers = [] if length is None else [length]  # as the ingestion writes a missing value
                features = {
                    "species": tf.train.Feature(bytes_list=tf.train.BytesList(value=[species.encode()])),
                    "length": tf.train.Feature(float_list=tf.train.FloatList(value=numbers)),
                }
                writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
        statistics = tfdv.generate_statistics_from_tfrecord(str(folder / "data.gz"))
        (folder / "FeatureStats.pb").write_bytes(statistics.SerializeToString())
        artifacts = {"ImageExampleGen": {"examples": "artifacts/rows"}, "StatisticsGen": {"statistics": "artifacts/rows"}}
        workspace.records.mkdir()
        workspace.record("1").write_text(json.dumps({"artifacts": artifacts, "data": {"fingerprint": "f"}}))

    return leave


def test_each_difference_is_told_with_the_flags_that_allow_it(config, workspace, described):
    described([("setosa", 0.5), ("Setosa", 0.5), ("setosa", -1.0), ("setosa", None)])
    assert schema_diff.differences(config, workspace) == [
        "stops: length: 1 of 4 train rows (25%) has no value (the schema demands one in every row)",
        "       to allow it: --optional length",
        "stops: length: 1 of 4 train rows (25%) is outside 0 to 1: -1",
        "       to allow it: --range length=-1:1",
        "stops: species: 1 of 4 train rows (25%) has a value that the schema does not know: 'Setosa' (it knows 'setosa'; "
        "did you mean 'setosa'?)",
        "       to allow it: --add-value species=Setosa",
    ]


def test_the_flags_that_are_named_allow_the_data(config, workspace, described):
    described([("setosa", 0.5), ("Setosa", 0.5), ("setosa", -1.0), ("setosa", None)])
    edit(config, Changes(values=["species=Setosa"], ranges=["length=-1:1"], optional=["length"]), {})
    assert schema_diff.differences(config, workspace) == []


def test_a_schema_that_is_widened_takes_in_the_data_which_is_then_compared_with(config, workspace, described):
    described([("setosa", 0.5), ("Setosa", 0.5), ("setosa", -1.0), ("setosa", None)])
    reviewed_schema.accept(config, workspace, widen=True)
    assert schema_diff.differences(config, workspace) == []
    assert [feature.name for feature in schema_file.read(config).feature] == ["species", "length"]
    assert (workspace.accepted / "last.json").is_file()


def test_without_a_run_or_a_schema_there_is_nothing_to_compare(config, workspace, tmp_path):
    with pytest.raises(ConfigError, match="Expected a run whose data was described in"):
        schema_diff.differences(config, workspace)
    (tmp_path / "s.pbtxt").unlink()
    with pytest.raises(ConfigError, match=r"Expected a reviewed schema\. Received: no file"):
        schema_diff.differences(config, workspace)
