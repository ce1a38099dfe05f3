"""The entry point of every step: what it refuses before a component runs, and how a failure ends its log."""

import json
import os
import subprocess
import sys
import tempfile

import pytest

from components.bound import Bound
from components.gate_verdict import Verdict, write_verdict
from pipeline.code_digest import code_digests
from pipeline.kubeflow import step as entry_point
from pipeline.kubeflow import step_log
from trainer.errors import AnomaliesError


@pytest.fixture
def step(tmp_path):
    """step("--code", "training=DIGEST") -> the process that has ended, and the folder in which a step puts its output."""

    def run(*arguments):
        given = {"inputs": {}, "outputs": {"outputFile": str(tmp_path / "output.json")}}
        command = [sys.executable, "-m", "pipeline.kubeflow.step", "--executor_class_path", "no.such.Executor"]
        command += ["--json_serialized_invocation_args", json.dumps(given), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=100)

    return run


@pytest.fixture
def run_step(monkeypatch, tmp_path):
    """run_step(executor, outputs, **parameters): runs a step and returns its exit status; the process's settings are put back."""
    for name in ("TF_USE_LEGACY_KERAS", "KERAS_HOME", "TMPDIR", "TF_CPP_MIN_LOG_LEVEL"):
        monkeypatch.setenv(name, "0" if name == "TF_USE_LEGACY_KERAS" else str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)

    def run(executor, outputs, **parameters):
        call = {
            "inputs": {"parameterValues": parameters},
            "outputs": {
                "artifacts": {
                    name: {"artifacts": [{"type": {"schemaTitle": kind}, "uri": str(folder)}]} for name, (kind, folder) in outputs.items()
                },
                "outputFile": str(tmp_path / "output" / "executor_output.json"),
            },
        }
        definitions = json.dumps({"parameters": {name: {"parameterType": "STRING"} for name in parameters}})
        arguments = ["--executor_class_path", executor, "--json_serialized_invocation_args", json.dumps(call)]
        return entry_point.main([*arguments, "--json_serialized_inputs_spec_args", definitions])

    return run


def test_an_image_with_other_code_than_the_packages_is_refused(step, tmp_path):
    ended = step("--code", f"step={code_digests()['step']}", "--code", "training=0123456789abcdef")
    assert ended.returncode == 2
    [line] = ended.stderr.splitlines()
    assert line.startswith(
        "Expected the code that the package was compiled with (training: 0123456789abcdef). Received: an image with other"
    )
    assert code_digests()["training"] in line
    assert not (tmp_path / "output.json").exists()


def test_a_part_that_the_images_code_does_not_know_is_refused(step):
    ended = step("--code", "a_part_of_tomorrow=0123456789abcdef")
    assert ended.returncode == 2
    assert "(none)" in ended.stderr


@pytest.mark.slow
def test_the_packages_own_code_goes_on_to_the_component(step):
    arguments = [argument for part, digest in code_digests().items() for argument in ("--code", f"{part}={digest}")]
    ended = step(*arguments)
    assert ended.returncode == 1
    assert "Expected the code" not in ended.stderr


def test_the_last_line_of_a_failed_step_has_the_cause_below_its_traceback(tmp_path):
    folder = tmp_path / "outputs"
    call = {
        "inputs": {"parameterValues": {}, "artifacts": {}},
        "outputs": {"outputFile": str(folder / "output.json"), "artifacts": {}, "parameters": {}},
    }
    code = (
        "import sys\nfrom pipeline.kubeflow import step\n"
        "def fails(*_):\n"
        "    try: {}['x']\n"
        "    except KeyError as error: raise RuntimeError('add_input failed on \"y\" with inputs:\\n[1 2]') from error\n"
        "step._run = fails\nsys.exit(step.main(sys.argv[1:]))"
    )
    arguments = ["--executor_class_path", "none", "--json_serialized_invocation_args", json.dumps(call)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "KeyError: 'x'")
    assert "Traceback" in done.stderr


def test_a_worker_that_is_not_the_chief_empties_no_output_and_writes_none(run_step, tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 1}}')
    model = tmp_path / "root" / "model"
    model.mkdir(parents=True)
    (model / "of_the_chief").touch()
    status = run_step(
        "components.served_model.ServedModel_Executor", {"model": ("tfx.Model", model)}, serving_path=str(tmp_path / "nothing-served")
    )
    assert status == 0
    assert (model / "of_the_chief").exists()
    assert not (tmp_path / "output").exists()


def test_a_step_that_is_tried_again_writes_into_an_empty_folder(run_step, tmp_path):
    """Kubeflow Pipelines 2.4 gives a retry the first try's folders."""
    model = tmp_path / "root" / "model"
    (model / "Format-Serving").mkdir(parents=True)
    (model / "Format-Serving" / "saved_model.pb").write_text("half of the first try's")
    status = run_step(
        "components.served_model.ServedModel_Executor", {"model": ("tfx.Model", model)}, serving_path=str(tmp_path / "nothing-served")
    )
    assert status == 0
    assert [path.name for path in model.iterdir()] == ["served_version.txt"]


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"pushed_version": "17", "pushed_destination": "gs://b/17"}, {"version": "17", "destination": "gs://b/17"}),
        ({}, {"version": None, "destination": None}),
    ],
)
def test_a_pusher_says_in_its_log_what_it_pushed(tmp_path, capsys, metadata, said):
    file = tmp_path / "output.json"
    file.write_text(json.dumps({"artifacts": {"pushed_model": {"artifacts": [{"metadata": metadata}]}}}))
    given = {"outputs": {"outputFile": str(file), "artifacts": {"pushed_model": {"artifacts": [{"uri": "gs://b/pushed"}]}}}}
    entry_point._finish("components.pusher.Executor", given)
    assert step_log.pushed(capsys.readouterr().err) == said


def test_the_evaluators_verdict_goes_from_its_file_into_the_log_and_the_metadata(tmp_path, capsys):
    said = Verdict({"accuracy": 0.5}, [Bound("accuracy", 0.9, 0.5, False)], ["accuracy is too low"], ["a note"])
    write_verdict(str(tmp_path / "blessing"), said)
    file = tmp_path / "output.json"
    blessing = {"uri": str(tmp_path / "blessing")}
    file.write_text(json.dumps({"artifacts": {"blessing": {"artifacts": [blessing]}}}))
    entry_point._finish("components.evaluator.Executor", {"outputs": {"outputFile": str(file), "artifacts": {}}})
    assert Verdict.from_values(step_log.verdict(capsys.readouterr().err)) == said
    [written] = json.loads(file.read_text())["artifacts"]["blessing"]["artifacts"]
    assert Verdict.from_json(written["metadata"]["verdict"]) == said


def test_another_steps_output_gets_no_verdict(tmp_path, capsys):
    file = tmp_path / "output.json"
    file.write_text("{}")
    entry_point._finish("components.data_gate.Executor", {"outputs": {"outputFile": str(file), "artifacts": {}}})
    assert (json.loads(file.read_text()), capsys.readouterr().err) == ({}, "")


def test_anomalies_end_the_log_with_one_line_and_stand_above_it_a_line_and_an_anomaly_each(run_step, monkeypatch, capsys):
    anomaly = {"feature": "都市", "split": "test", "kind": "new_value"}
    shift = {"feature": "都市", "split": "test", "kind": "skew", "value": 0.2, "allowed": 0.1}

    def stop(*_):
        raise AnomaliesError("Expected data without anomalies. Received: 2.\none\ntwo", [anomaly], [shift])

    monkeypatch.setattr(entry_point, "_run", stop)
    assert run_step("components.data_gate.Executor", {}) == 4
    log = capsys.readouterr().err
    lines = ["Expected data without anomalies. Received: 2.", "one", "two"]
    assert step_log.anomalies(log) == {"reasons": lines, "anomalies": [anomaly], "shifts": [shift]}
    assert step_log.last_line(log) == "; ".join(lines)


@pytest.mark.parametrize("home", ["", "{tmp_path}/nowhere"])
def test_a_step_has_a_home_that_it_can_write(run_step, tmp_path, monkeypatch, home):
    monkeypatch.setenv("HOME", home.format(tmp_path=tmp_path))
    homes = []
    monkeypatch.setattr(entry_point, "_run", lambda *_: homes.append((os.environ["HOME"], os.access(os.environ["HOME"], os.W_OK))))
    assert run_step("any.Executor", {}) == 0
    assert homes == [(os.environ["TMPDIR"], True)]


def test_a_log_into_whose_line_two_processes_wrote_has_the_whole_line_before():
    assert step_log.pushed('pushed: {"version": "1"}\npushed: {"verINFO: x\n') == {"version": "1"}
    assert step_log.pushed(f'pushed: {{"version": "1"}}\npushed: {"[" * 100_000}\n') == {"version": "1"}
