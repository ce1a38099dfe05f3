"""The rendered overlays, each once a session."""

import pytest

from tests.k8s.render import K8S, NO_RENDERER, OVERLAYS, Manifests, render, renderer


def manifests_of(name):
    if renderer() is None:
        pytest.skip(NO_RENDERER)
    return Manifests(name, render(K8S / "overlays" / name))


@pytest.fixture(params=OVERLAYS)
def manifests(request):
    return manifests_of(request.param)


@pytest.fixture
def dev():
    return manifests_of("dev")


@pytest.fixture
def gke():
    return manifests_of("gke")
