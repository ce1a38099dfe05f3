"""No pod needs a privilege, every container is bounded, every image is a certain one."""

import re

import pytest

from tests.k8s.render import containers

CORES = re.compile(r"[1-9]\d*m?|0\.\d*[1-9]")
BYTES = re.compile(r"[1-9]\d*(Ki|Mi|Gi|Ti)")
VOLUMES = {"configMap", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def amount(resource, quantity):
    """A quantity as a number of cores or bytes; what Kubernetes would refuse, and what it would take for something else, fails."""
    quantity = str(quantity)
    if resource.endswith("cpu"):
        assert CORES.fullmatch(quantity), f"{resource}: {quantity} is no number of cores"
        return float(quantity.removesuffix("m")) / (1000 if quantity.endswith("m") else 1)
    assert BYTES.fullmatch(quantity), f"{resource}: {quantity} is no number of bytes with Ki, Mi, Gi or Ti"
    return int(quantity[:-2]) * UNITS[quantity[-2:]]


def every_container(manifests):
    return [(template, container) for _, template in manifests.templates() for container in containers(template)]


def test_a_namespace_refuses_pods_that_are_not_restricted(manifests):
    for namespace in manifests.all("Namespace"):
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_every_object_is_in_a_namespace_of_ours_or_belongs_to_the_cluster(manifests):
    for item in manifests.objects:
        if item["kind"] not in ("Namespace", "PriorityClass"):
            assert item["metadata"]["namespace"] in manifests.names("Namespace"), item["metadata"]["name"]


def test_every_container_is_restricted(manifests):
    found = every_container(manifests)
    assert found
    for _, container in found:
        context = container["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context.get("privileged", False) is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not any("hostPort" in port for port in container.get("ports", []))


def test_every_pod_runs_as_a_certain_user_and_shares_nothing_with_its_node(manifests):
    for _, template in manifests.templates():
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] >= 10000
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        for volume in spec["volumes"]:
            assert volume.keys() - {"name"} <= VOLUMES


def test_what_a_container_writes_goes_to_a_bounded_volume(manifests):
    for template, container in every_container(manifests):
        home = {variable["name"]: variable.get("value") for variable in container["env"]}["HOME"]
        (mount,) = [mount for mount in container["volumeMounts"] if mount["mountPath"] == home]
        (volume,) = [volume for volume in template["spec"]["volumes"] if volume["name"] == mount["name"]]
        limit = amount("ephemeral-storage", volume["emptyDir"]["sizeLimit"])
        assert limit <= amount("ephemeral-storage", container["resources"]["limits"]["ephemeral-storage"])


def test_every_mount_is_of_a_volume_of_the_pod_and_every_volume_is_mounted(manifests):
    for _, template in manifests.templates():
        mounted = {mount["name"] for container in containers(template) for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in template["spec"]["volumes"]}


def test_every_image_has_a_tag_that_means_one_image(manifests):
    for _, container in every_container(manifests):
        repository, colon, tag = container["image"].rpartition(":")
        assert colon
        assert "/" not in tag, f"{container['image']} has no tag"
        assert tag
        assert tag != "latest"
        assert repository


def test_every_container_says_what_it_needs_and_may_take(manifests):
    for _, container in every_container(manifests):
        requests, limits = container["resources"]["requests"], container["resources"]["limits"]
        assert {"cpu", "memory", "ephemeral-storage"} <= requests.keys()
        assert {"memory", "ephemeral-storage"} <= limits.keys()
        for resource, limit in limits.items():
            assert amount(resource, requests[resource]) <= amount(resource, limit)


@pytest.mark.parametrize("quantity", ["2Gb", "2 Gi", "2", "2g", "0Gi", "-1Gi", "1.5Gi"])
def test_a_quantity_that_is_none_or_hardly_meant_is_refused(quantity):
    with pytest.raises(AssertionError, match="is no number of bytes"):
        amount("memory", quantity)


def test_quotas_and_volumes_are_quantities_too(manifests):
    for quota in manifests.all("ResourceQuota"):
        for resource, quantity in quota["spec"]["hard"].items():
            if resource.endswith(("cpu", "memory", "ephemeral-storage")):
                amount(resource, quantity)
            else:
                assert re.fullmatch(r"\d+", str(quantity)), resource
    for claim in manifests.all("PersistentVolumeClaim"):
        amount("storage", claim["spec"]["resources"]["requests"]["storage"])


def test_what_answers_users_goes_before_what_trains(manifests):
    for _, template in manifests.templates():
        assert template["spec"]["priorityClassName"] in manifests.names("PriorityClass")
    serving, pipeline = (manifests.one("PriorityClass", f"tapeline-{name}") for name in ("serving", "pipeline"))
    assert serving["value"] > pipeline["value"]
    assert pipeline["preemptionPolicy"] == "Never"
    assert not any(item.get("globalDefault") for item in (serving, pipeline))
