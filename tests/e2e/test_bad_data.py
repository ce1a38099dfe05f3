"""Data that must not become a model: anomalies, a schema that is violated, a broken file, a wrong command.

Each fixture is one run in the same root, after the run that it names as its argument.
"""

import pytest


@pytest.fixture(scope="module")
def here(place):
    return place("bad")


@pytest.fixture(scope="module")
def config(here):
    """Digits as IDX files, with a reviewed schema that is not there yet."""
    path = here.folder / "digits.yaml"
    path.write_text(
        "name: digits\ndata: {format: idx, path: raw}\nschema: {path: schema.pbtxt}\n"
        "preprocessing: {image_size: [8, 8]}\ntrainer: {epochs: 2}\nevaluator: {min_accuracy: 0.0}\n"
    )
    return path


@pytest.fixture(scope="module")
def wrong_labels(here, config, write_digits_as_idx):
    write_digits_as_idx(here.folder / "raw", relabel=lambda labels: labels + 3)
    return here.run(config)


@pytest.fixture(scope="module")
def accepted(here, config, wrong_labels):
    return here.tapeline("schema", "accept", config, "--root", here.root)


@pytest.fixture(scope="module")
def against_stricter_schema(here, config, accepted, write_digits_as_idx):
    """The labels are right by now, but the reviewed schema asks for taller images."""
    write_digits_as_idx(here.folder / "raw")
    schema = here.folder / "schema.pbtxt"
    text = schema.read_text()
    assert 'name: "image/height"\n' in text
    schema.write_text(text.replace('name: "image/height"\n', 'name: "image/height"\n  int_domain { min: 9 }\n'))
    return here.run(config)


@pytest.fixture(scope="module")
def broken_file(here, config, against_stricter_schema):
    path = here.folder / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-100])
    here.examples_before = sorted((here.root / "artifacts" / "ImageExampleGen" / "examples").iterdir())
    return here.run(config)


def one_line_reason(answer, title):
    [reason] = reasons(answer, title)
    return reason


def reasons(answer, title):
    first, *others = answer.record["reasons"]
    lines = [f"{title}: {first}", *(f"- {other}" for other in others)]
    assert "\n".join(lines) + "\n" in answer.stderr
    assert "Traceback" not in answer.stderr + answer.stdout
    return [first, *others]


def test_labels_outside_the_models_classes_end_with_4_and_say_where(wrong_labels, here):
    assert (wrong_labels.status, wrong_labels.record["outcome"]) == (4, "anomalies")
    first, *lines = reasons(wrong_labels, "Anomalies")
    assert first.startswith("Expected data without anomalies. Received: ")
    assert any("image/class/label: labels from 3 to 12 (`trainer.classes` says: 0 to 9)" in line for line in [first, *lines])
    assert any("for these labels set `trainer.classes: 13`" in line for line in [first, *lines])
    assert {(each["kind"], each["severity"]) for each in wrong_labels.record["anomalies"]} >= {("label", "stop")}
    assert wrong_labels.record["components"][-1]["name"] == "DataGate"
    assert here.versions() == []


def test_the_inferred_schema_is_accepted_after_a_run_that_stopped_at_the_gate_too(accepted, here):
    assert accepted.returncode == 0, accepted.stderr
    assert accepted.stdout.startswith(f"Wrote {here.folder}/schema.pbtxt. ")


def test_data_that_the_reviewed_schema_forbids_ends_with_4_naming_feature_split_and_both_sides(against_stricter_schema, here):
    assert against_stricter_schema.status == 4
    found = reasons(against_stricter_schema, "Anomalies")
    assert any("train rows (100%) are outside 9 and above: 8" in line for line in found)
    assert here.versions() == []


def test_from_then_on_the_reviewed_schema_is_the_one_that_counts(against_stricter_schema):
    names = [each["name"] for each in against_stricter_schema.record["components"]]
    assert "ImportSchemaGen" in names
    assert "SchemaGen" not in names


def test_a_truncated_file_ends_with_1_in_one_line_with_file_and_offset_and_leaves_no_rows(broken_file, here):
    assert (broken_file.status, broken_file.record["outcome"]) == (1, "failed")
    path = here.folder / "raw" / "train-images-idx3-ubyte"
    assert one_line_reason(broken_file, "Failed") == (
        f"Expected 19,216 bytes in '{path}' (300 rows of 64). The file ends at offset 19,116, in row 298. Copy or download it again."
    )
    assert broken_file.record["components"][-1]["name"] == "ImageExampleGen"
    assert sorted((here.root / "artifacts" / "ImageExampleGen" / "examples").iterdir()) == here.examples_before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "trainer.lop=fit"], "trainer.lop: Expected one of the keys "),
        (["--root", "/proc/tapeline"], "Expected a root folder that can be written. Received: '/proc/tapeline'"),
    ],
)
def test_a_wrong_key_or_root_ends_with_2_in_one_line(place, digits_yaml, arguments, said):
    elsewhere = place("usage")
    answer = elsewhere.tapeline("run", digits_yaml, "--root", elsewhere.root, *arguments)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert said in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert elsewhere.left_outside() == []
