"""The CronJob that starts the recurring run: one at a time, off until wanted, within the quota."""

import re
import shutil

import pytest
import yaml

from pipeline import cli
from pipeline.kubeflow.config import PLACEHOLDER, StepsConfig
from tests.k8s.render import K8S, Manifests, containers, render
from tests.k8s.test_restricted import amount
from tests.pipeline.kubeflow.kfp_server import KfpServer


@pytest.fixture
def job(gke):
    return gke.one("CronJob", "tapeline-recurring-run", "tapeline-pipeline")


@pytest.fixture
def edited(gke, tmp_path):
    """The manifests of GKE with every placeholder replaced, as the guide says."""
    folder = tmp_path / "k8s"
    shutil.copytree(K8S, folder)
    file = folder / "overlays" / "gke" / "kustomization.yaml"
    file.write_text(file.read_text().replace("my-project-commit", "4fa9311").replace("my-project", "acme"))
    return Manifests("gke", render(folder / "overlays" / "gke"))


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


def test_what_it_runs_starts_a_run_of_its_own_image_with_places_of_the_overlay(edited, tmp_path, monkeypatch):
    container = container_of(edited.one("CronJob", "tapeline-recurring-run", "tapeline-pipeline"))
    environment = {variable["name"]: variable["value"] for variable in container["env"]}
    arguments = [re.sub(r"\$\((\w+)\)", lambda found: environment[found[1]], argument) for argument in container["args"]]
    assert container["command"] == ["tapeline"]
    assert "--no-follow" in arguments, "a refused model would be a failed Job, which submits again"
    token = tmp_path / "token"
    token.write_text("the-pods")
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(token))
    monkeypatch.chdir(K8S.parent)  # the image's working directory has the configs too
    server = KfpServer()
    server.token = "the-pods"
    try:
        status = cli.main([re.sub(r"^--host=.*", f"--host={server.url}", argument) for argument in arguments])
    finally:
        server.close()
    assert status == 0
    [run] = server.bodies("POST", "/runs")
    assert run["runtime_config"]["pipeline_root"] == "gs://acme-tapeline/pipeline-root"
    [version] = [one for one in server.versions.values() if re.fullmatch(r"[0-9a-f]{12}", one["display_name"])]
    spec = yaml.safe_load(yaml.safe_dump(version["pipeline_spec"]))
    spec = spec.get("pipeline_spec", spec)
    assert {executor["container"]["image"] for executor in spec["deploymentSpec"]["executors"].values()} == {container["image"]}
    assert container["image"] == "europe-west1-docker.pkg.dev/acme/tapeline/tapeline:4fa9311"
    defaults = {name: one.get("defaultValue") for name, one in spec["root"]["inputDefinitions"]["parameters"].items()}
    assert defaults["data_path"] == "gs://acme-tapeline/data/mnist"
    assert f"{defaults['serving_base_path']}/mnist" in edited.one("ConfigMap", "tapeline-models")["data"]["models.config"]
    assert PLACEHOLDER not in str(spec)


def test_a_cluster_without_a_bucket_has_no_recurring_run(dev):
    assert not dev.all("CronJob")
    assert "tapeline-submit" not in dev.names("ServiceAccount")


def test_it_runs_the_projects_image_as_that_images_user(job, gke):
    assert container_of(job)["image"].partition(":")[0].endswith("tapeline")
    assert job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["securityContext"]["runAsUser"] == 10001
    assert gke.server["image"].startswith("tensorflow/serving:2.")


def test_it_fits_into_the_namespaces_quota(job, gke):
    (quota,) = gke.all("ResourceQuota", "tapeline-pipeline")
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
