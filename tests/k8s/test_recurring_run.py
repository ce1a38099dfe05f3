"""The CronJob that starts the recurring run: one at a time, off until wanted, within the quota."""

import pytest

from pipeline.kubeflow.config import StepsConfig
from tests.k8s.render import K8S, containers
from tests.k8s.test_restricted import amount


@pytest.fixture
def job(manifests):
    return manifests.one("CronJob", "tapeline-recurring-run", "tapeline-pipeline")


def container_of(job):
    (container,) = containers(job["spec"]["jobTemplate"]["spec"]["template"])
    return container


def test_it_starts_nothing_until_somebody_switches_it_on(job):
    assert job["spec"]["suspend"] is True


def test_runs_do_not_overlap_are_not_made_up_for_later_and_leave_nothing(job):
    spec = job["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    assert 10 <= spec["startingDeadlineSeconds"] <= 86400
    assert spec["timeZone"] == "Etc/UTC"
    run = spec["jobTemplate"]["spec"]
    assert run["backoffLimit"] <= 3
    assert run["ttlSecondsAfterFinished"] > 0
    assert run["activeDeadlineSeconds"] > 0
    assert run["template"]["spec"]["restartPolicy"] == "Never"


def test_it_submits_a_config_that_the_image_has(job):
    container = container_of(job)
    assert container["command"] == ["tapeline"]
    command, config = container["args"][:2], container["args"][2]
    assert command == ["kubeflow", "submit"]
    assert (K8S.parent / config).is_file()
    flags = {argument.removeprefix("--").partition("=")[0]: argument.partition("=")[2] for argument in container["args"][3:]}
    assert flags.keys() <= {"host", "namespace", "experiment", "parameter", "no-follow"}
    assert "no-follow" in flags, "a refused model would be a failed Job, which submits again"
    assert flags["namespace"] == job["metadata"]["namespace"]


def test_it_runs_the_projects_image_as_that_images_user(job, manifests):
    assert container_of(job)["image"].partition(":")[0].endswith("tapeline")
    assert job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["securityContext"]["runAsUser"] == 10001
    assert manifests.server["image"].startswith("tensorflow/serving:2.")


def test_it_fits_into_the_namespaces_quota(job, manifests):
    (quota,) = manifests.all("ResourceQuota", "tapeline-pipeline")
    hard, resources = quota["spec"]["hard"], container_of(job)["resources"]
    for name, share in hard.items():
        kind, _, resource = name.partition(".")
        if kind in ("requests", "limits") and resource in resources[kind]:
            assert amount(resource, resources[kind][resource]) <= amount(resource, share)
    limited = {name.partition(".")[2] for name in hard if name.startswith("limits.")}
    assert limited <= resources["limits"].keys(), "a quota on limits refuses a container without them"


def test_a_container_that_asks_for_nothing_gets_something_because_the_quota_would_refuse_it(manifests):
    (quota,) = manifests.all("ResourceQuota", "tapeline-pipeline")
    (limits,) = manifests.one("LimitRange", "tapeline-pipeline", "tapeline-pipeline")["spec"]["limits"]
    for name in quota["spec"]["hard"]:
        kind, _, resource = name.partition(".")
        if resource in ("cpu", "memory", "ephemeral-storage"):
            assert resource in limits["defaultRequest" if kind == "requests" else "default"]
    for resource, request in limits["defaultRequest"].items():
        assert amount(resource, request) <= amount(resource, limits["default"][resource])


def test_every_step_of_the_pipeline_fits_into_the_namespaces_quota(manifests):
    (quota,) = manifests.all("ResourceQuota", "tapeline-pipeline")
    hard = quota["spec"]["hard"]
    for name, field in StepsConfig.model_fields.items():
        asked = field.default
        for kind in ("requests", "limits"):
            assert asked.cpu <= amount("cpu", hard[f"{kind}.cpu"]), name
            assert asked.memory * 1e9 <= amount("memory", hard[f"{kind}.memory"]), name
