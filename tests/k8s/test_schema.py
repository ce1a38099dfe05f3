"""Every object is what the API servers of the newest GKE minor versions take: kubernetes-validate --strict, offline."""

import pytest

from tests.k8s.render import K8S, NO_RENDERER, render, renderer

kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="needs kubernetes-validate for the API server's schemas")

MINORS = ("1.35", "1.36", "1.37")  # the newest that GKE's release channels offer
# Kinds that a cluster learns from GKE, so that no schema of Kubernetes has them.
UNKNOWN = {"dev": set(), "gke": {"monitoring.googleapis.com/v1 PodMonitoring", "monitoring.googleapis.com/v1 Rules"}}


def unknown_kinds(objects, minor):
    """The kinds without a schema; raises ValidationError for what the others refuse."""
    unknown = set()
    for item in objects:
        try:
            kubernetes_validate.validate(item, minor, strict=True)
        except kubernetes_validate.SchemaNotFoundError:
            unknown.add(f"{item['apiVersion']} {item['kind']}")
    return unknown


@pytest.mark.parametrize("minor", MINORS)
def test_every_object_passes_strictly_and_the_kinds_without_a_schema_are_known_by_name(manifests, minor):
    assert unknown_kinds(manifests.objects, minor) == UNKNOWN[manifests.name]


@pytest.mark.parametrize("minor", MINORS)
def test_the_base_alone_passes_too(minor):
    if renderer() is None:
        pytest.skip(NO_RENDERER)
    assert unknown_kinds(render(K8S / "base"), minor) == set()


def test_a_field_that_does_not_exist_is_refused(dev):
    spoilt = dev.serving | {"spec": dev.serving["spec"] | {"replicaCount": 2}}
    with pytest.raises(kubernetes_validate.ValidationError, match="replicaCount"):
        unknown_kinds([spoilt], MINORS[-1])


def test_the_versions_are_the_three_newest_that_there_are_schemas_for():
    known = dict.fromkeys(kubernetes_validate.utils.major_minor(version) for version in kubernetes_validate.utils.all_versions())
    assert tuple(known)[-3:] == MINORS
