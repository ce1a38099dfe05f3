"""Reads a compiled package as KFP's API server does: parsed strictly by KFP's own protos, and refused for KFP's reasons.

text -> YAML documents -> PipelineSpec and PlatformSpec -> every name resolved (refusals.py) -> Package
"""

import re
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from pipeline import yaml_text
from pipeline.kubeflow import refusals
from pipeline.kubeflow.package import Package, PackageError
from trainer.errors import ConfigError, did_you_mean

SCHEMA_VERSION = "2.1.0"
_PIPELINE_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def load(path: Path) -> Package:
    """The package in the file `path`.

    Raises:
      PackageError: KFP would refuse it. ConfigError: there is no such file.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        near = did_you_mean(path.name, [file.name for file in path.parent.glob("*.yaml")]) if path.parent.is_dir() else ""
        raise ConfigError(f"Expected a compiled package, from `tapeline compile`. Received: '{path}': {error}.{near}") from None
    return parse(text)


def parse(text: str) -> Package:
    """The package of a text. Raises PackageError."""
    spec, platform = _documents(text)
    _check_spec(spec)
    package = Package(spec, _executor_configs(platform), [])
    refusals.check(package)
    package.order()
    package.warnings.extend(refusals.dropped(package))
    return package


def _documents(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        documents = [document for document in yaml_text.documents(text, "the package") if document is not None]
    except (yaml_text.NotYaml, ConfigError) as error:
        raise PackageError(f"Invalid pipeline spec: unable to decode yaml document: {error}") from None
    specs = [document for document in documents if isinstance(document, dict) and _is_pipeline_spec(document)]
    platforms = [document for document in documents if isinstance(document, dict) and "platforms" in document]
    if len(specs) > 1:
        raise PackageError("Invalid pipeline spec: multiple pipeline specs provided")
    if len(platforms) > 1:
        raise PackageError("Invalid platform spec: multiple platform specs provided")
    if not specs:
        wrapped = any(isinstance(document, dict) and "pipelineSpec" in document for document in documents)
        raise PackageError(
            "unknown template format: no pipeline spec is provided"
            + (". This is a PipelineJob; KFP takes its `pipelineSpec`" if wrapped else "")
        )
    return specs[0], platforms[0] if platforms else {}


def _is_pipeline_spec(document: dict[str, Any]) -> bool:
    """As KFP tells the two kinds of documents apart."""
    return ("pipelineInfo" in document and "root" in document) or ("schemaVersion" in document and "pipelineSpec" not in document)


def _check_spec(spec: dict[str, Any]) -> None:
    """Against the protos, the version and the names, in KFP's order."""
    message = _strictly(spec, pipeline_spec_pb2.PipelineSpec(), "unknown template format: invalid v2 pipeline spec")
    if message.schema_version != SCHEMA_VERSION:
        raise PackageError(f"KFP only supports schema version {SCHEMA_VERSION}, but the pipeline spec has version {message.schema_version}")
    if not message.pipeline_info.name:
        raise PackageError("invalid v2 pipeline spec: name is empty")
    if not _PIPELINE_NAME.fullmatch(message.pipeline_info.name):
        raise PackageError(
            "invalid v2 pipeline spec: name should consist of lower case alphanumeric characters, '-' or '.', and must start and end with "
            f"an alphanumeric character. Received: '{message.pipeline_info.name}'"
        )
    if not message.HasField("root"):
        raise PackageError("invalid v2 pipeline spec: root component is empty")
    if "root" in spec.get("components", {}):
        raise PackageError('component name "root" is reserved')
    if not spec["root"].get("dag", {}).get("tasks"):
        raise PackageError('error processing component name="root": unknown component implementation: it has no dag')
    # KFP itself drops unknown fields of this part; here they are mistakes.
    _strictly(spec.get("deploymentSpec", {}), pipeline_spec_pb2.PipelineDeploymentConfig(), "invalid deploymentSpec")


def _strictly(value: dict[str, Any], message: Any, what: str) -> Any:
    try:
        return json_format.ParseDict(value, message)
    except (json_format.ParseError, RecursionError) as error:
        raise PackageError(f"{what}: {' '.join(str(error).split())}") from None


def _executor_configs(platform: dict[str, Any]) -> dict[str, dict[str, Any]]:
    if not platform:
        return {}
    _strictly(platform, pipeline_spec_pb2.PlatformSpec(), "cannot unmarshal platform specific configs")
    return platform["platforms"].get("kubernetes", {}).get("deploymentSpec", {}).get("executors", {})
