"""Recurring runs on KFP: planned once, replaced without two at a time, undone."""

import pytest

from pipeline.kubeflow import cron
from tests.pipeline.kubeflow.kfp_script import package
from trainer.errors import ConfigError

RECURRING = "/apis/v2beta1/recurringruns"


def _enabled(server):
    return [one for one in server.recurring.values() if one["status"] == "ENABLED"]


def test_a_recurring_run_has_seconds_no_catch_up_and_one_run_at_a_time(kubeflow, server):
    status, out, _ = kubeflow("schedule", package(), "--cron", "0 3 * * *", "--namespace", "team", "-p", "epochs=3")
    assert status == 0
    [body] = server.bodies("POST", "/recurringruns")
    [version] = [one for one in server.versions.values() if one["display_name"] != "tiny"]
    [experiment] = server.experiments.values()
    assert {**body, "max_concurrency": str(body["max_concurrency"])} == {
        "experiment_id": experiment["experiment_id"],
        "display_name": "tiny",
        "mode": "ENABLE",
        "max_concurrency": "1",
        "no_catchup": True,
        "trigger": {"cron_schedule": {"cron": "0 0 3 * * *"}},
        "pipeline_version_reference": {"pipeline_id": version["pipeline_id"], "pipeline_version_id": version["pipeline_version_id"]},
        "runtime_config": {"parameters": {"epochs": 3, "pipeline_root": "gs://bucket/root"}, "pipeline_root": "gs://bucket/root"},
        "service_account": "tapeline-pipeline",
    }
    [identity] = server.recurring
    assert f"Planned: tiny, version {version['display_name']}, at 0 3 * * * ({identity}).\n" in out
    assert "One run at a time, and none for times that were missed.\n" in out
    assert "Undo:    tapeline kubeflow schedule --name tiny --experiment tiny --delete --namespace team\n" in out


def test_planned_again_it_is_replaced_and_never_are_two_enabled(kubeflow, server):
    kubeflow("schedule", package(), "--cron", "0 3 * * *")
    status, _, _ = kubeflow("schedule", package(epochs=6), "--cron", "30 4 * * MON")
    assert status == 0
    [one] = server.recurring.values()
    assert one["trigger"]["cron_schedule"]["cron"] == "0 30 4 * * MON"
    assert one["status"] == "ENABLED"
    changes = [(method, path.rpartition(":")[2]) for method, path, _, _ in server.requests if RECURRING in path and method != "GET"]
    assert changes[1:] == [("POST", RECURRING), *(("POST", verb) for verb in ("disable", "enable")), ("DELETE", changes[-1][1])]


def test_a_change_that_fails_leaves_the_old_plan_on(kubeflow, server):
    kubeflow("schedule", package(), "--cron", "0 3 * * *")
    failed = []

    def fail_once(method, path):
        if path.endswith(":enable") and not failed:
            failed.append(path)
            return 500, "Failed to enable the recurring run"
        return None

    server.faults = fail_once
    status, _, err = kubeflow("schedule", package(), "--cron", "0 5 * * *")
    assert status == 1
    assert "Failed to enable the recurring run" in err
    assert [one["trigger"]["cron_schedule"]["cron"] for one in _enabled(server)] == ["0 0 3 * * *"]
    assert len(server.recurring) == 1


@pytest.mark.parametrize(
    ("failing", "left"),
    [
        ({"enable": 1, "DELETE": 9}, "is still there, disabled"),
        ({"disable": 1, "DELETE": 9}, "is still there"),
        ({"enable": 1, "DELETE": 9, "disable": 9}, "is still there"),
    ],
)
def test_the_old_plan_is_on_again_even_where_the_new_one_cannot_be_removed(kubeflow, server, failing, left):
    kubeflow("schedule", package(), "--cron", "0 3 * * *")
    [old] = server.recurring

    def fail(method, path):
        verb = "DELETE" if method == "DELETE" else path.rpartition(":")[2]
        failing[verb] = failing.get(verb, 0) - 1
        return (500, f"no {verb}") if failing[verb] >= 0 else None

    server.faults = fail
    status, _, err = kubeflow("schedule", package(), "--cron", "0 5 * * *")
    server.faults = lambda method, path: None
    assert (status, len(err.splitlines())) == (1, 1)
    assert left in err
    assert [one["recurring_run_id"] for one in _enabled(server)] == [old]
    assert kubeflow("schedule", package(), "--cron", "0 5 * * *")[0] == 0, "planning again mends it"
    assert [one["trigger"]["cron_schedule"]["cron"] for one in server.recurring.values()] == ["0 0 5 * * *"]


def test_where_the_old_plan_stays_off_the_error_says_so(kubeflow, server):
    kubeflow("schedule", package(), "--cron", "0 3 * * *")
    [old] = server.recurring
    server.faults = lambda method, path: (500, "no") if path.endswith(":enable") else None
    status, _, err = kubeflow("schedule", package(), "--cron", "0 5 * * *")
    assert status == 1
    assert f"the old one {old} may be disabled. Plan it again." in err


def test_an_old_plan_that_cannot_be_removed_is_off_and_told(kubeflow, server):
    kubeflow("schedule", package(), "--cron", "0 3 * * *")
    [old] = server.recurring
    server.faults = lambda method, path: (500, "no") if method == "DELETE" else None
    status, _, err = kubeflow("schedule", package(), "--cron", "0 5 * * *")
    assert status == 1
    assert err.startswith("Planned, as the recurring run ")
    assert old in err
    assert [one["trigger"]["cron_schedule"]["cron"] for one in _enabled(server)] == ["0 0 5 * * *"]


def test_others_of_the_experiment_are_left_alone(kubeflow, server):
    kubeflow("schedule", package(), "--cron", "0 3 * * *", "--name", "nightly")
    kubeflow("schedule", package(), "--cron", "0 3 * * 0", "--name", "weekly")
    assert sorted(one["display_name"] for one in _enabled(server)) == ["nightly", "weekly"]
    assert kubeflow("schedule", "--name", "weekly", "--delete")[0] == 0
    assert [one["display_name"] for one in server.recurring.values()] == ["nightly"]


def test_a_plan_can_be_disabled_and_planned_again(kubeflow, server):
    kubeflow("schedule", package(), "--cron", "0 3 * * *")
    status, out, _ = kubeflow("schedule", package(), "--disable")
    assert (status, out) == (0, "Disabled: 1 recurring run named tiny.\n")
    assert _enabled(server) == []
    kubeflow("schedule", package(), "--cron", "0 3 * * *")
    assert len(server.recurring) == len(_enabled(server)) == 1


def test_a_plan_is_found_by_its_config_as_well(kubeflow, server):
    kubeflow("schedule", package(), "--cron", "0 3 * * *", "--name", "digits")
    status, out, _ = kubeflow("schedule", "configs/digits.yaml", "--disable")
    assert (status, out) == (0, "Disabled: 1 recurring run named digits.\n")
    assert _enabled(server) == []


def test_to_plan_there_has_to_be_something_to_run(kubeflow, server):
    for arguments in (["--cron", "0 3 * * *"], ["--cron", "0 3 * * *", "--name", "digits"], ["--delete"]):
        status, _, err = kubeflow("schedule", *arguments)
        assert (status, server.requests) == (2, [])
        assert err == "Expected CONFIG|PACKAGE, or --name with --disable or --delete. Received: none.\n"


def test_to_delete_what_is_not_there_is_a_mistake(kubeflow):
    status, _, err = kubeflow("schedule", "--name", "nightly", "--delete")
    assert (status, err) == (2, "Expected the name of a recurring run. Received: 'nightly', which is none.\n")


def test_cached_ingestion_is_not_planned(kubeflow, server):
    status, _, err = kubeflow(
        "schedule", package(data_path="gs://bucket/data", cached=True), "--cron", "0 3 * * *", "-p", "data_fingerprint=x"
    )
    assert (status, server.requests) == (2, [])
    assert "since a recurring run would not see new files in 'gs://bucket/data'. Received: `kubeflow.cache_ingestion: true`" in err
    assert kubeflow("schedule", package(cached=True), "--cron", "0 3 * * *")[0] == 0  # bundled data never changes


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("0 0 3 * * *", r"Expected --cron with 5 fields: .* Received: '0 0 3 \* \* \*' with 6\. Seconds are added here"),
        ("0 25 * * *", r"Expected the hour of --cron to be of 0 to 23\. Received: '25'"),
        ("0 3 * * 7", r"Expected the day of week of --cron to be of 0 to 6, or SUN to SAT\. Received: '7'"),
        ("0 3 * * FRI-MON", "Received: 'FRI-MON'"),
        ("*/0 3 * * *", r"Received: '\*/0'"),
        ("0 3 , * *", "day of month"),
    ],
)
def test_a_time_that_kfp_would_read_otherwise_is_refused(given, said):
    with pytest.raises(ConfigError, match=said):
        cron.with_seconds(given)


def test_a_wrong_time_is_told_before_the_config_is_read(kubeflow):
    status, _, err = kubeflow("schedule", "no-such-config.yaml", "--cron", "0 25 * * *")
    assert status == 2
    assert err.startswith("Expected the hour of --cron")


def test_what_planning_has_to_note_is_said(kubeflow):
    status, _, err = kubeflow("schedule", package(), "--cron", "0 3 * * *", "-p", "data_path=/mnt/data/mnist")
    assert status == 0
    assert "Note: the data in /mnt/data/mnist cannot be read from here" in err


@pytest.mark.parametrize("given", ["0 3 * * *", "*/15 0-6,22 1 JAN-MAR MON", "5/10 ? ? * sun"])
def test_five_fields_become_six(given):
    assert cron.with_seconds(given) == f"0 {given}"
