"""What the Trainer's step asks of the cluster for its workers, over HTTP to an API server of the tests."""

import json
import os
import signal
from pathlib import Path

import pytest
import yaml
from tfx.components.trainer.fn_args_utils import DataAccessor, FnArgs

from components import extra_workers
from tests.components.jobset_server import JobSetServer
from trainer.errors import ConfigError, TrainingError

BASE = Path(__file__).parents[2] / "k8s" / "base"
RUN_FN = "trainer.gradient_tape.run_fn"


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.setattr(extra_workers, "_PAUSE", 0.01)
    server = JobSetServer(tmp_path)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    from kubernetes.config import kube_config

    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", server.environment["KUBECONFIG"])  # else read once, at the import
    yield server
    server.close()


@pytest.fixture
def fn_args(tmp_path):
    return FnArgs(
        train_files=["gs://bucket/train/*"],
        data_accessor=DataAccessor(print, print, None),
        model_run_dir=str(tmp_path / "model_run"),
        custom_config={"trainer": "{}"},
    )


def test_while_the_chief_trains_there_is_a_jobset_and_a_file_that_a_worker_can_start_from(server, fn_args):
    with extra_workers.beside(3, RUN_FN, fn_args):
        [jobset] = server.jobsets.values()
        [job] = jobset["spec"]["replicatedJobs"]
        assert job["replicas"] == 2
        [file] = job["template"]["spec"]["template"]["spec"]["containers"][0]["args"]
        said = json.loads(Path(file).read_text(encoding="utf-8"))
        assert said["run_fn"] == RUN_FN
        again = FnArgs(**said["fn_args"])
        assert (again.train_files, again.custom_config, again.model_run_dir) == (
            fn_args.train_files,
            fn_args.custom_config,
            fn_args.model_run_dir,
        )
        own = json.loads(os.environ["TF_CONFIG"])
        assert own["task"] == {"type": "chief", "index": 0}
        assert len(own["cluster"]["worker"]) == 2
    assert not server.jobsets
    assert "TF_CONFIG" not in os.environ
    assert not Path(file).exists()


def test_the_jobset_is_deleted_after_an_error_too_and_the_error_stays(server, fn_args):
    with pytest.raises(ValueError, match="of the training"), extra_workers.beside(2, RUN_FN, fn_args):
        raise ValueError("of the training")
    assert len(server.created) == 1
    assert not server.jobsets
    assert "TF_CONFIG" not in os.environ


def test_a_jobset_that_fails_ends_what_the_chief_waits_for_with_one_line_that_names_the_worker(server, fn_args):
    server.failed = "jobset failed due to one or more job failures (first failed job: tapeline-x-worker-1)"
    before = signal.getsignal(signal.SIGUSR1)
    with (
        pytest.raises(TrainingError, match=r"^Expected all workers of the JobSet tapeline-\w+ to train\. Received: worker 1: [^\n]+$"),
        extra_workers.beside(3, RUN_FN, fn_args),
    ):
        signal.pause()
    assert not server.jobsets
    assert signal.getsignal(signal.SIGUSR1) == before


def test_the_roles_of_the_manifests_allow_what_is_asked_and_of_jobsets_nothing_else(server, fn_args):
    server.failed = "jobset failed"
    with pytest.raises(TrainingError), extra_workers.beside(2, RUN_FN, fn_args):
        signal.pause()
    workers, runs = (yaml.safe_load((BASE / f"role-{name}.yaml").read_text())["rules"] for name in ("workers", "runs"))
    [rule] = workers
    assert (rule["apiGroups"], rule["resources"]) == (["jobset.x-k8s.io"], ["jobsets"])
    assert {verb for verb, resource in server.calls if resource == "jobsets"} == set(rule["verbs"])
    assert {verb for verb, resource in server.calls if resource == "pods"} == {"get"}
    assert {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]} in runs


@pytest.mark.parametrize("workers", [1, 2])
def test_one_worker_and_workers_that_somebody_else_has_started_ask_nothing_of_a_cluster(server, fn_args, monkeypatch, workers):
    if workers > 1:
        monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 0}}')
    before = os.environ.get("TF_CONFIG")
    with extra_workers.beside(workers, RUN_FN, fn_args):
        assert os.environ.get("TF_CONFIG") == before
    assert os.environ.get("TF_CONFIG") == before
    assert not server.calls


def test_where_there_is_no_kubernetes_one_line_says_what_to_set(fn_args, monkeypatch):
    for name in ("KFP_POD_NAME", "TF_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    with (
        pytest.raises(ConfigError, match=r"^Expected a step of Kubeflow Pipelines on Kubernetes[^\n]+ Set `TF_CONFIG` on each machine"),
        extra_workers.beside(2, RUN_FN, fn_args),
    ):
        raise AssertionError("trained")


def test_a_pod_without_the_token_of_its_account_is_one_line(fn_args, monkeypatch):
    monkeypatch.setenv("KFP_POD_NAME", "a-pod")
    for name in ("KUBECONFIG", "TF_CONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    with (
        pytest.raises(ConfigError, match=r"^Expected the token of the pod's service account"),
        extra_workers.beside(2, RUN_FN, fn_args),
    ):
        raise AssertionError("trained")


def test_outputs_that_are_a_copy_in_the_pod_are_refused_before_a_worker_is_started(server, fn_args):
    fn_args.model_run_dir = "/s3/bucket/run"
    with pytest.raises(ConfigError, match=r"Received: outputs in /s3/bucket/run"), extra_workers.beside(2, RUN_FN, fn_args):
        raise AssertionError("trained")
    assert not server.calls


@pytest.mark.parametrize(
    ("call", "status", "kind", "line"),
    [
        (("create", "jobsets"), 403, ConfigError, r"Received: 403 no, thanks\. Apply k8s/base/role-workers\.yaml"),
        (("get", "pods"), 403, ConfigError, r"Received: 403 no, thanks\. Apply k8s/base/role-workers\.yaml"),
        (("create", "jobsets"), 404, ConfigError, r"^Expected a cluster that knows JobSets .* Install JobSet"),
        (("create", "jobsets"), 500, TrainingError, r"Received: 500 no, thanks\. Run the pipeline again"),
    ],
)
def test_what_the_api_server_refuses_is_one_line_with_the_next_step(server, fn_args, call, status, kind, line):
    server.refuse[call] = (status, "no, thanks")
    with pytest.raises(kind, match=line) as refusal, extra_workers.beside(2, RUN_FN, fn_args):
        raise AssertionError("trained")
    assert "\n" not in str(refusal.value)
    assert "TF_CONFIG" not in os.environ


def test_a_jobset_that_cannot_be_deleted_is_logged_and_the_training_is_not_lost(server, fn_args, caplog):
    server.refuse["delete", "jobsets"] = (500, "etcd is slow")
    with extra_workers.beside(2, RUN_FN, fn_args):
        pass
    assert "is left, until its time is over" in caplog.text


def test_an_api_server_that_does_not_answer_for_a_moment_is_no_failure_of_a_worker(server, fn_args):
    server.refuse["get", "jobsets"] = (503, "starting")
    with extra_workers.beside(2, RUN_FN, fn_args):
        for _ in range(3):
            server.looked.acquire(timeout=60)
    assert not server.jobsets
