"""How runs on KFP are looked at later: their state, their verdict, the logs of their steps."""

import json

import pytest

from tests.pipeline.kubeflow.kfp_script import EVALUATOR_LOG, PUSHER_LOG, TASKS, frames, package


def test_status_shows_the_last_run_of_the_experiment_and_its_verdict(kubeflow, server):
    server.frames = frames("run run run run run")
    kubeflow("submit", package(), "--no-follow", "--run-name", "first")
    kubeflow("submit", package(), "--no-follow", "--run-name", "second")
    kubeflow("submit", package(), "--no-follow", "--run-name", "elsewhere", "--experiment", "other")
    server.frames = frames("cached run run run run")
    server.runs[list(server.runs)[1]]["polls"] = 9
    status, out, _ = kubeflow("status", "--experiment", "tiny")
    assert status == 0
    assert out.startswith(f"Run {list(server.runs)[1]}, second: ")
    assert [line.split()[1] for line in out.splitlines() if line.startswith("✓")] == list(TASKS)
    assert "Pushed tiny version 1777863642" in out


def test_status_of_a_run_under_way_says_so_once(kubeflow, server):
    server.frames = frames("run running")[:1]
    kubeflow("submit", package(), "--no-follow")
    status, out, _ = kubeflow("status")
    [run] = server.runs
    assert status == 0
    assert [line.split()[1] for line in out.splitlines() if line.startswith("✓")] == ["ImageExampleGen"]
    assert "DataGate is running, for " in out
    assert out.endswith(f"The run is running. Follow it: tapeline kubeflow status {run} --follow\n")
    status, out, _ = kubeflow("status", run, "--json")
    assert (status, json.loads(out)["outcome"]) == (0, "running")


def test_status_follows_if_asked(kubeflow, server):
    server.frames = frames("running", "run run", "run run run run run")
    kubeflow("submit", package(), "--no-follow")
    status, out, _ = kubeflow("status", "--follow", "--poll", "0.01")
    assert status == 0
    assert "Pushed tiny" in out


def test_status_of_a_run_whose_package_is_gone_shows_its_nodes(kubeflow, server):
    server.frames = frames("run run run run run")
    kubeflow("submit", package(), "--no-follow")
    server.versions.clear()
    [run] = server.runs.values()
    run["polls"] = 9
    status, out, _ = kubeflow("status")
    assert status == 0
    assert [line.split()[1] for line in out.splitlines() if line.startswith("✓")] == list(TASKS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["0b7e-no-run"], "refused this (404): ResourceNotFoundError: Run 0b7e-no-run not found"),
        ([], "Expected a run. Received: none there yet."),
        (["--experiment", "none"], "Expected --experiment to name an experiment. Received: 'none', which"),
    ],
)
def test_what_is_not_there_is_told(kubeflow, arguments, said):
    status, _, err = kubeflow("status", *arguments)
    assert status == 2
    assert said in err


@pytest.mark.parametrize("command", ["status", "logs", "terminate"])
def test_tracebacks_can_be_asked_for_and_a_foreseen_error_has_none(kubeflow, command):
    status, _, err = kubeflow(command, "0b7e-no-run", "--verbose")
    assert (status, err.count("\n")) == (2, 1)


def test_logs_are_printed_by_step_and_all_together(kubeflow, server):
    server.frames = frames("run run run run run")
    kubeflow("submit", package(), "--no-follow")
    [run] = server.runs
    server.runs[run]["polls"] = 9
    assert kubeflow("logs", run, "Evaluator") == (0, EVALUATOR_LOG, "")
    assert kubeflow("logs", "Evaluator") == (0, EVALUATOR_LOG, "")
    status, out, _ = kubeflow("logs", run)
    assert status == 0
    assert f"== Evaluator ==\n{EVALUATOR_LOG}== Pusher ==\n{PUSHER_LOG}" in out
    assert "== DataGate ==\n(no log: " in out


def test_a_log_that_the_server_has_not_says_where_it_is(kubeflow, server):
    server.frames = frames("run running")[:1]
    kubeflow("submit", package(), "--no-follow")
    status, out, err = kubeflow("logs", "DataGate", "--namespace", "team")
    assert (status, out) == (1, "")
    assert f"KFP gives no log of DataGate: Kubeflow Pipelines at {server.url} failed (500): " in err
    assert err.endswith("Look there: kubectl logs -n team tiny-x7k2p-system-container-impl-13 -c main\n")
    status, _, err = kubeflow("logs", "Datagate")
    assert (status, err.splitlines()[-1].rpartition(" Did ")[2]) == (2, "you mean 'DataGate'?")
    status, _, err = kubeflow("logs", "Trainer")
    assert (status, err) == (2, "Expected a step that has begun. Received: Trainer is pending: it has no log in this run.\n")


def test_a_server_without_the_old_path_of_logs_says_so(kubeflow, server):
    server.frames = frames("run run running")
    kubeflow("submit", package(), "--no-follow")
    server.faults = lambda method, path: "page" if path.endswith("/log") else None
    status, _, err = kubeflow("logs", next(iter(server.runs)), "DataGate")
    assert status == 1
    assert "KFP gives no log of DataGate: the server has no such path. Look there: kubectl logs" in err
