"""A package that Kubeflow Pipelines will take, and the parameters to run it with; nothing is sent.

config -> package, or a package as it is -> checked as KFP checks it -> parameters, the data's fingerprint among them -> places checked
"""

import hashlib
import re
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline import steps
from pipeline.kubeflow.config import PLACEHOLDER
from pipeline.kubeflow.package import Package
from pipeline.kubeflow.package_parameters import UNRESOLVED
from pipeline.places import UNLOADABLE_SIGNS, check_buckets, check_name
from pipeline.runs.quiet import output_hidden
from trainer.errors import ConfigError

_IS_PACKAGE = re.compile(r'^[\s{]*"?(pipelineInfo|pipelineSpec|schemaVersion|root)"?\s*:', re.MULTILINE)
_ROOT = re.compile(r"(gs|s3|minio)://[^/?]+(/[^?]*)?(\?.+)?")  # what KFP's launcher opens


@dataclass(frozen=True)
class Prepared:
    """A package that KFP will take, and what to run it with.

    Attributes:
      text: its YAML.
      parameters: by name, those that are sent.
      pipeline_root: where the run's artifacts go; None leaves it to KFP.
      notes: what the person should know.
    """

    package: Package
    text: str
    parameters: dict[str, Any]
    pipeline_root: str | None
    notes: list[str]

    @property
    def version(self) -> str:
        """The version's name: the same content has the same."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]


def prepare(source: str, overrides: list[str], texts: dict[str, str]) -> Prepared:
    """Compiles a config, or reads a package, and settles the parameters. Nothing is sent.

    Args:
      source: the file of a config or of a package.
      overrides: KEY=VALUE of a config.
      texts: parameters by name, as they were given, over the package's defaults.

    Raises:
      ConfigError: the config is wrong, or KFP would refuse the package or the parameters.
    """
    text = _package_text(Path(source), overrides)
    from pipeline.kubeflow import load_package, run_parameters  # kfp's protos, which take seconds: a mistake in a config is told before

    package = load_package.parse(text)
    given = run_parameters.typed(package, texts)
    values = run_parameters.over_defaults(package, given)
    check_buckets(values)
    sent, notes = dict(given), list(package.warnings)
    compiled = package.parameters.get("data_fingerprint", {}).get("defaultValue")
    is_fresh = not _is_package(source) and "data_path" not in given and compiled != UNRESOLVED  # it has just been compiled in
    if "data_fingerprint" in package.parameters and "data_fingerprint" not in given and values.get("data_path") and not is_fresh:
        sent["data_fingerprint"], more = fingerprint_of(package, str(values["data_path"]))
        notes += more
    root = values.get("pipeline_root") or package.spec.get("defaultPipelineRoot") or None
    if root and "pipeline_root" in package.parameters:
        sent["pipeline_root"] = root
    _check_places({"pipeline_root": root, "serving_base_path": values.get("serving_base_path")})
    return Prepared(package, text, sent, root, notes)


def pipeline_name(source: str, overrides: list[str]) -> str:
    """The pipeline's name of a config or a package. Raises ConfigError."""
    if _is_package(source):
        from pipeline.kubeflow import load_package

        return load_package.load(Path(source)).name
    from pipeline import config

    settings = config.load(source, overrides)
    with output_hidden():
        from pipeline.kubeflow import compile as compiler
    return compiler.pipeline_name(settings)


def fingerprint_of(package: Package, path: str) -> tuple[str, list[str]]:
    """The fingerprint of the data in `path`, or one that has never been, which KFP's cache cannot know."""
    from components.example_gen import raw_files
    from components.example_gen.config import DataConfig

    constant = package.tasks.get(steps.INGESTION.id, {}).get("inputs", {}).get("parameters", {}).get("data", {})
    try:
        with output_hidden():  # TensorFlow, which reads gs://
            data = DataConfig.from_json(constant["runtimeValue"]["constant"])
            return raw_files.fingerprint(data.model_copy(update={"path": path})), []
    except Exception as error:  # noqa: BLE001 - whatever keeps the data from being read here, the cluster may read it
        unknown = f"unresolved-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        reason = " ".join(str(error).split())
        return unknown, [f"the data in {path} cannot be read from here, so ingestion is not answered from KFP's cache. {reason}"]


def _is_package(source: str) -> bool:
    try:
        return bool(_IS_PACKAGE.search(Path(source).read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError):  # whoever reads it next says what is wrong
        return False


def _package_text(source: Path, overrides: list[str]) -> str:
    if _is_package(str(source)):
        if overrides:
            raise ConfigError("Expected --set with a config. Received: it with a package; change its parameters with -p NAME=VALUE.")
        return source.read_text(encoding="utf-8")
    from pipeline import config

    settings = config.load(str(source), overrides)
    with output_hidden(), tempfile.TemporaryDirectory() as folder:
        from pipeline.kubeflow.compile import write_package

        file = Path(folder) / "pipeline.yaml"
        write_package(settings, file)
        return file.read_text(encoding="utf-8")


def _check_places(places: dict[str, str | None]) -> None:
    for name, place in places.items():
        if place and place.startswith(PLACEHOLDER):
            raise ConfigError(f"Expected -p {name}=URL, or kubeflow.{name} in the config. Received: the placeholder '{place}'.")
    root = places["pipeline_root"]
    if root and not _ROOT.fullmatch(root):
        raise ConfigError(f"Expected pipeline_root to be what KFP can write to: gs://, s3:// or minio://BUCKET/FOLDER. Received: '{root}'.")
    check_name(root or "", "pipeline_root")
    check_name(places["serving_base_path"] or "", "serving_base_path", UNLOADABLE_SIGNS)
