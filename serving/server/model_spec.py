"""Which model, which version of it and which signature a request is for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelSpec:
    """No version and no label: the newest available. An empty signature: `serving_default`."""

    name: str
    version: int | None = None
    signature_name: str = ""
    version_label: str = ""
