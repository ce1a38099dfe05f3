"""The JobSet of the extra workers, as it is filled in for a Trainer's pod."""

import json

import pytest

from components import worker_jobset
from tests.components.jobset_server import CHIEF, POD
from trainer import cluster

NAME = "tapeline-0123456789ab"


@pytest.fixture
def jobset():
    return worker_jobset.filled(NAME, 3, CHIEF, "gs://bucket/run/fn_args.json")


def pod_of(jobset):
    return jobset["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]


def config_of(jobset, index):
    """TF_CONFIG in the pod of a Job, as kubelet fills it in."""
    [worker] = pod_of(jobset)["containers"]
    names = [variable["name"] for variable in worker["env"]]
    assert names.index("WORKER_INDEX") < names.index("TF_CONFIG"), "only a variable above can be referred to"
    [value] = [variable["value"] for variable in worker["env"] if variable["name"] == "TF_CONFIG"]
    return value.replace("$(WORKER_INDEX)", str(index))


def test_all_name_the_same_cluster_and_each_a_task_of_its_own(jobset):
    configs = [worker_jobset.chiefs_config(NAME, 3, CHIEF), *(config_of(jobset, index) for index in range(3))]
    clusters = [cluster.of_environment({"TF_CONFIG": config}) for config in configs]
    assert [each.number for each in clusters] == [0, 1, 2, 3]
    assert {each.addresses for each in clusters} == {
        ("10.4.1.7:2222", *(f"{NAME}-worker-{index}-0.{NAME}:2222" for index in range(3)))  # the names that JobSet gives
    }
    assert json.loads(configs[1])["task"]["index"] == 0, "a number, as TensorFlow wants it"


def test_the_workers_are_pods_like_the_trainers_with_its_image_resources_account_and_nodes(jobset):
    spec, chief, main = pod_of(jobset), CHIEF["spec"], CHIEF["spec"]["containers"][1]
    [worker] = spec["containers"]
    assert jobset["spec"]["replicatedJobs"][0]["replicas"] == 3
    assert {name: spec[name] for name in ("serviceAccountName", "nodeSelector", "tolerations")} == {
        name: chief[name] for name in ("serviceAccountName", "nodeSelector", "tolerations")
    }
    assert (worker["image"], worker["args"]) == (main["image"], ["gs://bucket/run/fn_args.json"])
    for kind in ("requests", "limits"):
        assert worker["resources"][kind] == {"ephemeral-storage": "10Gi", **main["resources"][kind]}


def test_what_the_trainers_pod_does_not_say_stays_as_the_template_has_it():
    chief = CHIEF | {"spec": {"containers": [{"name": "main", "image": "tapeline:1"}]}}
    spec, template = pod_of(worker_jobset.filled(NAME, 1, chief, "file")), pod_of(worker_jobset.template())
    assert spec["containers"][0]["resources"] == template["containers"][0]["resources"]
    assert spec["serviceAccountName"] == "tapeline-pipeline"
    assert "nodeSelector" not in spec


def test_it_goes_with_the_trainers_pod(jobset):
    assert jobset["metadata"]["ownerReferences"] == [{"apiVersion": "v1", "kind": "Pod", "name": POD, "uid": CHIEF["metadata"]["uid"]}]


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ([], None),
        ([{"type": "Completed", "status": "True", "message": "jobset completed successfully"}], None),
        ([{"type": "Failed", "status": "False", "message": "no"}], None),
        (
            [{"type": "Failed", "status": "True", "message": f"jobset failed (first failed job: {NAME}-worker-12)"}],
            f"worker 12: jobset failed (first failed job: {NAME}-worker-12)",
        ),
        ([{"type": "Failed", "status": "True", "message": "jobset failed."}], "jobset failed"),
    ],
)
def test_a_jobset_that_has_failed_names_the_worker(conditions, said):
    assert worker_jobset.failure({"status": {"conditions": conditions}}) == said


def test_a_jobset_that_nothing_was_said_of_yet_has_not_failed():
    assert worker_jobset.failure({}) is None
