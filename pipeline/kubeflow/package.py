"""A compiled package: its documents, and what runs behind what."""

from dataclasses import dataclass
from typing import Any

from trainer.errors import ConfigError


class PackageError(ConfigError):
    """KFP would refuse the package; the message says why in KFP's words."""


@dataclass(frozen=True)
class Package:
    """A package whose names all resolve.

    Attributes:
      spec: the PipelineSpec as JSON.
      platform: what the platform document says of each executor, by label.
      warnings: what KFP drops without a word.
    """

    spec: dict[str, Any]
    platform: dict[str, dict[str, Any]]
    warnings: list[str]

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self.spec["pipelineInfo"]["name"]

    @property
    def tasks(self) -> dict[str, dict[str, Any]]:
        """The root's tasks by name."""
        return self.spec["root"]["dag"]["tasks"]

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        """The root's input parameters by name."""
        return self.spec["root"].get("inputDefinitions", {}).get("parameters", {})

    def component(self, task: str) -> dict[str, Any]:
        """The component that a task runs."""
        return self.spec["components"][self.tasks[task]["componentRef"]["name"]]

    def container(self, task: str) -> dict[str, Any]:
        """The container that a task runs."""
        return self.spec["deploymentSpec"]["executors"][self.component(task)["executorLabel"]]["container"]

    def producers(self, task: str) -> set[str]:
        """The tasks that must have ended before `task` begins."""
        spec = self.tasks[task]
        needed = set(spec.get("dependentTasks", []))
        for entry in spec.get("inputs", {}).get("artifacts", {}).values():
            needed |= {entry["taskOutputArtifact"]["producerTask"]} if "taskOutputArtifact" in entry else set()
        for entry in spec.get("inputs", {}).get("parameters", {}).values():
            needed |= {entry["taskOutputParameter"]["producerTask"]} if "taskOutputParameter" in entry else set()
        return needed

    def order(self) -> list[str]:
        """The tasks, each behind those that it needs; of several the first by name."""
        done: list[str] = []
        while len(done) < len(self.tasks):
            ready = sorted(name for name in self.tasks if name not in done and self.producers(name) <= set(done))
            if not ready:
                left = ", ".join(sorted(set(self.tasks) - set(done)))
                raise PackageError(f"invalid spec: the tasks {left} wait for one another: a dependency cycle")
            done.append(ready[0])
        return done
