"""The files themselves: one kind a file, every file used, every placeholder in one place. Needs nothing but Python."""

import pytest
import yaml

from tests.k8s.render import K8S, OVERLAYS

FOLDERS = [K8S / "base", *(K8S / "overlays" / name for name in OVERLAYS)]
MANIFESTS = [path for folder in FOLDERS for path in sorted(folder.glob("*.yaml")) if path.name != "kustomization.yaml"]


def name_of(path):
    return str(path.relative_to(K8S))


@pytest.mark.parametrize("path", MANIFESTS, ids=name_of)
def test_a_file_holds_one_object_and_is_named_after_its_kind(path):
    (document,) = yaml.safe_load_all(path.read_text())
    if isinstance(document, list):  # a JSON patch, whose kind the kustomization names
        assert document[0]["op"]
        return
    kind, _, rest = path.stem.partition("-")
    assert document["kind"].lower() == kind
    if kind == "networkpolicy":
        namespace, _, name = rest.partition("-")
        assert document["metadata"] == {"name": name, "namespace": f"tapeline-{namespace}"}


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_every_file_of_a_folder_is_in_its_kustomization(folder):
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    used = {file.rpartition("=")[2] for generator in kustomization["configMapGenerator"] for file in generator.get("files", [])}
    used |= set(kustomization["resources"]) | {patch["path"] for patch in kustomization.get("patches", [])}
    assert {path.name for path in folder.iterdir() if path.is_file()} - {"kustomization.yaml"} == used - {"../../base"}


def test_what_has_to_be_replaced_is_in_one_file():
    places = {name_of(path) for folder in FOLDERS for path in folder.iterdir() if path.is_file() and "my-project" in path.read_text()}
    assert places == {"overlays/gke/kustomization.yaml"}


def test_no_placeholder_is_left_in_what_is_applied(manifests):
    assert "BUCKET" not in str(manifests.objects)
    assert "settings" not in manifests.names("ConfigMap")
