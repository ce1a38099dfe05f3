"""`tapeline compile` and `tapeline kubeflow emulate` as commands: files, words, exit status."""

import json
import subprocess
import sys

import pytest

from components.example_gen import raw_files
from components.example_gen.config import DataConfig
from pipeline import cli


@pytest.fixture
def tiny(tmp_path):
    """A package of one shell step, in a file."""
    spec = {
        "schemaVersion": "2.1.0",
        "pipelineInfo": {"name": "tiny"},
        "root": {"dag": {"tasks": {"a": {"componentRef": {"name": "comp"}, "taskInfo": {"name": "a"}}}}},
        "components": {"comp": {"executorLabel": "exec"}},
        "deploymentSpec": {
            "executors": {"exec": {"container": {"image": "none", "command": ["sh", "-c", "echo why >&2; exit $0"], "args": ["0"]}}}
        },
    }

    def write(status="0", **changes):
        spec["deploymentSpec"]["executors"]["exec"]["container"]["args"] = [status]
        path = tmp_path / "pipeline.yaml"
        path.write_text(json.dumps(spec | changes))
        return str(path)

    return write


@pytest.fixture
def emulate(tmp_path, monkeypatch, capsys):
    """emulate(PACKAGE, ...): exit status, stdout and stderr."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("TAPELINE_PROGRESS", "")

    def run(*arguments):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tempfile.tempdir", str(tmp_path))
            status = cli.main(["kubeflow", "emulate", *arguments, "--root", str(tmp_path / "root")])
        return (status, *capsys.readouterr())

    return run


def test_a_package_is_written_and_what_is_still_a_placeholder_is_said(tmp_path):
    command = [sys.executable, "-m", "pipeline.cli", "compile", "configs/digits.yaml", "-o", str(tmp_path / "p.yaml")]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout == f"Wrote {tmp_path / 'p.yaml'}. Run it here: tapeline kubeflow emulate {tmp_path / 'p.yaml'}\n"
    assert [line.split(" is still")[0] for line in run.stderr.splitlines()] == [
        "Note: kubeflow.pipeline_root",
        "Note: kubeflow.serving_base_path",
    ]


@pytest.mark.parametrize(("status", "ends_with", "outcome"), [("1", 1, "failed"), ("4", 4, "anomalies"), ("2", 2, "failed")])
def test_a_failed_step_gives_the_runs_exit_status_and_its_last_line(emulate, tiny, status, ends_with, outcome):
    ended, out, _ = emulate(tiny(status), "--json")
    summary = json.loads(out.splitlines()[-1])
    assert (ended, summary["outcome"], summary["reasons"]) == (ends_with, outcome, ["why"])
    assert summary["log"].endswith("/a.log")


@pytest.mark.parametrize(
    ("arguments", "changes", "reason"),
    [
        ((), {"schemaVersion": "2.0.0"}, "KFP only supports schema version 2.1.0, but the pipeline spec has version 2.0.0"),
        (("-p", "epochs=3"), {}, "parameter(s) provided are not required by pipeline: epochs"),
        (("-p", "epochs"), {}, "Expected --parameter NAME=VALUE"),
    ],
)
def test_what_kfp_would_refuse_is_one_line_and_status_2_and_nothing_is_written(emulate, tiny, tmp_path, arguments, changes, reason):
    status, _, err = emulate(tiny(**changes), *arguments)
    assert (status, len(err.splitlines())) == (2, 1)
    assert reason in err
    assert not (tmp_path / "root").exists()


def test_a_file_that_is_no_package_is_refused(emulate, tmp_path):
    (tmp_path / "x.yaml").write_text("name: digits\n")
    status, _, err = emulate(str(tmp_path / "x.yaml"))
    assert status == 2 and "no pipeline spec is provided" in err


def test_the_fingerprint_of_a_folder_that_is_given_is_found_out_as_at_submission(tmp_path, emulate):
    """The one that was compiled in is that of other data, and the step would refuse these."""
    raw = tmp_path / "raw"
    raw.mkdir()
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (raw / name).write_bytes(b"raw")
    of_root = {name: {"parameterType": "STRING", "defaultValue": "compiled"} for name in ("data_path", "data_fingerprint")}
    given = {
        "data": {"runtimeValue": {"constant": '{"format": "idx", "path": "/elsewhere"}'}},
        "fingerprint": {"componentInputParameter": "data_fingerprint"},
    }
    task = {"componentRef": {"name": "comp"}, "taskInfo": {"name": "ImageExampleGen"}, "inputs": {"parameters": given}}
    container = {"image": "none", "command": ["sh", "-c", 'echo "got $0" >&2; exit 1'], "args": ["{{$.inputs.parameters['fingerprint']}}"]}
    component = {"executorLabel": "exec", "inputDefinitions": {"parameters": {name: {"parameterType": "STRING"} for name in given}}}
    spec = {
        "schemaVersion": "2.1.0",
        "pipelineInfo": {"name": "tiny"},
        "root": {"dag": {"tasks": {"ImageExampleGen": task}}, "inputDefinitions": {"parameters": of_root}},
        "components": {"comp": component},
        "deploymentSpec": {"executors": {"exec": {"container": container}}},
    }
    package = tmp_path / "pipeline.yaml"
    package.write_text(json.dumps(spec))
    fingerprint = raw_files.fingerprint(DataConfig(format="idx", path=str(raw)))
    _, out, _ = emulate(str(package), "-p", f"data_path={raw}")
    assert f"got {fingerprint}" in out
    _, out, _ = emulate(str(package), "-p", f"data_path={raw}", "-p", "data_fingerprint=mine")
    assert "got mine" in out
