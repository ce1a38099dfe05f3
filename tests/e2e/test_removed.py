"""Whatever somebody removes below a root, the same command ends well: what is gone is made again."""

import shutil

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]
SHORT = ("--set", "trainer.epochs=1", "--set", "evaluator.min_accuracy=0.1")


@pytest.fixture(scope="module")
def finished(place, digits_yaml):
    """A place with one pushed run."""
    removed = place("removed")
    assert removed.run(digits_yaml, *SHORT).status == 0
    return removed


@pytest.mark.parametrize("gone", ["artifacts", "artifacts/Trainer/model", "artifacts/Transform/transform_graph", "serving", "logs"])
def test_a_root_without_one_of_its_folders_is_mended_by_the_next_run(finished, digits_yaml, gone):
    shutil.rmtree(finished.root / gone)
    assert_mended(finished, digits_yaml)


@pytest.mark.parametrize(
    "gone",
    [
        "artifacts/Trainer/model/*/Format-Serving/saved_model.pb",
        "artifacts/ImageExampleGen/examples/*/Split-train/*",
        "artifacts/Transform/transform_graph/*/transform_fn/variables/variables.index",
        "artifacts/Evaluator/evaluation/*/metrics*",
        "serving/digits/*/saved_model.pb",
    ],
)
def test_a_root_without_one_of_its_files_is_mended_by_the_next_run(finished, digits_yaml, gone):
    for path in finished.root.glob(gone):
        path.unlink()
    assert_mended(finished, digits_yaml)


@pytest.mark.parametrize("edited", ["artifacts/SchemaGen/schema/*/schema.pbtxt", "serving/digits/*/saved_model.pb"])
def test_a_root_with_an_edited_file_is_mended_by_the_next_run(finished, digits_yaml, edited):
    before = {path: path.read_bytes() for path in finished.root.glob(edited)}
    for path, content in before.items():
        path.write_bytes(content + b"\n")
    assert_mended(finished, digits_yaml)
    newest = max(finished.root.glob(edited), key=lambda path: path.stat().st_mtime_ns)
    assert newest not in before


def assert_mended(finished, digits_yaml):
    answer = finished.run(digits_yaml, *SHORT)
    assert (answer.status, answer.record["outcome"]) == (0, "pushed"), answer.stderr
    assert (finished.root / "serving" / "digits" / answer.record["version"] / "saved_model.pb").is_file()


def test_a_removed_baseline_is_named_where_a_bound_would_have_compared_with_it(finished, digits_yaml):
    shutil.rmtree(finished.root / "artifacts" / "Trainer" / "model")
    answer = finished.run(digits_yaml, *SHORT)
    lines = [note for note in answer.record["notes"] if note.startswith("the baseline artifacts/Trainer/model/")]
    assert len(lines) == 1
    assert lines[0].endswith("are gone or cannot be read. The absolute bounds alone decided.")
