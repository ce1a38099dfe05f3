"""What `tapeline kubeflow emulate` makes of the steps' outputs, and with --image opens to the image: the run's own folders, no others."""

import dataclasses
import io
import itertools
import json
import os
import tempfile
import types
from pathlib import Path

import pytest
import yaml

from components.anomaly import Anomaly, Shift
from components.bound import Bound
from components.data_found import FOUND_FILE, Found
from components.gate_verdict import Verdict, write_verdict
from pipeline import cli
from pipeline.kubeflow import emulator
from pipeline.kubeflow.emulate import _mounts, _Observer, _run, _settle
from pipeline.runs.progress import Progress
from pipeline.runs.summary import Summary
from pipeline.workspace import Workspace
from tests.pipeline.kubeflow.kfp_script import package


@pytest.fixture
def place(tmp_path):
    """A folder outside the root that nobody else may write to."""
    folder = tmp_path / "etc"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """What a run sets for its process, and this one goes on."""
    for name in ("TMPDIR", "KERAS_HOME", "TAPELINE_PROGRESS"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def emulate(tmp_path, environment, monkeypatch, capsys):
    """emulate({parameter: default}, "--option") -> (exit status, stderr) of a package with those defaults, where there is no Docker."""
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))

    def run(defaults, *options):
        compiled = yaml.safe_load(package())
        for name, value in defaults.items():
            compiled["root"]["inputDefinitions"]["parameters"][name]["defaultValue"] = str(value)
        file = tmp_path / "pipeline.yaml"
        file.write_text(yaml.safe_dump(compiled))
        status = cli.main(["kubeflow", "emulate", str(file), "--root", str(tmp_path / "root"), "--image", "tapeline:1", *options])
        return status, capsys.readouterr().err

    return run


@pytest.mark.parametrize("name", ["serving_base_path", "pipeline_root"])
def test_a_folder_that_the_package_names_is_not_opened(emulate, place, name):
    status, err = emulate({name: place})
    assert status == 2
    assert err.splitlines()[-1] == (
        f"Expected {name} below --root with --image. Received: '{place}', from the package. "
        f"If the image may write there, say so: -p {name}={place}."
    )
    assert place.stat().st_mode & 0o777 == 0o700


def test_a_way_out_of_the_root_is_seen(emulate, place, tmp_path):
    status, err = emulate({"serving_base_path": tmp_path / "root" / ".." / "etc"})
    assert status == 2
    assert "below --root" in err
    assert place.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_the_person_names_keeps_its_mode(emulate, place):
    status, err = emulate({}, "-p", f"serving_base_path={place}")
    assert (status, err.splitlines()[-1]) == (
        2,
        "Expected Docker for --image. Received: no `docker` on PATH. Install it, or leave --image out.",
    )
    assert place.stat().st_mode & 0o777 == 0o700


def test_a_place_of_the_cloud_is_refused_where_the_person_gives_it(emulate):
    status, err = emulate({}, "-p", "serving_base_path=gs://bucket/serving")
    assert (status, err.splitlines()[-1]) == (
        2,
        "Expected serving_base_path to be a folder of this machine. Received: 'gs://bucket/serving'. Leave it out for one below --root.",
    )


def test_the_image_writes_to_the_runs_folders_and_reads_the_data(workspace, tmp_path):
    data, root = tmp_path / "raw", str(workspace.root / "artifacts")
    data.mkdir()
    given = {"serving_base_path": str(workspace.root / "serving"), "data_path": str(data)}
    writable = dict.fromkeys([root, given["serving_base_path"], str(workspace.temporary)], True)
    assert _mounts(given, root, workspace) == {**writable, str(data): False}
    assert _mounts(given | {"data_path": "gs://bucket/raw"}, root, workspace) == writable


@pytest.fixture
def observed(tmp_path):
    """observed({step: metadata of its output}, verdict beside the blessing) -> (summary, words of each line)."""
    blessing = tmp_path / "blessing"
    blessing.mkdir()

    def observe(steps, verdict=None):
        if verdict:
            write_verdict(str(blessing), verdict)
        out, summary = io.StringIO(), Summary()
        observer = _Observer(Progress(out, tmp_path / "epochs"), summary)
        for step, metadata in steps.items():
            observer.started(step)
            name = {"Evaluator": "blessing", "DataGate": "found"}.get(step, "output")
            observer.finished(step, "run", {name: {"uri": str(blessing), "metadata": metadata}})
        return summary, [line.split() for line in out.getvalue().splitlines()]

    return observe


VERDICT = Verdict({"accuracy": 0.5}, [Bound("accuracy", 0.9, 0.5, False)], ["accuracy is too low"], ["a note"])


def test_what_the_steps_put_out_tells_rows_verdict_and_version(observed):
    pushed = {"pushed": 1, "pushed_version": "17", "pushed_destination": "/serving/digits/17"}
    rows = {"rows_train": 800, "rows_eval": "100", "rows_test": 100, "digest": "abc"}
    summary, lines = observed({"ImageExampleGen": rows, "Evaluator": {}, "Pusher": pushed}, VERDICT)
    assert [line[line.index("rows") - 1] if "rows" in line else "" for line in lines] == ["1,000", "100", ""]
    assert (summary.metrics, summary.bounds, summary.notes) == ({"accuracy": 0.5}, VERDICT.bounds, ["a note"])
    assert (summary.outcome, summary.version, summary.model_dir) == ("pushed", "17", "/serving/digits/17")
    assert lines[-1][-1] == "run"


def test_a_pusher_that_pushed_nothing_is_a_refusal(observed):
    summary, lines = observed({"Evaluator": {}, "Pusher": {"pushed": 0}}, VERDICT)
    assert (summary.outcome, summary.version, summary.model_dir) == ("refused", None, None)
    assert summary.reasons == ["accuracy is too low"]
    assert [line[-1] for line in lines] == ["run", "refused"]


def test_the_verdict_of_a_step_from_before_the_file_is_in_its_metadata(observed):
    summary, _ = observed({"Evaluator": {"verdict": VERDICT.to_json()}, "Pusher": {"pushed": 0}})
    assert (summary.outcome, summary.reasons) == ("refused", VERDICT.reasons)


@pytest.fixture
def steps(tmp_path, environment, capsys):
    """steps({step: what its shell executes}, "--option") -> (exit status, the record of `--json`, lines of stderr); others do nothing."""

    def run(scripts, *options):
        compiled = yaml.safe_load(package())
        for name, script in scripts.items():
            compiled["deploymentSpec"]["executors"][f"{name}_executor"]["container"]["command"] = ["sh", "-c", script]
        file = tmp_path / "pipeline.yaml"
        file.write_text(yaml.safe_dump(compiled))
        status = cli.main(["kubeflow", "emulate", str(file), "--root", str(tmp_path / "root"), "--json", *options])
        os.environ["TMPDIR"] = tempfile.tempdir = str(tmp_path)
        out, err = capsys.readouterr()
        return status, json.loads(out.splitlines()[-1]) if out else None, err.splitlines()

    return run


def test_a_package_runs_here_with_the_places_of_the_cloud_below_the_root(steps, tmp_path, monkeypatch):
    clock = types.SimpleNamespace(monotonic=itertools.count(step=7.0).__next__)
    monkeypatch.setattr("pipeline.kubeflow.emulate.time", clock)
    status, record, err = steps({"Trainer": "exit 1"}, "-p", f"data_path={tmp_path}/nowhere")
    assert err[:3] == [
        f"Note: pipeline_root is {tmp_path}/root/artifacts here, and gs://bucket/root on the cluster",
        f"Note: serving_base_path is {tmp_path}/root/serving here, and gs://bucket/serving on the cluster",
        err[2],
    ]
    assert err[2].startswith(
        f"Note: the data in {tmp_path}/nowhere cannot be read from here, so ingestion is not answered from KFP's cache."
    )
    assert (status, record["outcome"]) == (1, "failed")
    assert [each["name"] for each in record["components"]] == ["ImageExampleGen", "DataGate", "Trainer"]
    assert record["seconds"] >= 7.0
    assert Path(record["log"]).name == "Trainer.log"


def test_data_that_is_stopped_is_said_a_line_each_and_kept_an_anomaly_each(steps):
    anomaly = Anomaly("都市", "test", "new_value", "都市: 1 row is '那覇', in test", rows=1, share=0.025, examples=["那覇"])
    said = {"reasons": ["Expected data without anomalies. Received: 2.", "one", "two"], "anomalies": [dataclasses.asdict(anomaly)]}
    script = f"cat >&2 <<'END'\nanomalies: {json.dumps(said, ensure_ascii=False)}\nall in one line\nEND\nexit 4"
    status, record, err = steps({"DataGate": script})
    assert (status, record["outcome"], record["reasons"]) == (4, "anomalies", said["reasons"])
    assert record["anomalies"] == said["anomalies"]
    assert err[-4:-1] == [f"Anomalies: {said['reasons'][0]}", "- one", "- two"]


def test_data_that_an_older_step_stopped_is_said_in_its_last_line(steps):
    status, record, _ = steps({"DataGate": "echo all in one line >&2; exit 4"})
    assert (status, record["reasons"], record["anomalies"]) == (4, ["all in one line"], [])


def test_what_the_data_gate_lets_pass_is_told_as_by_a_run(observed, tmp_path):
    found = Found([Anomaly("size", "eval", "skew", "size: differs", severity="warn")], [Shift("size", "eval", "skew", 0.5, 0.1)])
    (tmp_path / "blessing" / FOUND_FILE).write_text(found.to_json(), encoding="utf-8")
    summary, _ = observed({"DataGate": {}})
    assert (summary.anomalies, summary.shifts, summary.notes) == (*found, ["the data: size: differs"])


def test_a_step_writes_its_epochs_where_the_lines_are_shown_from(steps, tmp_path):
    _, record, err = steps({"Trainer": 'echo "$TAPELINE_PROGRESS" >&2; exit 1'})
    assert record["reasons"] == [f"{tmp_path}/root/tmp/epochs.jsonl"]
    assert [line.split()[:2] for line in err if line[:1] in "✓✗"] == [["✓", "ImageExampleGen"], ["✓", "DataGate"], ["✗", "Trainer"]]


def test_ctrl_c_ends_the_run_with_the_step_that_it_was_in(steps, ctrl_c):
    status, record, _ = steps({"DataGate": "kill -INT $PPID; sleep 60"})
    assert (status, record["outcome"]) == (130, "failed")
    assert record["reasons"] == ["DataGate was interrupted. Run the same command again: finished steps are taken from the cache."]
    assert [each["name"] for each in record["components"]] == ["ImageExampleGen", "DataGate"]


def test_two_runs_do_not_share_a_root(steps, tmp_path):
    with Workspace(tmp_path / "root").use():
        status, _, err = steps({})
    assert status == 2
    assert err[-1].startswith(f"Expected no other run in '{tmp_path}/root'. Received: one is under way")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--root", "a[b"], "Expected --root to name a folder without"),
        (["-p", "pipeline_root=a[b"], "Expected pipeline_root to name a folder without"),
        (["-p", "data_path=gs://"], "Expected data_path to be a place in a bucket, like gs://BUCKET/FOLDER. Received: 'gs://'."),
        (["-p", "pipeline_root=gs:/b"], "Expected pipeline_root to be a place in a bucket, like gs://BUCKET/FOLDER. Received: 'gs:/b'."),
        (["-p", f"serving_base_path={__file__}"], f"Expected serving_base_path to name a folder. Received: '{__file__}', which is a file."),
    ],
)
def test_a_place_that_cannot_be_written_is_told_before_anything_runs(steps, tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    status, record, err = steps({}, *options)
    assert (status, record["outcome"], len(err)) == (2, "failed", 1)
    assert err[0].startswith(said)
    assert not (tmp_path / "root").exists()
    assert not (tmp_path / "a[b").exists()


@pytest.mark.parametrize("name", ["pipeline_root", "serving_base_path"])
def test_a_folder_without_permission_is_told_before_anything_runs(steps, name):
    status, record, err = steps({}, "-p", f"{name}=/proc/tapeline")  # where not even root can make a folder
    assert (status, record["outcome"], record["components"]) == (2, "failed", [])
    assert err[-1] == (
        f"Expected {name} to name a folder that can be written. Received: '/proc' (No such file or directory). "
        "Change its permissions, or give another folder."
    )


def test_a_folder_that_is_given_counts_from_the_working_directory(workspace, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    given = {"serving_base_path": "serving", "pipeline_root": "~/artifacts", "data_path": "raw/year-{SPAN}.csv"}
    parameters = dict(given)
    assert _settle(parameters, given, workspace) == []
    assert parameters == {
        "serving_base_path": str(tmp_path / "serving"),
        "pipeline_root": str(tmp_path / "home/artifacts"),
        "data_path": str(tmp_path / "raw/year-{SPAN}.csv"),
    }


def test_data_in_a_bucket_stay_where_they_are(workspace):
    given = {"data_path": "gs://bucket/raw", "serving_base_path": "/s", "pipeline_root": "/r"}
    parameters = dict(given)
    _settle(parameters, given, workspace)
    assert parameters["data_path"] == "gs://bucket/raw"


def test_an_image_gets_the_runs_folders_and_may_write_to_them(steps, tmp_path, monkeypatch):
    """`docker` is a script that says how it was called, since there may be no Docker."""
    (tmp_path / "bin").mkdir()
    docker = tmp_path / "bin" / "docker"
    docker.write_text(f'#!/bin/sh\n(umask; echo "$@") > {tmp_path}/called\nexit 1\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{docker.parent}:/usr/bin:/bin")
    before = os.umask(0o022)
    try:
        status, *_ = steps({}, "--image", "tapeline:1")
        assert os.umask(before) == 0o022
    finally:
        os.umask(before)
    assert status == 1
    mask, call = (tmp_path / "called").read_text().splitlines()
    folders = [tmp_path / "root" / name for name in ("artifacts", "serving", "tmp")]
    assert all(f"--volume {folder}:{folder} " in call for folder in folders)
    if os.getuid() == 0:  # then the image's user is another one
        assert int(mask, 8) == 0
        assert [folder.stat().st_mode & 0o777 for folder in folders[:2]] == [0o777] * 2
    assert (f"--user {os.getuid()}:{os.getgid()}" in call) is bool(os.getuid())


def test_ctrl_c_after_the_push_changes_nothing_of_what_is_said(environment, tmp_path, monkeypatch):
    def pushed(machine, parameters, pipeline_root, observer):
        observer.started("Pusher")
        metadata = {"pushed": 1.0, "pushed_version": "17", "pushed_destination": "/serving/17"}
        monkeypatch.setattr(observer._progress, "finish", interrupted)
        observer.finished("Pusher", "run", {"pushed_model": {"metadata": metadata}})

    def interrupted(*_, **__):
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(emulator.Emulator, "run", pushed)
    summary, out = Summary(), io.StringIO()
    _run(None, Workspace(tmp_path / "root"), {}, "2.17", None, True, out, summary)
    assert (summary.outcome, summary.version, summary.exit_status) == ("pushed", "17", 0)
    assert [(each["name"], each["cached"]) for each in summary.components] == [("Pusher", False)]
    assert out.getvalue().split()[:2] == ["✓", "Pusher"]
