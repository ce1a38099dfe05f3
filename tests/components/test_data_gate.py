"""The gate of the data: real statistics and anomalies of TFDV, and what the refusal says."""

import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.types import artifact_utils, standard_artifacts

from components.data_gate import DataGate
from tests.problems import of_pictures
from trainer.errors import AnomaliesError
from trainer.features import names

SCHEMA = """
feature {{ name: "image/class/label" type: INT presence {{ min_fraction: 1 min_count: 1 }} shape {{ dim {{ size: 1 }} }} }}
feature {{ name: "image/height" type: INT presence {{ min_fraction: 1 min_count: 1 }} shape {{ dim {{ size: 1 }} }} {height} }}
"""
STRICTER = "int_domain { min: 9 max: 28 }"


@pytest.fixture
def gate(tmp_path):
    """gate(splits, schema, classes): describes {split: [row, ...]} with TFDV, holds it against the schema, and runs the gate."""

    def run(splits, schema=None, classes=10):
        import pandas as pd

        statistics, anomalies = standard_artifacts.ExampleStatistics(), standard_artifacts.ExampleAnomalies()
        for artifact, name in ((statistics, "statistics"), (anomalies, "anomalies")):
            artifact.uri = str(tmp_path / name)
            artifact.split_names = artifact_utils.encode_split_names(list(splits))
        parsed = text_format.Parse(schema or SCHEMA.format(height=""), schema_pb2.Schema())
        for split, rows in splits.items():
            described = tfdv.generate_statistics_from_dataframe(pd.DataFrame(rows))
            write(tmp_path / "statistics" / f"Split-{split}" / "FeatureStats.pb", described)
            write(tmp_path / "anomalies" / f"Split-{split}" / "SchemaDiff.pb", tfdv.validate_statistics(described, parsed))
        DataGate.EXECUTOR_SPEC.executor_class().Do(
            {"statistics": [statistics], "anomalies": [anomalies]}, {}, {"problem": of_pictures(classes).to_json()}
        )

    return run


def write(path, message):
    path.parent.mkdir(parents=True)
    path.write_bytes(message.SerializeToString())


def rows(height=8, labels=range(10)):
    return [{names.IMAGE_LABEL: label, names.IMAGE_HEIGHT: height} for label in labels]


def refusal(gate, *arguments, **options):
    with pytest.raises(AnomaliesError) as caught:
        gate(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("Expected data without anomalies. Received: ")
    assert message.endswith(". Mend the data, or review the schema that `schema.path` names.")
    return message


def test_data_that_is_as_the_schema_says_passes(gate):
    gate({"train": rows(), "eval": rows(labels=[0, 9])})


def test_an_anomaly_is_told_with_feature_split_what_was_found_and_what_the_schema_says(gate):
    message = refusal(gate, {"train": rows(height=28), "eval": rows(height=8)}, SCHEMA.format(height=STRICTER))
    assert "feature 'image/height', split 'eval': Out-of-range values: Unexpectedly small value: 8" in message
    assert (
        "(the schema says: presence { min_fraction: 1.0 min_count: 1 } shape { dim { size: 1 } } type: INT int_domain { min: 9 max: 28 })"
        in message
    )
    assert "split 'train'" not in message


def test_a_feature_that_the_schema_does_not_know_is_named(gate):
    message = refusal(gate, {"train": [{**row, "image/depth": 1} for row in rows()]})
    assert (
        "feature 'image/depth', split 'train': New column: New column (column in data but not in schema) (the schema says: no such feature)"
        in message
    )


def test_what_is_wrong_with_a_split_as_a_whole_is_told(gate):
    message = refusal(
        gate, {"train": rows(), "eval": rows(labels=[1])}, SCHEMA.format(height="") + "dataset_constraints { min_examples_count: 5 }"
    )
    assert message.count("split '") == 1
    assert "Received: split 'eval': Low num examples in dataset" in message


def test_a_feature_that_is_missing_is_named(gate):
    message = refusal(gate, {"train": [{names.IMAGE_LABEL: 1}]})
    assert "feature 'image/height', split 'train': Column dropped: Column is completely missing (the schema says: presence {" in message


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([0, 3, 10], "labels from 0 to 10 (`trainer.classes` says: 0 to 9): for these labels set `trainer.classes: 11`"),
        ([-1, 9], "labels from -1 to 9 (`trainer.classes` says: 0 to 9)"),
    ],
)
def test_labels_outside_the_models_classes_are_anomalies_whatever_the_schema_allows(gate, labels, said):
    message = refusal(gate, {"train": rows(), "test": rows(labels=labels)})
    assert f"Received: feature 'image/class/label', split 'test': {said}. Mend" in message


def test_the_classes_to_set_cover_the_labels_of_every_split(gate):
    message = refusal(gate, {"train": rows(labels=[0, 25]), "test": rows(labels=[0, 26])})
    assert message.count("set `trainer.classes: 27`") == 2


def test_more_classes_make_the_same_labels_right(gate):
    gate({"train": rows(labels=range(12))}, classes=12)


def test_of_many_anomalies_eight_are_told_and_the_others_counted(gate):
    message = refusal(gate, {"train": [{**row, **{f"new{index}": 1 for index in range(11)}} for row in rows()]})
    assert message.count("feature '") == 8
    assert "; and 3 more. Mend" in message
