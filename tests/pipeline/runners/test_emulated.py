"""What `tapeline kubeflow emulate` makes of the steps' outputs, and with --image opens to the image: the run's own folders, no others."""

import io
import tempfile

import pytest
import yaml

from components.bound import Bound
from components.gate_verdict import Verdict
from pipeline import cli
from pipeline.runners import emulated
from pipeline.runners.progress import Progress
from pipeline.runners.summary import Summary
from tests.pipeline.kubeflow.kfp_script import package


@pytest.fixture
def place(tmp_path):
    """A folder outside the root that nobody else may write to."""
    folder = tmp_path / "etc"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def emulate(tmp_path, monkeypatch, capsys):
    """emulate({parameter: default}, "--option") -> (exit status, stderr) of a package with those defaults, where there is no Docker."""
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    for name in ("TMPDIR", "KERAS_HOME", "TAPELINE_PROGRESS"):  # which a run sets for its process, and this one goes on
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

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
    assert emulated._mounts(given, root, workspace) == {**writable, str(data): False}
    assert emulated._mounts(given | {"data_path": "gs://bucket/raw"}, root, workspace) == writable


@pytest.fixture
def observed(tmp_path):
    """observed({step: metadata of its output}) -> (summary, words of each line)."""

    def observe(steps):
        out, summary = io.StringIO(), Summary()
        observer = emulated._Observer(Progress(out, tmp_path / "epochs"), summary)
        for step, metadata in steps.items():
            observer.started(step)
            observer.finished(step, "run", {"output": {"metadata": metadata}})
        return summary, [line.split() for line in out.getvalue().splitlines()]

    return observe


VERDICT = Verdict({"accuracy": 0.5}, [Bound("accuracy", 0.9, 0.5, False)], ["accuracy is too low"], ["a note"])


def test_a_steps_metadata_tell_rows_verdict_and_version(observed):
    pushed = {"pushed": 1, "pushed_version": "17", "pushed_destination": "/serving/digits/17"}
    rows = {"rows_train": 800, "rows_eval": "100", "rows_test": 100, "digest": "abc"}
    summary, lines = observed({"ImageExampleGen": rows, "Evaluator": {"verdict": VERDICT.to_json()}, "Pusher": pushed})
    assert "1,000" in lines[0]
    assert not any("rows" in line for line in lines[1:])
    assert (summary.metrics, summary.bounds, summary.notes) == ({"accuracy": 0.5}, VERDICT.bounds, ["a note"])
    assert (summary.outcome, summary.version, summary.model_dir) == ("pushed", "17", "/serving/digits/17")
    assert lines[-1][-1] == "run"


def test_a_pusher_that_pushed_nothing_is_a_refusal(observed):
    summary, lines = observed({"Evaluator": {"verdict": VERDICT.to_json()}, "Pusher": {"pushed": 0}})
    assert (summary.outcome, summary.version, summary.model_dir) == ("refused", None, None)
    assert summary.reasons == ["accuracy is too low"]
    assert [line[-1] for line in lines] == ["run", "refused"]
