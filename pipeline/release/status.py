"""`tapeline release status`: where the labels are, in the config and on every server, and what could be released or rolled back to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.release.pushed_versions import Pushed
from pipeline.release.served_config import CANARY, STABLE, ServedModel
from pipeline.release.servers import Look


@dataclass(frozen=True)
class Status:
    """`looks` is empty where no server was named."""

    place: str
    model: ServedModel
    pushed: Pushed
    looks: Sequence[Look]

    def to_json(self) -> dict[str, Any]:
        """Everything, for a program."""
        model = self.model
        return {
            "config": self.place,
            "model": model.name,
            "base_path": model.base_path,
            "policy": model.policy,
            "listed": list(model.versions),
            "labels": dict(model.labels),
            "history": list(model.history),
            "rollback": model.history[-1] if model.history else None,
            "pushed": None if self.pushed.unknown else sorted(self.pushed.folders),
            "newest_pushed": self.pushed.newest,
            "servers": {each.address: _look_to_json(each) for each in self.looks},
        }

    def show(self) -> None:
        """A table on stdout, and a line for whatever is not as the config says."""
        from rich.console import Console
        from rich.table import Table

        console = Console(highlight=False, soft_wrap=True, markup=False)
        console.print(f"{self.model.name} in {self.place}")
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
        for column in ("", "version", "servers") if self.looks else ("", "version"):
            table.add_column(column, justify="left")
        for name, version, ready in self._rows():
            table.add_row(name, "-" if version is None else str(version), *([ready] if self.looks else []))
        console.print(table)
        for line in self._remarks():
            console.print(line)

    def _rows(self) -> Iterator[tuple[str, int | None, str]]:
        labels = self.model.labels
        for label in dict.fromkeys([STABLE, CANARY, *sorted(labels)]):
            version = labels.get(label)
            followers = sum(version is not None and each.labels.get(label) == version for each in self.looks)
            yield label, version, f"{followers} of {len(self.looks)} answer with it" if version is not None else ""
        before = self.model.history[-1] if self.model.history else None
        for name, version in (("rollback", before), ("newest push", self.pushed.newest)):
            loaded = sum(version is not None and each.has(version) for each in self.looks)
            yield name, version, f"{loaded} of {len(self.looks)} have it loaded" if version is not None else ""

    def _remarks(self) -> Iterator[str]:
        if not self.model.labels:
            yield "No label yet: `tapeline release promote VERSION` says what stable is."
        if self.model.policy != "specific":
            yield f"The config lists no versions, its policy is '{self.model.policy}': every push changes what is served."
        if len(self.model.history) > 1:
            yield f"stable was, the last one last: {', '.join(map(str, self.model.history))}"
        if self.pushed.unknown:
            yield f"{self.pushed.base_path} cannot be read from here: {self.pushed.unknown}"
        for each in self.looks:
            if each.trouble:
                yield f"{each.address} {each.trouble}"
            else:
                yield from self._differences(each)

    def _differences(self, each: Look) -> Iterator[str]:
        for label, version in self.model.labels.items():
            there = each.labels.get(label)
            if there is None:
                yield f"{each.address}: {label} answers nothing; version {version}: {each.state(version)}"
            elif there != version:
                yield f"{each.address}: {label} is still version {there}; version {version}: {each.state(version)}"


def _look_to_json(each: Look) -> dict[str, Any]:
    if each.trouble:
        return {"error": each.trouble}
    return {"versions": {str(version): each.state(version) for version in each.versions}, "labels": dict(each.labels)}
