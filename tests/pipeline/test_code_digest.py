"""Edited code runs again: the digests of the project's own source."""

import shutil
from pathlib import Path

import pytest

from pipeline import code_digest

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the project whose digests are taken."""
    for folder in ("components", "pipeline", "trainer"):
        shutil.copytree(CHECKOUT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code_digest, "_PROJECT", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("edited", "changed"),
    [
        ("components/example_gen/readers/idx.py", {"ingestion"}),
        ("components/example_gen/split.py", {"ingestion"}),
        ("trainer/features/names.py", {"ingestion", "preprocessing", "training"}),
        ("trainer/features/image.py", {"preprocessing", "training"}),
        ("trainer/tasks/multiclass.py", {"preprocessing", "training", "gate", "evaluation"}),
        ("trainer/preprocessing.py", {"preprocessing", "training"}),
        ("trainer/gradient_tape.py", {"training"}),
        ("trainer/models/cnn.py", {"training"}),
        ("components/extra_workers.py", {"training"}),
        ("components/worker_jobset.yaml", {"training"}),
        ("components/pusher.py", {"push"}),
        ("components/evaluator.py", {"evaluation"}),
        ("components/verdict.py", {"evaluation"}),
        ("components/gate_verdict.py", {"evaluation"}),
        ("pipeline/kubeflow/step.py", {"step"}),
        ("components/example_gen/a_new_reader.py", {"ingestion"}),
    ],
)
def test_an_edit_changes_the_digests_of_what_the_file_is_part_of_and_no_other(copy, edited, changed):
    before = code_digest.code_digests()
    with (copy / edited).open("a") as file:
        file.write("\n# edited\n")
    after = code_digest.code_digests()
    assert {name for name in before if before[name] != after[name]} == changed


def test_the_digests_do_not_depend_on_the_place_or_on_compiled_files(copy):
    (copy / "trainer" / "__pycache__").mkdir()
    (copy / "trainer" / "__pycache__" / "run.cpython-311.pyc").write_bytes(b"compiled")
    here = code_digest.code_digests()
    code_digest._PROJECT = CHECKOUT
    assert code_digest.code_digests() == here


def test_a_renamed_file_is_an_edit(copy):
    before = code_digest.code_digests()
    (copy / "trainer" / "models" / "cnn.py").rename(copy / "trainer" / "models" / "convnet.py")
    assert code_digest.code_digests()["training"] != before["training"]


def test_flags_that_may_change_results_are_in_the_digests_of_what_computes_and_without_any_nothing_is():
    plain = code_digest.code_digests()
    assert code_digest.under_settings(plain, []) == plain
    flagged = code_digest.under_settings(plain, ["TF_ENABLE_ONEDNN_OPTS=0"])
    assert {name for name in plain if flagged[name] != plain[name]} == {"preprocessing", "training", "evaluation"}
