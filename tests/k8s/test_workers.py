"""The JobSet that the Trainer's step makes for its workers: what Kubernetes takes, and what fits the manifests."""

import pytest

from components import worker_jobset
from tests.components.jobset_server import CHIEF
from tests.k8s.render import ports
from tests.k8s.test_schema import MINORS, kubernetes_validate

NAME = "tapeline-0123456789ab"
# api/jobset/v1alpha2/jobset_types.go of kubernetes-sigs/jobset, as far as it is used; its schema is in no package.
FIELDS = {"replicatedJobs", "network", "successPolicy", "failurePolicy", "suspend", "coordinator", "managedBy", "ttlSecondsAfterFinished"}
NETWORK = {"enableDNSHostnames", "subdomain", "publishNotReadyAddresses"}
JOB = {"name", "groupName", "template", "replicas", "dependsOn"}


@pytest.fixture(params=["template", "filled"])
def jobset(request):
    return worker_jobset.template() if request.param == "template" else worker_jobset.filled(NAME, 3, CHIEF, "gs://bucket/fn_args.json")


def job_of(jobset):
    [job] = jobset["spec"]["replicatedJobs"]
    return job


@pytest.mark.parametrize("minor", MINORS)
def test_each_of_its_jobs_is_what_the_api_server_takes_strictly(jobset, minor):
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": f"{NAME}-worker-0"}, **job_of(jobset)["template"]}
    kubernetes_validate.validate(job, minor, strict=True)
    job["spec"] = job["spec"] | {"completionModes": "Indexed"}
    with pytest.raises(kubernetes_validate.ValidationError, match="completionModes"):
        kubernetes_validate.validate(job, minor, strict=True)


def test_its_own_fields_are_those_of_the_api(jobset):
    assert (jobset["apiVersion"], jobset["kind"]) == ("jobset.x-k8s.io/v1alpha2", "JobSet")
    assert jobset.keys() == {"apiVersion", "kind", "metadata", "spec"}
    assert jobset["spec"].keys() <= FIELDS
    assert jobset["spec"]["network"].keys() <= NETWORK
    assert jobset["spec"]["failurePolicy"].keys() <= {"maxRestarts", "restartStrategy", "rules"}
    assert job_of(jobset).keys() <= JOB


def test_its_pods_have_names_that_a_host_may_have_and_one_pod_a_job(jobset):
    assert len(f"{NAME}-worker-63-0") <= 63
    spec = job_of(jobset)["template"]["spec"]
    assert jobset["spec"]["network"]["enableDNSHostnames"] is True
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 1, 1), "names are those of indexed Jobs"


def test_a_worker_that_has_failed_is_not_started_again_alone(jobset):
    spec = job_of(jobset)["template"]["spec"]
    assert jobset["spec"]["failurePolicy"]["maxRestarts"] == spec["backoffLimit"] == 0
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert 0 < jobset["spec"]["ttlSecondsAfterFinished"] <= 86400


def test_a_worker_has_neither_a_secret_nor_a_token(jobset):
    spec = job_of(jobset)["template"]["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert {key for volume in spec["volumes"] for key in volume} == {"name", "emptyDir"}
    assert "secretKeyRef" not in str(spec)
    assert "envFrom" not in str(spec)


def test_the_pods_of_a_training_reach_each_other_on_its_one_port_and_nobody_else_reaches_them(manifests, jobset):
    template = job_of(jobset)["template"]["spec"]["template"]
    policy = manifests.one("NetworkPolicy", "allow-workers", "tapeline-pipeline")["spec"]
    label = policy["podSelector"]["matchLabels"]
    assert label == worker_jobset.LABELS
    assert label.items() <= template["metadata"]["labels"].items()
    [port] = ports(template).values()
    for side, peers in (("ingress", "from"), ("egress", "to")):
        [rule] = policy[side]
        assert rule[peers] == [{"podSelector": {"matchLabels": label}}], "of this namespace"
        assert rule["ports"] == [{"protocol": "TCP", "port": port}]
    ingress = [item["metadata"]["name"] for item in manifests.all("NetworkPolicy", "tapeline-pipeline") if "ingress" in item["spec"]]
    assert ingress == ["allow-workers"]
