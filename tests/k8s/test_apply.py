"""A real API server takes every object, admission included. Runs only where TAPELINE_K8S_CONTEXT names a kubectl context to write to."""

import json
import os
import subprocess

import pytest
import yaml

pytestmark = pytest.mark.cluster

CONTEXT = os.environ.get("TAPELINE_K8S_CONTEXT")
FORBIDDEN = "forbidden: violates PodSecurity"


def kubectl(*arguments, stdin=None):
    command = ["kubectl", "--context", CONTEXT, *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=110, check=False)


@pytest.fixture(autouse=True)
def cluster():
    if not CONTEXT:
        pytest.skip("needs a cluster: TAPELINE_K8S_CONTEXT=CONTEXT, where namespaces tapeline-serving and tapeline-pipeline may be written")


@pytest.fixture
def known(manifests):
    """The overlay's objects but those of kinds that this cluster has not learned (PodMonitoring and Rules outside GKE)."""
    resources = kubectl("api-resources", "--output=name").stdout
    gke = "podmonitorings.monitoring.googleapis.com" in resources
    return [item for item in manifests.objects if gke or not item["apiVersion"].startswith("monitoring.googleapis.com/")]


def test_the_api_server_takes_every_object_and_warns_of_none(known):
    applied = kubectl("apply", "--server-side", "--force-conflicts", "--validate=strict", "-f", "-", stdin=yaml.safe_dump_all(known))
    assert applied.returncode == 0, applied.stderr
    assert "Warning" not in applied.stderr
    assert len(applied.stdout.splitlines()) == len(known)


def test_the_api_server_lets_in_the_pods_that_the_templates_describe(manifests, known):
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=yaml.safe_dump_all(known))
    for namespace, template in manifests.templates():
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "trial", "namespace": namespace}, "spec": template["spec"]}
        for forbidden in (False, True):
            if forbidden:
                pod["spec"] = pod["spec"] | {"hostNetwork": True}
            created = kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))
            assert (FORBIDDEN in created.stderr) == forbidden, created.stderr
            assert (created.returncode == 0) != forbidden, created.stderr
