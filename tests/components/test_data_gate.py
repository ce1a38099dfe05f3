"""The gate of the data: real rows, statistics and anomalies of TFDV, and what the refusal and the warnings say."""

import io
import re

import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from PIL import Image
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.types import artifact_utils, standard_artifacts

from components.data_found import read_found
from components.data_gate import DataGate
from tests.problems import of_pictures
from trainer.errors import AnomaliesError
from trainer.features import names
from trainer.problem import Problem
from trainer.tasks import Multiclass

PRESENT = "presence { min_fraction: 1 min_count: 1 }"
PICTURES = f"""
feature {{ name: "image/class/label" type: INT {PRESENT} shape {{ dim {{ size: 1 }} }} }}
feature {{ name: "image/height" type: INT {PRESENT} shape {{ dim {{ size: 1 }} }} }}
"""
SPECIES = f'feature {{ name: "species" type: BYTES {PRESENT} string_domain {{ value: "setosa" value: "virginica" }} }}'
LENGTH = f'feature {{ name: "length" type: FLOAT {PRESENT} float_domain {{ min: 0 max: 1 }} }}'
FLOWERS = Problem(features={"length": "number"}, label="species", task=Multiclass())


@pytest.fixture
def gate(tmp_path):
    """gate(splits, schema, problem, ...) writes {split: [row, ...]}, describes it with TFDV and runs the gate; gives its folder."""
    runs = iter(range(9))

    def run(splits, schema=PICTURES, problem=None, accepted="", severities="{}", is_reviewed=1):
        folder = tmp_path / str(next(runs))
        kinds = {
            "examples": standard_artifacts.Examples,
            "statistics": standard_artifacts.ExampleStatistics,
            "anomalies": standard_artifacts.ExampleAnomalies,
            "found": standard_artifacts.ExampleAnomalies,
        }
        artifacts = {name: kind() for name, kind in kinds.items()}
        for name, artifact in artifacts.items():
            artifact.uri = str(folder / name)
            artifact.split_names = artifact_utils.encode_split_names(list(splits))
        parsed = text_format.Parse(schema, schema_pb2.Schema())
        for split, rows in splits.items():
            file = folder / "examples" / f"Split-{split}" / "data_tfrecord-00-00000.gz"
            file.parent.mkdir(parents=True)
            with tf.io.TFRecordWriter(str(file), "GZIP") as writer:
                for row in rows:
                    writer.write(example(row))
            described = tfdv.generate_statistics_from_tfrecord(str(file))
            write(folder / "statistics" / f"Split-{split}" / "FeatureStats.pb", described)
            write(folder / "anomalies" / f"Split-{split}" / "SchemaDiff.pb", tfdv.validate_statistics(described, parsed))
        found = artifacts.pop("found")
        DataGate.EXECUTOR_SPEC.executor_class().Do(
            {name: [artifact] for name, artifact in artifacts.items()},
            {"found": [found]},
            {"problem": (problem or of_pictures()).to_json(), "accepted": accepted, "severities": severities, "is_reviewed": is_reviewed},
        )
        return found.uri

    return run


def example(row):
    features = {}
    for name, value in row.items():
        if value == []:  # what the readers make of an empty cell
            features[name] = tf.train.Feature(bytes_list=tf.train.BytesList())
        elif isinstance(value, (bytes, str)):
            features[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[value if isinstance(value, bytes) else value.encode()]))
        elif isinstance(value, float):
            features[name] = tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        elif value is not None:
            features[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def write(path, message):
    path.parent.mkdir(parents=True)
    path.write_bytes(message.SerializeToString())


def warnings(folder):
    return read_found(folder).anomalies


def rows(height=8, labels=range(10)):
    return [{names.IMAGE_LABEL: label, names.IMAGE_HEIGHT: height} for label in labels]


def flowers(species="setosa", length=None, count=10):
    """As many rows; their lengths are of two kinds by turns where none is given, so that the column is no constant."""
    return [{"species": species, "length": length if length is not None else 0.5 + row % 2 / 4} for row in range(count)]


def refusal(gate, *arguments, **options):
    with pytest.raises(AnomaliesError) as caught:
        gate(*arguments, **options)
    first, *lines = str(caught.value).splitlines()
    assert first.startswith("Expected data without anomalies. Received: ")
    assert first.endswith(". Mend the data, or review the schema: `tapeline schema diff CONFIG` says how they differ.")
    found = caught.value.anomalies
    assert [each["message"] for each in found if each["severity"] == "stop"][: len(lines) or 1] == (lines or [between(first)])
    return found


def between(line):
    return line.partition("Received: ")[2].rpartition(". Mend the data")[0]


def test_data_that_is_as_the_schema_says_passes(gate):
    assert warnings(gate({"train": rows(), "eval": rows(labels=[0, 9])})) == []


def test_new_values_are_counted_and_named_beside_what_the_schema_knows(gate):
    data = flowers(count=6) + flowers("Setosa", count=3) + flowers("rosa", count=1)
    [found] = refusal(gate, {"train": data}, SPECIES + LENGTH, FLOWERS)
    assert found == {
        "feature": "species",
        "split": "train",
        "kind": "new_value",
        "rows": 4,
        "share": 0.4,
        "examples": ["'Setosa'", "'rosa'"],
        "places": [],
        "severity": "stop",
        "message": "species: 4 of 10 train rows (40%) have a value that the schema does not know: 'Setosa', 'rosa' "
        "(it knows 'setosa', 'virginica'; did you mean 'setosa'?)",
    }


def test_of_many_new_values_three_are_named_and_the_others_counted(gate):
    data = [row for name in "abcde" for row in flowers(name, count=1)]
    [found] = refusal(gate, {"train": data}, SPECIES + LENGTH, FLOWERS)
    assert "know: 'a', 'b', 'c' and 2 more (it" in found["message"]
    assert found["examples"] == ["'a'", "'b'", "'c'"]


def test_a_cell_out_of_range_is_named_with_value_and_range(gate):
    data = {"train": flowers(), "eval": [*flowers(count=299), *flowers(length=-1.0, count=1)]}
    [found] = refusal(gate, data, SPECIES + LENGTH, FLOWERS)
    assert found["message"] == "length: 1 of 300 eval rows is outside 0 to 1: -1"
    assert (found["kind"], found["rows"]) == ("out_of_range", 1)


def test_a_missing_column_and_missing_values_are_told_apart(gate):
    data = {"train": [{"species": "setosa"}] * 3, "eval": [*flowers(count=3), {"species": "setosa"}]}
    found = refusal(gate, data, SPECIES + LENGTH, FLOWERS)
    assert [(each["kind"], each["rows"], each["message"]) for each in found] == [
        ("missing_column", 3, "length: the column is missing in all 3 train rows (the schema demands it)"),
        ("missing_values", 1, "length: 1 of 4 eval rows (25%) has no value (the schema demands one in every row)"),
    ]


def test_a_wrong_type_is_told_with_values(gate):
    [found] = refusal(gate, {"train": [{"species": "setosa", "length": "long"}] * 4}, SPECIES + LENGTH, FLOWERS)
    assert found["message"] == "length: wrong type in 4 of 4 train rows (100%): numbers expected, found 'long'"


def test_a_column_that_the_schema_does_not_know_is_named_with_values(gate):
    [found] = refusal(gate, {"train": [{**row, "image/depth": 1} for row in rows()]})
    assert found["message"] == "image/depth: the schema does not know this column, which 10 of 10 train rows (100%) have: 1"


def test_what_is_wrong_with_a_split_as_a_whole_is_told(gate):
    [found] = refusal(gate, {"train": rows(), "eval": rows(labels=[1])}, PICTURES + "dataset_constraints { min_examples_count: 5 }")
    assert found["message"].startswith("eval: Low num examples in dataset")


def test_what_the_config_only_warns_of_passes_with_a_warning_and_a_column_counts_more_than_a_kind(gate):
    data = {"train": flowers("rosa", length=2.0)}
    folder = gate(data, SPECIES + LENGTH, FLOWERS, severities='{"warn": ["new_value", "out_of_range"]}')
    assert [(each.kind, each.severity) for each in warnings(folder)] == [("out_of_range", "warn"), ("new_value", "warn")]
    found = refusal(gate, data, SPECIES + LENGTH, FLOWERS, severities='{"warn": ["new_value", "out_of_range"], "stop": ["species"]}')
    assert [(each["kind"], each["severity"]) for each in found] == [("out_of_range", "warn"), ("new_value", "stop")]


def test_without_a_reviewed_schema_the_bounds_of_the_data_that_was_accepted_hold(gate):
    inferred = f'feature {{ name: "length" type: FLOAT {PRESENT} }} {SPECIES}'
    rows = [{"length": number / 50, "species": "setosa"} for number in range(50)]
    accepted = gate({"train": rows}, inferred, FLOWERS, is_reviewed=0)
    wrong = [*rows[:20], {"length": -1.0, "species": "setosa"}, *rows[20:]]
    with pytest.raises(AnomaliesError, match=r"length: 1 of 51 train rows \(2%\) is outside 0 to 1: -1.*`tapeline schema accept CONFIG`"):
        gate({"train": wrong}, inferred, FLOWERS, accepted, is_reviewed=0)
    gate({"train": wrong}, inferred, FLOWERS, accepted)
    gate({"train": wrong}, inferred, FLOWERS, accepted, '{"warn": ["out_of_range"]}', is_reviewed=0)


def test_drift_from_the_data_that_was_accepted_warns_with_figures_of_both(gate):
    before = gate({"train": flowers(length=0.5, count=150) + flowers("virginica", 0.2, count=150)}, SPECIES + LENGTH, FLOWERS)
    after = {"train": flowers(length=0.5, count=240) + flowers(length=0.9, count=30) + flowers("virginica", 0.9, count=30)}
    found = {each.feature: each for each in warnings(gate(after, SPECIES + LENGTH, FLOWERS, accepted=before))}
    assert {each.kind for each in found.values()} == {"drift"}
    assert found["species"].message == (
        "species: the shares of values in train are not those in the data that was accepted last: 'setosa' 90% instead of 50%, "
        "'virginica' 10% instead of 50% (the largest difference of a share is 0.40, at most 0.14)"
    )
    assert "mean 0.58 instead of 0.35, median 0.5 instead of " in found["length"].message
    refusal(gate, after, SPECIES + LENGTH, FLOWERS, accepted=before, severities='{"stop": ["drift"]}')


def test_a_difference_that_chance_explains_is_no_drift_and_a_threshold_of_the_schema_counts(gate):
    few = {"train": flowers(count=20) + flowers("virginica", count=20)}
    other = {"train": flowers(count=25) + flowers("virginica", count=15)}
    assert warnings(gate(other, SPECIES + LENGTH, FLOWERS, accepted=gate(few, SPECIES + LENGTH, FLOWERS))) == []
    many = {"train": flowers(count=2000) + flowers("virginica", count=2000)}
    moved = {"train": flowers(count=2500) + flowers("virginica", count=1500)}
    before = gate(many, SPECIES + LENGTH, FLOWERS)
    assert [each.kind for each in warnings(gate(moved, SPECIES + LENGTH, FLOWERS, accepted=before))] == ["drift"]
    patient = SPECIES[:-1] + "drift_comparator { infinity_norm { threshold: 0.2 } } }"
    assert warnings(gate(moved, patient + LENGTH, FLOWERS, accepted=before)) == []


def test_data_that_is_stopped_says_its_shifts_too(gate):
    data = {"train": flowers(count=150) + flowers("rosa", count=150), "test": flowers(count=200)}
    with pytest.raises(AnomaliesError) as caught:
        gate(data, SPECIES + LENGTH, FLOWERS)
    assert [(each["feature"], each["kind"], each["severity"]) for each in caught.value.anomalies] == [
        ("species", "new_value", "stop"),
        ("species", "skew", "warn"),
    ]
    assert [(each["feature"], each["value"]) for each in caught.value.shifts] == [("length", 0.0), ("species", 0.5)]


def test_shares_are_of_the_rows_that_have_a_value(gate):
    def moved(train, before):
        found = warnings(gate({"train": train}, SPECIES + LENGTH, FLOWERS, accepted=before))
        return [each.message for each in found if "the shares of values" in each.message]

    full, empty = flowers(count=50) + flowers("virginica", count=50), flowers([], count=900)
    before = gate({"train": full}, SPECIES + LENGTH, FLOWERS)
    # Of 100 rows on either side, and of one, chance explains it.
    assert moved(flowers(count=70) + flowers("virginica", count=30) + empty, before) == []
    assert moved(flowers("virginica", count=1) + empty, before) == []
    [found] = moved(flowers(count=800) + flowers("virginica", count=200) + empty, gate({"train": full * 10}, SPECIES + LENGTH, FLOWERS))
    assert "'setosa' 80% instead of 50%, 'virginica' 20% instead of 50% (the largest difference of a share is 0.30" in found
    of_nothing = read_found(gate({"train": full, "test": flowers([], count=20)}, SPECIES + LENGTH, FLOWERS))
    assert "species" not in [shift.feature for shift in of_nothing.shifts]


def test_a_column_that_goes_blank_stops_the_run_and_one_that_nearly_does_has_drifted(gate):
    before = gate({"train": flowers(count=90) + flowers([], count=10)}, SPECIES + LENGTH, FLOWERS)
    words = "of train rows have no value, and 10% in the data that was accepted last (the difference is"
    with pytest.raises(AnomaliesError, match=re.escape(f"species: 100% {words} 0.90, at most 0.25)")) as refused:
        gate({"train": flowers([], count=100)}, SPECIES + LENGTH, FLOWERS, accepted=before)
    assert [(each["feature"], each["kind"], each["rows"], each["share"]) for each in refused.value.anomalies] == [
        ("species", "missing_column", 100, 1.0)
    ]
    [found] = warnings(gate({"train": flowers(count=1) + flowers([], count=99)}, SPECIES + LENGTH, FLOWERS, accepted=before))
    assert (found.kind, found.message) == ("drift", f"species: 99% {words} 0.89, at most 0.25)")
    few = read_found(gate({"train": flowers(count=80) + flowers([], count=20)}, SPECIES + LENGTH, FLOWERS, accepted=before))
    assert few.anomalies == []  # chance explains it
    assert ("species (rows without a value)", 0.1) in [(shift.feature, shift.value) for shift in few.shifts]


def test_one_far_value_is_no_shift_of_all_others(gate):
    data = [row for length in range(400) for row in flowers(length=length / 400, count=1)]
    far = [*data[:-1], *flowers(length=1000.0, count=1)]
    free = LENGTH.replace("float_domain { min: 0 max: 1 }", "")
    before = gate({"train": data}, SPECIES + free, FLOWERS)
    found = read_found(gate({"train": far}, SPECIES + free, FLOWERS, accepted=before))
    assert found.anomalies == []
    assert {(shift.feature, shift.kind) for shift in found.shifts} == {("length", "drift"), ("species", "drift")}


def test_a_split_that_is_unlike_the_train_split_warns(gate):
    data = {"train": flowers(count=150) + flowers("virginica", count=150), "test": flowers("virginica", count=200)}
    [found] = warnings(gate(data, SPECIES + LENGTH, FLOWERS))
    assert (found.kind, found.split, found.feature) == ("skew", "test", "species")
    assert "in test are not those in train" in found.message


def test_brighter_pictures_than_those_that_were_accepted_stop_the_run(gate):
    schema = PICTURES + 'feature { name: "image/encoded" type: BYTES }'
    before = gate({"train": pictures(range(20, 60))}, schema)
    assert warnings(gate({"train": pictures(range(21, 61))}, schema, accepted=before)) == []
    [found] = refusal(gate, {"train": pictures(range(150, 190))}, schema, accepted=before)
    assert (found["feature"], found["kind"]) == ("image/encoded", "picture_drift")
    assert "(brightness of the pictures)" in found["message"]
    assert "mean 169.5 instead of 39.5" in found["message"]


def pictures(values):
    made = []
    for value in [*values] * 5:
        file = io.BytesIO()
        Image.new("L", (4, 4), value).save(file, "PNG")
        made.append({names.IMAGE: file.getvalue(), names.IMAGE_LABEL: value % 10, names.IMAGE_HEIGHT: 4})
    return made


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([0, 3, 10], "labels from 0 to 10 (`trainer.classes` says: 0 to 9): for these labels set `trainer.classes: 11`"),
        ([-1, 9], "labels from -1 to 9 (`trainer.classes` says: 0 to 9)"),
    ],
)
def test_labels_outside_the_models_classes_stop_whatever_schema_and_config_allow(gate, labels, said):
    [found] = refusal(gate, {"train": rows(), "test": rows(labels=labels)}, severities='{"warn": ["label", "image/class/label"]}')
    assert found["message"] == f"image/class/label: {said}, in test"


def test_the_classes_to_set_cover_the_labels_of_every_split(gate):
    found = refusal(gate, {"train": rows(labels=[0, 25]), "test": rows(labels=[0, 26])})
    assert [each["message"].count("set `trainer.classes: 27`") for each in found] == [1, 1]


def test_more_classes_make_the_same_labels_right(gate):
    gate({"train": rows(labels=range(12))}, problem=of_pictures(12))


def test_of_many_anomalies_twenty_are_told_and_the_others_counted(gate):
    with pytest.raises(AnomaliesError) as caught:
        gate({"train": [{**row, **{f"new{index}": 1 for index in range(23)}} for row in rows()]})
    first, *lines = str(caught.value).splitlines()
    assert "Received: 23. Mend" in first
    assert len(lines) == 21
    assert lines[-1] == "and 3 more, which the run's record names"
    assert len(caught.value.anomalies) == 23
