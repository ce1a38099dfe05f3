"""An unchanged second run is answered from the record of the first, and nothing else ever is."""

import datetime
import json

import pytest

from components.bound import Bound
from pipeline import config
from pipeline.runs import last_run, record
from pipeline.runs.summary import Summary
from pipeline.workspace import Workspace


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path / "root")
    workspace.root.mkdir()
    return workspace


@pytest.fixture
def keep(workspace, settings):
    """keep(summary, key): the record of a run that ended so, written and remembered."""

    def write(summary, key="key"):
        kept = record.of(settings(), workspace, "data", datetime.datetime.now().astimezone(), summary, {})
        record.write(workspace, kept)
        last_run.remember(workspace, key, kept)
        return kept

    return write


@pytest.fixture
def finished(workspace):
    """What was found of a pushed run whose outputs are there."""
    for folder in ("artifact", "serving/7"):
        (workspace.root / folder).mkdir(parents=True)
    return Summary(
        outcome="pushed",
        version="7",
        model_dir=str(workspace.root / "serving/7"),
        metrics={"accuracy": 0.9, "auc": None},
        components=[{"name": "Trainer", "seconds": 3.2, "cached": False, "rows": 10}],
        bounds=[Bound("accuracy", 0.5, 0.9, True)],
        log=str(workspace.logs / "first.log"),
        artifacts={"Trainer": {"model": "artifact"}},
    )


def test_the_same_run_is_recalled_with_every_component_cached(workspace, finished, keep):
    keep(finished)
    recalled = last_run.recall(workspace, "key")
    assert recalled is not None
    assert (recalled.outcome, recalled.version, recalled.metrics, recalled.bounds) == ("pushed", "7", finished.metrics, finished.bounds)
    assert recalled.components == [{"name": "Trainer", "seconds": 0.0, "cached": True, "rows": 10}]


def test_another_run_is_not_recalled(workspace, finished, keep):
    keep(finished)
    assert last_run.recall(workspace, "other key") is None


@pytest.mark.parametrize("gone", ["artifact", "serving/7"])
def test_a_run_whose_outputs_somebody_removed_is_not_recalled(workspace, finished, keep, gone):
    keep(finished)
    (workspace.root / gone).rmdir()
    assert last_run.recall(workspace, "key") is None


@pytest.mark.parametrize("damaged", ["artifact", "serving/7"])
@pytest.mark.parametrize("size", [0, 10, None])
def test_a_run_of_whose_outputs_somebody_removed_or_cut_a_file_is_not_recalled(workspace, finished, keep, damaged, size):
    file = workspace.root / damaged / "saved_model.pb"
    file.write_bytes(bytes(20))
    keep(finished)
    (workspace.root / damaged / ".DS_Store").write_bytes(b"")  # what others add does no harm
    assert last_run.recall(workspace, "key") is not None
    file.unlink() if size is None else file.write_bytes(bytes(size))
    assert last_run.recall(workspace, "key") is None


@pytest.mark.parametrize("damaged", ["artifact", "serving/7"])
def test_a_run_of_whose_outputs_somebody_edited_a_file_is_not_recalled(workspace, finished, keep, damaged):
    file = workspace.root / damaged / "saved_model.pb"
    file.write_bytes(b"before")
    keep(finished)
    assert last_run.recall(workspace, "key") is not None
    file.write_bytes(b"behind")
    assert last_run.recall(workspace, "key") is None


def test_outputs_without_digests_are_compared_by_number_and_size(workspace, finished, keep):
    keep(finished)
    pointer = json.loads(workspace.last_run.read_text())
    pointer["outputs"] = {path: contents[:2] for path, contents in pointer["outputs"].items()}
    workspace.last_run.write_text(json.dumps(pointer))
    assert last_run.recall(workspace, "key") is not None


def test_a_run_whose_version_is_no_longer_the_newest_is_not_recalled(workspace, finished, keep):
    keep(finished)
    (workspace.root / "serving/8").mkdir()
    assert last_run.recall(workspace, "key") is None


@pytest.mark.parametrize("outcome", ["failed", "anomalies"])
def test_a_run_that_did_not_finish_is_not_kept(workspace, finished, keep, outcome):
    finished.outcome = outcome
    keep(finished)
    assert last_run.recall(workspace, "key") is None


def test_a_run_that_did_not_finish_leaves_the_record_of_the_last_that_did(workspace, finished, keep):
    keep(finished)
    keep(Summary(outcome="failed", log="second.log"), "another")
    assert last_run.recall(workspace, "key") is not None


def test_a_record_that_cannot_be_written_does_not_fail_the_run(workspace, finished, keep):
    workspace.last_run.mkdir()
    keep(finished)
    assert last_run.recall(workspace, "key") is None


@pytest.mark.parametrize("file", ["last_run.json", "records/first.json"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        '{"key": "key"}',
        '{"key": "key", "summary": {}, "outputs": {}}',  # as it was before there were records
        '{"key": "key", "record": 3, "outputs": {}}',
        '{"key": "key", "record": "elsewhere", "outputs": {}}',
        '{"key": "key", "record": "first", "outputs": {"/": 3}}',
        '{"key": "key", "record": "first", "outputs": {"/": [null]}}',
        '{"version": 1, "outcome": "pushed"}',
        "[" * 10_000,
        '{"key": "key", "outputs": {}, "record": ' + '{"metrics": ' * 10_000,
        "\ud800",
    ],
    ids=lambda text: text[:80],
)
def test_what_cannot_be_read_is_no_record_and_the_next_run_replaces_it(workspace, finished, keep, file, text):
    keep(finished)
    (workspace.root / file).write_bytes(text.encode("utf-8", "surrogatepass"))
    assert last_run.recall(workspace, "key") is None
    keep(finished)
    assert last_run.recall(workspace, "key") is not None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", 2),
        ("outcome", "other"),
        ("pushed", {"version": "7", "model_dir": 3}),
        ("pushed", {"version": "7", "model_dir": "/"}),
        ("components", [{}]),
        ("components", [3]),
        ("gate", {"bounds": [{"metric": "accuracy", "bound": "high"}], "reasons": [], "notes": []}),
    ],
)
def test_a_record_of_another_form_is_not_recalled(workspace, finished, keep, field, value):
    file = workspace.record(keep(finished).run)
    file.write_text(json.dumps(json.loads(file.read_text()) | {field: value}))
    assert last_run.recall(workspace, "key") is None


@pytest.mark.parametrize("file", ["last_run.json", "records/first.json"])
def test_a_file_that_is_cut_off_is_no_record(workspace, finished, keep, file):
    keep(finished)
    path = workspace.root / file
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert last_run.recall(workspace, "key") is None


def test_the_key_changes_with_settings_data_schema_code_and_flags(workspace, tmp_path, monkeypatch):
    path = tmp_path / "use.yaml"
    path.write_text("name: d\ndata: {format: digits}\n")
    base = last_run.key(config.load(path), workspace, "data", None)
    schema = tmp_path / "s.pbtxt"
    schema.write_text("feature {}")
    keys = {
        base,
        last_run.key(config.load(path, ["trainer.epochs=3"]), workspace, "data", None),
        last_run.key(config.load(path), workspace, "new data", None),
        last_run.key(config.load(path), workspace, "data", str(schema)),
    }
    assert last_run.key(config.load(path), workspace, "data", None) == base
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_auto_jit=2")
    keys.add(last_run.key(config.load(path), workspace, "data", None))
    monkeypatch.setattr(last_run, "project_digest", lambda: "edited")
    keys.add(last_run.key(config.load(path), workspace, "data", None))
    assert len(keys) == 6
