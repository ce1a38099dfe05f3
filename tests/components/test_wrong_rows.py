"""Wrong rows in the data gate's lines: how many, which values, and in which file and line of the raw data the first of them stand."""

import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.types import standard_artifacts

from components import data_gate
from components.example_gen import executor, raw_files
from components.example_gen.columns import Columns
from components.example_gen.config import DataConfig, SplitsConfig
from tests.problems import of_pictures
from trainer.problem import Problem
from trainer.tasks import Multiclass

PRESENT = "presence { min_fraction: 1 min_count: 1 }"
SCHEMA = f"""
feature {{ name: "species" type: BYTES {PRESENT} string_domain {{ value: "setosa" value: "virginica" }} }}
feature {{ name: "length" type: FLOAT {PRESENT} value_count {{ min: 1 max: 1 }} float_domain {{ min: 0 max: 1 }} }}
"""
FLOWERS = Problem(features={"length": "number"}, label="species", task=Multiclass())
COLUMNS = Columns(kept={"length": "float", "species": "string"}, label="species")


@pytest.fixture
def anomalies(beam_context, tmp_path):
    """anomalies(data, columns, problem, schema): what the gate finds in the data that is ingested now."""

    def find(data, columns=COLUMNS, problem=FLOWERS, schema=SCHEMA):
        artifact = standard_artifacts.Examples()
        artifact.uri = str(tmp_path / "examples")
        properties = {"data": data.to_json(), "columns": columns.to_json(), "fingerprint": raw_files.fingerprint(data)}
        executor.Executor(beam_context(tmp_path)).Do({}, {"examples": [artifact]}, properties)
        parsed = text_format.Parse(schema, schema_pb2.Schema())
        described = {
            split: tfdv.generate_statistics_from_tfrecord(f"{artifact.uri}/Split-{split}/*.gz") for split in ("train", "eval", "test")
        }
        differing = {split: tfdv.validate_statistics(statistics, parsed) for split, statistics in described.items()}
        return data_gate.find(differing, described, artifact.uri, problem, "").anomalies

    return find


def test_the_values_of_a_table_are_told_with_file_and_line_and_so_are_rows_without_one(anomalies, tmp_path):
    train = ["setosa,0.5", "setosa,-1", "Setosa,0.5", "virginica,", "setosa,-2", "setosa,-1", "setosa,-3", "setosa,7"]
    rows = [f"{row},train" for row in train] + ["setosa,0.5,eval", "rosa,0.2,test"]
    (tmp_path / "x.csv").write_text("\n".join(["species,length,part", *rows]) + "\n")
    found = anomalies(DataConfig(format="csv", path=str(tmp_path / "x.csv"), splits=SplitsConfig(column="part")))
    assert [each.message for each in found] == [
        "length: 1 of 8 train rows (12%) has no value (the schema demands one in every row): line 5 of x.csv",
        "length: 5 of 8 train rows (62%) are outside 0 to 1: -1 (line 3 of x.csv), -2 (line 6 of x.csv), -3 (line 8 of x.csv) and 1 more",
        "species: 1 of 8 train rows (12%) has a value that the schema does not know: 'Setosa' (line 4 of x.csv) "
        "(it knows 'setosa', 'virginica'; did you mean 'setosa'?)",
        "species: 1 of 1 test rows (100%) has a value that the schema does not know: 'rosa' (line 11 of x.csv) "
        "(it knows 'setosa', 'virginica'; did you mean 'setosa'?)",
    ]
    assert [(each.examples, each.places) for each in found[:2]] == [
        ([], ["line 5 of x.csv"]),
        (["-1", "-2", "-3"], ["line 3 of x.csv", "line 6 of x.csv", "line 8 of x.csv"]),
    ]


def test_labels_that_the_task_does_not_have_are_told_with_the_row_of_the_file(anomalies, tmp_path, write_idx, images, labels):
    wrong = labels(60)
    wrong[[7, 20]] = 12, 11
    write_idx(tmp_path / "raw", images(60), wrong)
    write_idx(tmp_path / "raw", images(9, seed=1), labels(9), "t10k")
    data = DataConfig(format="idx", path=str(tmp_path / "raw"), splits=SplitsConfig(train=99))
    [found] = [each for each in anomalies(data, Columns(), of_pictures(), "") if each.kind == "label"]
    assert found.message.endswith(", in train: 12 (line 8 of train-images-idx3-ubyte), 11 (line 21 of train-images-idx3-ubyte)")
    assert found.rows == 2
