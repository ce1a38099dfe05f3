"""A local run with a tiny pipeline in the place of the real one: what it shows, remembers and says of an end.

The worker's half runs in this process, which takes half a second; test_worker_process.py has the other process.
"""

import contextlib
import functools
import json
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

import absl.logging
import pytest
from tfx.orchestration import metadata
from tfx.types import standard_artifacts

from components.bound import Bound
from components.gate_verdict import Verdict
from pipeline import cli, interruption
from pipeline.code_digest import code_digests
from pipeline.runs import local, pipeline_run, quiet, record, worker, worker_process
from pipeline.workspace import Workspace
from tests.pipeline.runs.tiny_pipeline import create_pipeline


@pytest.fixture
def root(tmp_path):
    return tmp_path / "root"


def work_here(of, hear, log, environ, lock, settled):
    """What `worker_process.run` does, without another process."""
    events = []
    with pytest.MonkeyPatch.context() as patch, quiet._output_to(Path(f"/dev/fd/{log}")):
        patch.setattr(os, "environ", {**environ})
        patch.setattr(tempfile, "tempdir", environ["TMPDIR"])
        worker.run(lambda *event: events.append(json.dumps(event)), **of)
    for event in events:
        hear(json.loads(event))
    settled()
    return worker_process.End(0, None)


@pytest.fixture
def run(root, settings, monkeypatch, capfd):
    """run(rows, fails, destination, ...) -> (summary, lines of stdout and of stderr), with `given`, what the pipeline was made of."""
    monkeypatch.setattr(local.worker_process, "run", work_here)
    verbosity = absl.logging.get_verbosity()
    absl.logging.set_verbosity(absl.logging.WARNING)

    def start(as_json=False, sections=None, **options):
        def tiny(config, inputs, artifacts, connection, beam_args, until):
            start.given = config, inputs, artifacts, beam_args
            start.epochs = os.environ[local.EPOCHS_VARIABLE]
            return create_pipeline(artifacts, connection, **options)

        monkeypatch.setattr(pipeline_run.dag, "create_pipeline", tiny)
        summary = local.run(settings(**(sections or {})), root, as_json=as_json)
        return summary, *(text.splitlines() for text in capfd.readouterr())

    yield start
    absl.logging.set_verbosity(verbosity)


PUSHED = {"destination": "serving/digits/17"}


def shown(lines):
    """(component, state, rows) of each component's line."""
    words = [line.split() for line in lines if line[:1] in "✓✗-"]
    return [(line[1], line[-1], int(line[line.index("rows") - 1].replace(",", "")) if "rows" in line else None) for line in words]


def record_of(summary, root):
    """The record of the run that ended with `summary`; it says what `--json` does."""
    kept = record.read(Workspace(root), Path(summary.log).stem)
    assert kept.summary(Workspace(root)).to_json() == summary.to_json()
    assert kept.exit_status == summary.exit_status
    return kept


def states(lines):
    return [state for _, state, _ in shown(lines)]


def test_a_run_shows_each_component_and_tells_the_version_and_its_log(run, root):
    summary, out, err = run(rows=1000, **PUSHED)
    assert shown(out) == [
        ("start", "run", None),
        ("ImageExampleGen", "run", 7000),
        ("Trainer", "run", 4000),
        ("BaselineModel", "run", None),  # a look-up, after something that ran
        ("Pusher", "run", None),
    ]
    assert any(line.startswith("Pushed digits version 17 in ") for line in out)
    assert err == []
    assert (summary.outcome, summary.version, summary.model_dir) == ("pushed", "17", str(root / "serving/digits/17"))
    assert [(each["name"], each["rows"]) for each in summary.components[:2]] == [("ImageExampleGen", 7000), ("Trainer", 4000)]
    assert summary.seconds > 0
    assert Path(summary.log).parent == root / "logs"
    assert absl.logging.get_verbosity() == absl.logging.INFO  # TFX's words are in the log
    kept = record_of(summary, root)
    assert kept.data.rows == {"train": 4000, "eval": 2000, "test": 1000}
    assert kept.artifacts["Trainer"] == {"model": "artifacts/Trainer/model/2"}
    assert kept.pushed == record.Pushed(version="17", model_dir="serving/digits/17")


def test_with_json_stdout_is_left_to_the_record(run):
    _, out, err = run(as_json=True, **PUSHED)
    assert out == []
    assert states(err) == ["run"] * 5


def test_the_pipeline_is_made_of_places_relative_to_the_root_which_may_move(run, tmp_path):
    schema = tmp_path / "reviewed.pbtxt"
    schema.write_text("feature { name: 'x' }")
    run(sections={"schema": {"path": str(schema)}}, **PUSHED)
    config, inputs, artifacts, beam_args = run.given
    assert config.name == "digits"
    assert artifacts == "artifacts"
    assert inputs.serving_path == "serving/digits"
    assert inputs.schema_file.startswith("schemas/")
    assert inputs.code == code_digests()
    assert [name for argument in beam_args if (name := argument.partition("=")[2]).endswith(".py") and Path(name).is_file()]
    assert run.epochs.endswith("root/tmp/epochs.jsonl")
    assert Path.cwd() != tmp_path / "root"


def test_an_unchanged_run_is_answered_from_the_record(run, root):
    first, *_ = run(rows=1000, **PUSHED)
    second, out, _ = run(rows=1000, **PUSHED)
    assert shown(out) == [
        ("ImageExampleGen", "cached", 7000),
        ("Trainer", "cached", 4000),
        ("BaselineModel", "cached", None),
        ("Pusher", "cached", None),
    ]
    assert (second.outcome, second.version, second.model_dir) == ("pushed", "17", first.model_dir)
    assert second.log != first.log
    kept = record_of(second, root)
    assert kept.answered_from == Path(first.log).stem
    assert (kept.data, kept.artifacts) == (record_of(first, root).data, record_of(first, root).artifacts)
    assert Path(second.log).read_text(encoding="utf-8") == "Nothing has changed since the last run.\n"


def test_a_refused_run_is_answered_from_the_record_as_refused(run, root):
    for others in (["run"] * 4, ["cached"] * 3):
        summary, out, _ = run()
        assert states(out) == [*others, "refused"]
        assert (summary.outcome, summary.version, summary.model_dir) == ("refused", None, None)
        assert record_of(summary, root).pushed is None


@pytest.mark.parametrize("gone", ["last_run.json", "artifacts/ImageExampleGen/schema/1"])
def test_without_the_record_or_an_output_the_pipeline_is_asked_again(run, root, gone):
    run(**PUSHED)
    for path in sorted([root / gone, *(root / gone).glob("*")], reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    summary, out, _ = run(**PUSHED)
    ingestion = "run" if "ImageExampleGen" in gone else "cached"
    assert states(out)[:2] == ["run", ingestion]  # `start`, which is never cached
    if ingestion == "cached":
        assert states(out)[2:] == ["cached"] * 3  # a look for a baseline among what is cached, too
    assert summary.outcome == "pushed"


def test_a_baseline_that_somebody_removed_is_named_in_the_summary(run, root):
    run(**PUSHED)
    connection = metadata.sqlite_metadata_connection_config(str(root / "metadata.sqlite"))
    with metadata.Metadata(connection) as handle:
        [model] = handle.store.get_artifacts_by_type(standard_artifacts.Model.TYPE_NAME)
        blessing = standard_artifacts.ModelBlessing()
        blessing.set_int_custom_property("blessed", 1)
        blessing.set_int_custom_property("current_model_id", model.id)
        blessing.type_id = handle.store.put_artifact_type(blessing.artifact_type)
        handle.store.put_artifacts([blessing.mlmd_artifact])
    shutil.rmtree(root / model.uri)
    summary, *_ = run(rows=2, **PUSHED)
    assert [note.partition(" was left out: ")[0] for note in summary.notes] == [f"the baseline {model.uri}"]


@pytest.mark.parametrize("evaluation", ["cached", "run"])
def test_the_verdict_is_the_file_beside_the_blessing_also_for_an_answer_from_the_cache(run, root, evaluation):
    """Where the file is gone the Evaluator runs again."""
    said = Verdict({"accuracy": 0.5}, [Bound("accuracy", 0.9, 0.5, False)], ["accuracy is too low"], ["a note"])
    run(verdict=said.to_json())
    (root / "last_run.json").unlink()
    [file] = root.glob("artifacts/Evaluator/blessing/*/verdict.json")
    if evaluation == "run":
        file.unlink()
    summary, out, _ = run(verdict=said.to_json())
    assert ("Evaluator", evaluation) in [(name, state) for name, state, _ in shown(out)]
    assert (summary.metrics, summary.bounds, summary.reasons, summary.notes) == (said.metrics, said.bounds, said.reasons, said.notes)
    assert summary.outcome == "refused"


def test_a_version_that_somebody_removed_is_pushed_again(run, root):
    run(**PUSHED)
    shutil.rmtree(root / "serving/digits/17")
    _, out, _ = run(**PUSHED)
    assert states(out) == ["run", "cached", "cached", "cached", "run"]
    assert (root / "serving/digits/17").is_dir()


def test_code_that_was_edited_while_it_ran_is_not_remembered(run, root, monkeypatch):
    digests = iter(["before", "after"])
    monkeypatch.setattr(local.last_run, "project_digest", lambda: next(digests))
    run(**PUSHED)
    assert not (root / "last_run.json").exists()


@pytest.mark.parametrize(
    ("fails", "outcome", "status", "reason"),
    [
        ("AnomaliesError", "anomalies", 4, "Expected a model. Received: none."),
        ("ConfigError", "failed", 2, "Expected a model. Received: none."),
        ("DataError", "failed", 1, "Expected a model. Received: none."),
    ],
)
def test_a_component_that_fails_ends_the_run_with_its_line_and_status(run, root, fails, outcome, status, reason):
    summary, out, err = run(fails=fails)
    assert shown(out) == [("start", "run", None), ("ImageExampleGen", "run", 7), ("Trainer", "failed", None)]
    assert (summary.outcome, summary.exit_status, summary.reasons) == (outcome, status, [reason])
    assert [each["name"] for each in summary.components] == ["ImageExampleGen", "Trainer"]
    assert "Traceback" in Path(summary.log).read_text(encoding="utf-8")
    assert not any("Traceback" in line for line in out + err)
    assert not (root / "last_run.json").exists()
    assert not (root / "tmp").exists()
    assert record_of(summary, root).failure == reason
    again, out, _ = run(**PUSHED)
    assert states(out)[:3] == ["run", "cached", "run"]
    assert again.exit_status == 0


def test_a_signal_that_somebody_swallowed_ends_the_run_before_the_next_component(run, root, monkeypatch):
    monkeypatch.setattr(interruption, "_came", [15])
    summary, out, _ = run(**PUSHED)
    assert shown(out) == [("start", "run", None)]
    assert (summary.outcome, summary.exit_status) == ("failed", 143)
    assert summary.reasons == ["start was interrupted. Run the same command again: finished components are taken from the cache."]
    assert record_of(summary, root).exit_status == 143


def test_a_signal_that_comes_after_the_push_changes_nothing_of_what_is_said(run, monkeypatch):
    finish = worker._Shown.finish

    def interrupted(shown, *arguments, **named):
        if shown.name == "Pusher" and not came:
            came.append(True)
            raise interruption.Interrupted(15)
        finish(shown, *arguments, **named)

    came = []
    monkeypatch.setattr(worker._Shown, "finish", interrupted)
    summary, out, _ = run(**PUSHED)
    assert came
    assert (summary.outcome, summary.version, summary.exit_status) == ("pushed", "17", 0)
    assert shown(out)[-1] == ("Pusher", "run", None)
    assert [each["name"] for each in summary.components][-1] == "Pusher"


def test_the_command_gives_the_summary_as_its_last_line_and_its_status(root, tmp_path, monkeypatch, capsys):
    file = tmp_path / "digits.yaml"
    file.write_text("name: digits\ndata: {format: digits}\n")
    asked = []

    def refused(config, place, verbose, as_json, settled):
        asked.append((config.name, config.trainer.epochs, place, verbose, as_json))
        return local.Summary(outcome="refused", reasons=["too bad"])

    monkeypatch.setattr(local, "run", refused)
    status = cli.main(["run", str(file), "--set", "trainer.epochs=3", "--root", str(root), "--json"])
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (status, answer["outcome"], answer["reasons"]) == (3, "refused", ["too bad"])
    assert cli.main(["run", str(file), "--verbose"]) == 3
    assert capsys.readouterr().out == ""
    assert asked == [("digits", 3, root, False, True), ("digits", asked[1][1], Path("runs/digits"), True, False)]


def test_metadata_that_another_process_locks_during_the_run_end_it_with_2(run, root, monkeypatch):
    run(**PUSHED)
    (root / "last_run.json").unlink()
    monkeypatch.setattr(pipeline_run.places, "wait_until_free", functools.partial(pipeline_run.places.wait_until_free, patience=0.0))
    # ml-metadata's own SQLite does not see a lock of its own process, and goes on.
    with contextlib.closing(sqlite3.connect(root / "metadata.sqlite", isolation_level=None)) as other:
        monkeypatch.setattr(pipeline_run, "forget_superseded_versions", lambda _: other.execute("BEGIN EXCLUSIVE"))
        summary, *_ = run(**PUSHED)
    assert summary.exit_status == 2
    assert "another process has had it locked" in summary.reasons[0]


def test_metadata_that_are_damaged_are_told_before_anything_is_loaded(run, root):
    root.mkdir()
    (root / "metadata.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(local.ConfigError, match=r"a file that cannot be read"):
        run(**PUSHED)
    [file] = (root / "records").iterdir()
    kept = record.read(Workspace(root), file.stem)
    assert (kept.outcome, kept.exit_status, kept.components) == ("failed", 2, [])


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"pusher": {"base_path": __file__}}, "Expected pusher.base_path to name a folder"),
        ({"schema": {"path": "/"}}, "Expected `schema.path` to name a file"),
        ({"data": {"format": "idx", "path": "/nowhere"}}, "Expected `data.path`"),
    ],
)
def test_what_a_run_could_not_use_is_told_before_anything_is_written(run, root, sections, said):
    with pytest.raises(local.ConfigError, match=said):
        run(sections=sections, **PUSHED)
    assert not root.exists()


def test_a_run_ingests_what_was_downloaded(run, tmp_path, monkeypatch):
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (tmp_path / name).write_bytes(b"raw")
    monkeypatch.setattr(local.download, "fetch", lambda _: tmp_path)
    run(sections={"data": {"format": "idx", "download": "mnist"}}, **PUSHED)
    assert run.given[0].data.path == str(tmp_path)


def test_a_reviewed_schema_that_is_none_ends_the_run_with_2(run, tmp_path):
    schema = tmp_path / "reviewed.pbtxt"
    schema.write_text("no schema")
    summary, *_ = run(sections={"schema": {"path": str(schema)}}, **PUSHED)
    assert summary.exit_status == 2
    assert "Expected `schema.path` to name a schema" in summary.reasons[0]


def test_what_cannot_be_printed_does_not_undo_a_push(run, monkeypatch):
    def broken(*_, **__):
        raise OSError("no terminal")

    monkeypatch.setattr(local, "print_summary", broken)
    summary, out, _ = run(**PUSHED)
    assert summary.exit_status == 0
    assert out[-1] == f"pushed: {summary.model_dir}"
    assert "no terminal" in Path(summary.log).read_text(encoding="utf-8")
