"""An overlay as the objects that `kubectl apply` would send, and what the tests ask of such a list.

kubectl kustomize k8s/overlays/NAME -> YAML -> dicts
"""

import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from components import worker_jobset

K8S = Path(__file__).parents[2] / "k8s"
OVERLAYS = ("dev", "gke")
NO_RENDERER = "needs kubectl 1.27 or newer, or kustomize 5, to render k8s/overlays; neither is on PATH"

Object = dict[str, Any]


def renderer() -> list[str] | None:
    """The command that renders a folder, or None where this machine has none."""
    if shutil.which("kubectl"):
        return ["kubectl", "kustomize"]
    return ["kustomize", "build"] if shutil.which("kustomize") else None


@cache
def render(folder: Path) -> tuple[Object, ...]:
    """The objects of a kustomization, in the order in which they would be applied."""
    done = subprocess.run([*renderer(), str(folder)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


class Manifests:
    """The objects of one overlay."""

    def __init__(self, name: str, objects: tuple[Object, ...]) -> None:
        self.name, self.objects = name, objects

    def all(self, kind: str, namespace: str | None = None) -> list[Object]:
        """Those of a kind, in one namespace or in any."""
        found = [item for item in self.objects if item["kind"] == kind]
        return [item for item in found if namespace in (None, item["metadata"].get("namespace"))]

    def one(self, kind: str, name: str, namespace: str | None = None) -> Object:
        """The one of this kind and name."""
        found = [item for item in self.all(kind, namespace) if item["metadata"]["name"] == name]
        assert len(found) == 1, f"expected one {kind} {name}, found {len(found)}"
        return found[0]

    def names(self, kind: str, namespace: str | None = None) -> set[str]:
        """The names of those of a kind."""
        return {item["metadata"]["name"] for item in self.all(kind, namespace)}

    def templates(self) -> Iterator[tuple[str, Object]]:
        """Namespace and pod template of everything that starts pods: what is applied, and the template that the Trainer's step fills in."""
        [workers] = worker_jobset.template()["spec"]["replicatedJobs"]
        yield "tapeline-pipeline", workers["template"]["spec"]["template"]
        for item in self.objects:
            if item["kind"] in ("Deployment", "StatefulSet", "DaemonSet", "Job"):
                yield item["metadata"]["namespace"], item["spec"]["template"]
            elif item["kind"] == "CronJob":
                yield item["metadata"]["namespace"], item["spec"]["jobTemplate"]["spec"]["template"]

    def selected(self, namespace: str, selector: Object) -> list[Object]:
        """The pod templates of a namespace that a label selector (matchLabels only) matches."""
        wanted = selector.get("matchLabels", {}).items()
        return [template for there, template in self.templates() if there == namespace and wanted <= template["metadata"]["labels"].items()]

    @property
    def serving(self) -> Object:
        """The Deployment."""
        return self.one("Deployment", "tapeline-serving")

    @property
    def server(self) -> Object:
        """TensorFlow Serving's container."""
        (container,) = [one for one in self.serving["spec"]["template"]["spec"]["containers"] if one["name"] == "tensorflow-serving"]
        return container

    @property
    def server_flags(self) -> dict[str, str]:
        """The server's flags by name."""
        return dict(argument.removeprefix("--").split("=", 1) for argument in self.server["args"])

    def mounted(self, path: str) -> str:
        """The text of a file that a ConfigMap puts into the server's container."""
        folder, _, name = path.rpartition("/")
        (mount,) = [mount for mount in self.server["volumeMounts"] if mount["mountPath"] == folder]
        assert "subPath" not in mount, "a file mounted by subPath never changes"
        (volume,) = [volume for volume in self.serving["spec"]["template"]["spec"]["volumes"] if volume["name"] == mount["name"]]
        return self.one("ConfigMap", volume["configMap"]["name"], "tapeline-serving")["data"][name]


def containers(template: Object) -> list[Object]:
    """Every container of a pod template, those that run first included."""
    return [*template["spec"].get("initContainers", []), *template["spec"]["containers"]]


def ports(template: Object) -> dict[str, int]:
    """The named ports of a pod template."""
    return {port["name"]: port["containerPort"] for container in containers(template) for port in container.get("ports", [])}
