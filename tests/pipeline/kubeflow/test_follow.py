"""How a run on KFP is followed: a line a step, the gate's verdict, the exit status; and what disturbs that."""

import json
import os
import signal
import threading

import pytest

from pipeline import cli
from pipeline.kubeflow import client, follow
from tests.pipeline.kubeflow.kfp_script import EVALUATOR_LOG, TASKS, frames, package

RUN = "/apis/v2beta1/runs/"


@pytest.fixture
def submit(server, tmp_path, capsys):
    """submit("--option") -> (exit status, stdout, stderr)."""
    file = tmp_path / "pipeline.yaml"
    file.write_text(package())

    def submit_(*options):
        status = cli.main(["kubeflow", "submit", str(file), "--poll", "0.01", *options])
        return status, *capsys.readouterr()

    return submit_


def _lines(out):
    """(mark, step, how it ended) of each step's line."""
    rows = [line.split() for line in out.splitlines()]
    return [(row[0], row[1], row[-1]) for row in rows if len(row) > 2 and row[1] in TASKS]


def test_each_step_is_shown_once_in_order_and_the_verdict_at_the_end(submit, server):
    server.frames = [({}, "PENDING"), *frames("driver", "running", "cached driver", "cached run running", "cached run run running driver",
                                             "cached run run run run")]  # fmt: skip
    status, out, _ = submit()
    assert _lines(out) == [
        ("✓", "ImageExampleGen", "cached"),
        ("✓", "DataGate", "run"),
        ("✓", "Trainer", "run"),
        ("✓", "Evaluator", "run"),
        ("✓", "Pusher", "run"),
    ]
    assert status == 0
    assert "accuracy │ ≥ 0.9000 │ 0.9700 │ passed" in out
    assert "Pushed tiny version 1777863642 in 90.0 s: gs://bucket/serving/tiny/1777863642\n" in out
    assert out.endswith("Next:   tapeline release promote 1777863642\n")


def test_a_steps_seconds_are_those_of_the_cluster(submit, server):
    server.frames = frames("running", "running", "run run run run run")
    _, out, _ = submit("--json")
    components = json.loads(out.splitlines()[-1])["components"]
    assert [(one["name"], round(one["seconds"])) for one in components] == [(task, 7) for task in TASKS]


def test_steps_that_end_in_another_order_are_shown_in_the_packages(submit, server):
    server.frames = [
        ({"DataGate": "run"}, "RUNNING"),
        ({"DataGate": "run", "ImageExampleGen": "running"}, "RUNNING"),
        *frames("run run run run run"),
    ]
    _, out, _ = submit()
    assert [step for _, step, _ in _lines(out)] == list(TASKS)


def test_a_kfp_without_executor_nodes_is_followed_as_well(submit, server):
    server.has_executor_nodes = False
    server.frames = frames("running", "cached run run run run")
    status, out, _ = submit()
    assert status == 0
    assert [state for _, _, state in _lines(out)] == ["cached", "run", "run", "run", "run"]


@pytest.mark.parametrize("names", ["v1", "v2"])
def test_logs_are_found_under_both_names_that_argo_gives_pods(submit, server, names):
    server.frames, server.pod_names = frames("run run run run run"), names
    assert submit()[0] == 0


def test_the_verdict_is_read_as_soon_as_the_evaluator_has_ended(submit, server):
    """Its pod may be gone when the run ends."""
    server.frames = frames("run run run running", "run run run run running", "run run run run run")
    submit()
    asked = [path for _, path, _, _ in server.requests if path.startswith(RUN) or path.endswith("/log")]
    [evaluators] = [place for place, path in enumerate(asked) if path.endswith("impl-33/log")]
    assert [path for path in asked[evaluators:] if path.startswith(RUN)]


def test_a_refused_model_ends_with_3_and_the_reasons(submit, server):
    server.frames = frames("run run run run run")
    server.logs["Evaluator"] = EVALUATOR_LOG.replace("0.97", "0.85").replace("true", "false")
    server.logs["Pusher"] = 'pushed: {"version": null, "destination": null}\n'
    status, out, _ = submit()
    assert status == 3
    assert "Refused: accuracy is 0.8500, which is 0.0500 below the bound of 0.9000\n" in out
    assert "Nothing was pushed" in out


def test_a_refusal_without_the_evaluators_log_says_where_to_look(submit, server):
    server.frames = frames("run run run run run")
    server.logs = {"Pusher": 'pushed: {"version": null, "destination": null}\n'}
    status, out, _ = submit()
    [run] = server.runs
    assert status == 3
    assert f"Refused: the gate did not bless the model. Why: tapeline kubeflow logs {run} Evaluator\n" in out


def test_anomalies_end_with_4_and_the_gates_own_line(submit, server):
    server.frames = frames("run running", "run failed omitted omitted omitted", end="FAILED")
    server.logs["DataGate"] = (
        "INFO:root:Running executor for DataGate\nExpected data without anomalies. Received: feature 'label', split 'train': new values.\n"
        "I0504 03:00:23.000000      20 launcher_v2.go:151] publish success.\n"
        "F0504 03:00:23.100000      20 main.go:49] failed to execute component: exit status 4\n"
        'time="2026-05-04T03:00:24.000Z" level=info msg="sub-process exited" argo=true error="<nil>"\nError: exit status 1\n'
    )
    status, out, _ = submit()
    assert status == 4
    assert _lines(out) == [("✓", "ImageExampleGen", "run"), ("✗", "DataGate", "failed")]
    assert "Anomalies: Expected data without anomalies. Received: feature 'label', split 'train': new values.\n" in out


def test_several_anomalies_are_said_a_line_each(submit, server):
    server.frames = frames("run running", "run failed omitted omitted omitted", end="FAILED")
    server.logs["DataGate"] = (
        'anomalies: {"reasons": ["Expected none. Received: 2.", "one", "two"], "anomalies": []}\nExpected none. Received: 2.; one; two\n'
        "F0504 03:00:23.100000      20 main.go:49] failed to execute component: exit status 4\n"
    )
    status, out, _ = submit()
    assert status == 4
    assert "Anomalies: Expected none. Received: 2.\n- one\n- two\n" in out


def test_a_data_gate_that_fails_for_another_reason_has_not_found_anomalies(submit, server):
    server.frames = frames("run failed", end="FAILED")
    server.logs["DataGate"] = (
        "MemoryError: none left\nF0504 03:00:23.100000      20 main.go:49] failed to execute component: exit status 1\n"
    )
    assert submit()[0] == 1
    server.frames = [({"ImageExampleGen": "run", "DataGate": "driver failed"}, "FAILED")]
    status, out, _ = submit()
    assert status == 1
    assert "DataGate: Workflow failed" in out
    assert "kubectl logs -n kubeflow tiny-x7k2p-system-container-driver-11 -c main" in out


def test_a_failed_step_ends_with_1_and_the_last_line_that_it_wrote(submit, server):
    server.frames = frames("run run failed omitted omitted", end="FAILED")
    server.logs["Trainer"] = (
        'Traceback (most recent call last):\n  File "x.py", line 1\nTrainingError: the loss is no longer a number\n'
        "F0504 03:00:23.100000      20 main.go:49] failed to execute component: exit status 1\n"
    )
    status, out, _ = submit("--namespace", "team")
    [run] = server.runs
    assert status == 1
    assert _lines(out)[-1] == ("✗", "Trainer", "failed")
    assert "Failed: Trainer: TrainingError: the loss is no longer a number\n" in out
    assert f"Log:    tapeline kubeflow logs {run} Trainer --namespace team\n" in out


def test_a_step_that_failed_with_a_usage_error_ends_with_2(submit, server):
    server.frames = frames("failed", end="FAILED")
    server.logs["ImageExampleGen"] = (
        "Expected `data.path` to be a folder.\nF0504 03:00:23.100000      20 main.go:49] failed to execute component: exit status 2\n"
    )
    assert submit()[0] == 2


def test_a_failed_step_without_a_log_says_where_it_is(submit, server):
    server.frames = frames("run run failed", end="FAILED")
    status, out, _ = submit("--namespace", "team")
    assert status == 1
    assert "Look there: kubectl logs -n team tiny-x7k2p-system-container-impl-23 -c main\n" in out


def test_a_canceled_run_ends(submit, server):
    server.frames = frames("run run running", "run run canceled", end="CANCELED")
    status, out, _ = submit()
    assert status == 1
    assert "Failed: the run was canceled, in Trainer\n" in out


def test_a_run_that_failed_before_its_first_step_says_kfps_reason(submit, server):
    server.frames = [({}, "FAILED")]
    status, out, _ = submit()
    assert status == 1
    assert "Failed: the run is FAILED: Workflow failed\n" in out


def test_a_run_whose_logs_kfp_does_not_give_has_no_verdict(submit, server):
    server.frames, server.logs = frames("run run run run run"), {}
    status, out, _ = submit("--json")
    answer = json.loads(out)
    assert status == 1
    assert answer["outcome"] == "failed"
    assert answer["reasons"] == [
        "the run succeeded, but KFP does not give the log that says whether a version was pushed. Look there: "
        "kubectl logs -n kubeflow tiny-x7k2p-system-container-impl-43 -c main"
    ]


def test_a_log_that_kfp_does_not_give_is_asked_for_once(submit, server):
    server.frames, server.logs = frames("run run run run", "run run run run running", "run run run run run"), {}
    submit()
    logs = [path for _, path, _, _ in server.requests if path.endswith("/log")]
    assert len(logs) == len(set(logs)) > 0


def test_json_is_the_last_line_and_progress_goes_to_stderr(submit, server):
    server.frames = frames("run run run run run")
    status, out, err = submit("--json")
    [line] = out.splitlines()
    answer = json.loads(line)
    assert (status, answer["outcome"], answer["version"]) == (0, "pushed", "1777863642")
    assert answer["model_dir"] == "gs://bucket/serving/tiny/1777863642"
    assert answer["metrics"] == {"accuracy": 0.97}
    assert [answer["run_id"]] == list(server.runs)
    assert "ImageExampleGen" in err


def test_a_server_that_is_away_for_a_while_does_not_end_the_following(submit, server):
    server.frames = frames("running", "run run run run run")
    faults = [(503, "upstream connect error"), "reset", (502, "bad gateway"), None, "reset"]
    server.faults = lambda method, path: faults.pop(0) if faults and path.startswith(RUN) else None
    assert submit()[0] == 0
    assert faults == []


def test_a_long_run_is_asked_for_less_and_less_often(submit, server, monkeypatch):
    pauses = []
    monkeypatch.setattr(follow.time, "sleep", pauses.append)
    server.frames = [*frames("running")[:1] * 30, *frames("run run run run run")]
    assert submit("--poll", "4")[0] == 0
    assert pauses[:3] == pytest.approx([4, 4.4, 4.84])
    assert max(pauses) == pauses[-1] == 10


def test_a_server_that_stays_away_ends_it_with_the_way_back(submit, server, monkeypatch):
    monkeypatch.setattr("pipeline.kubeflow.follow.PATIENCE_SECONDS", 0.1)
    server.faults = lambda method, path: (503, "upstream connect error") if path.startswith(RUN) else None
    status, _, err = submit()
    [run] = server.runs
    assert status == 1
    assert f"failed (503): upstream connect error. The run goes on. Look again: tapeline kubeflow status {run} --follow\n" in err


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_leaves_the_run_alone_and_says_how_to_look_again(server, submit, capsys):
    server.frames = frames("running")[:1]
    polled = threading.Event()

    def interrupt(method, path):
        if path.startswith(RUN) and len(server.requests) > 10 and not polled.is_set():
            polled.set()
            os.kill(os.getpid(), signal.SIGINT)

    server.faults = interrupt
    status, _, err = submit()
    [run] = server.runs
    assert status == 130
    assert err.splitlines()[-3:] == [
        "The run goes on; only the following of it has ended.",
        f"Look again: tapeline kubeflow status {run} --follow",
        f"End it:     tapeline kubeflow terminate {run}",
    ]
    assert not [path for _, path, _, _ in server.requests if path.endswith(":terminate")]
    assert cli.main(["kubeflow", "terminate", run]) == 0
    assert capsys.readouterr().out == f"Ending {run}. See it end: tapeline kubeflow status {run} --follow\n"
    assert cli.main(["kubeflow", "status", run]) == 1
    assert "the run was canceled" in capsys.readouterr().out


def test_pauses_grow_while_the_server_is_away(monkeypatch):
    pauses, answers = [], iter([True, True, True, False])
    monkeypatch.setattr(client.time, "sleep", pauses.append)

    def question():
        if next(answers):
            raise client.ClusterError("away", is_transient=True)
        return "here"

    assert client.patiently(question, 2.0, 900.0) == "here"
    assert pauses == [2.0, 4.0, 8.0]
