"""Brings a package to Kubeflow Pipelines, and starts a run of it or plans runs by the clock.

config -> package -> checked as KFP checks it -> pipeline, version named after its content -> experiment -> run or recurring run
"""

import hashlib
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.kubeflow import cron
from pipeline.kubeflow.config import PLACEHOLDER
from pipeline.kubeflow.package import Package
from pipeline.kubeflow.parameters import UNRESOLVED
from pipeline.places import UNLOADABLE_SIGNS, check_buckets, check_name
from pipeline.runners.kubeflow_client import ClusterError, KubeflowClient
from pipeline.runners.quiet import output_hidden
from trainer.errors import ConfigError, TapelineError

SERVICE_ACCOUNT = "tapeline-pipeline"  # that of k8s/base
_IS_PACKAGE = re.compile(r'^[\s{]*"?(pipelineInfo|pipelineSpec|schemaVersion|root)"?\s*:', re.MULTILINE)
_ROOT = re.compile(r"(gs|s3|minio)://[^/?]+(/[^?]*)?(\?.+)?")  # what KFP's launcher opens
_INGESTION = "ImageExampleGen"


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


@dataclass(frozen=True)
class Started:
    """A run that KFP has taken.

    Attributes:
      is_new: the package was uploaded for it.
    """

    run: str
    version: str
    is_new: bool


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
    from pipeline.kubeflow import (
        given_parameters,
        load_package,
        run_parameters,
    )  # kfp's protos, which take seconds: a mistake in a config is told before

    package = load_package.parse(text)
    given = given_parameters.typed(package, texts)
    values = run_parameters.root_parameters(package, given)
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


def submit(
    client: KubeflowClient, prepared: Prepared, experiment: str | None, run_name: str | None, service_account: str | None
) -> Started:
    """Starts a run.

    Args:
      client: of the KFP to ask.
      prepared: what to run.
      experiment: its name; the pipeline's if None. It is made if it is not there.
      run_name: the pipeline's and the time if None.
      service_account: what the steps run as; KFP's default if None.
    """
    pipeline, version, is_new = _version(client, prepared)
    run = client.create_run(
        experiment_id=client.create_experiment(experiment or prepared.package.name),
        job_name=run_name or f"{prepared.package.name} {datetime.now(UTC):%Y-%m-%d %H:%M:%S}",
        pipeline_id=pipeline,
        version_id=version,
        params=prepared.parameters,
        pipeline_root=prepared.pipeline_root,
        service_account=service_account,
    )
    return Started(run.run_id, prepared.version, is_new)


def _check_schedulable(prepared: Prepared) -> None:
    """A recurring run's fingerprint is that of the day it was made: with cached ingestion new files would never be read. ConfigError."""
    task = prepared.package.tasks.get(_INGESTION, {})
    path = prepared.parameters.get("data_path", prepared.package.parameters.get("data_path", {}).get("defaultValue"))
    if path and task.get("cachingOptions", {}).get("enableCache"):
        raise ConfigError(
            f"Expected a package whose ingestion KFP does not cache, since a recurring run would not see new files in '{path}'. Received: "
            "`kubeflow.cache_ingestion: true`. Set it to false, or let the CronJob tapeline-recurring-run submit."
        )


def schedule(
    client: KubeflowClient, prepared: Prepared, when: str, experiment: str | None, name: str | None, service_account: str | None
) -> str:
    """Makes the recurring run `name` (the pipeline's if None), in place of those of that name, and returns its ID.

    At no time two of them are enabled; where the change fails, the old one is put back.
    """
    fields = cron.with_seconds(when)
    _check_schedulable(prepared)
    pipeline, version, _ = _version(client, prepared)
    name = name or prepared.package.name
    place = client.create_experiment(experiment or prepared.package.name)
    old = client.recurring_runs(place, name)
    new = client.create_recurring_run(
        experiment_id=place,
        job_name=name,
        cron=fields,
        max_concurrency=1,
        no_catchup=True,
        enabled=not old,
        params=prepared.parameters,
        pipeline_id=pipeline,
        version_id=version,
        pipeline_root=prepared.pipeline_root,
        service_account=service_account,
    )
    if old:
        _replace(client, [one.recurring_run_id for one in old if one.status != "DISABLED"], new)
        _remove(client, [one.recurring_run_id for one in old], new)
    return new


def stop(client: KubeflowClient, name: str, experiment: str | None, is_final: bool) -> int:
    """Disables the recurring runs of that name, or removes them if `is_final`, and returns how many. Raises ConfigError if none."""
    place = client.experiment(experiment) if experiment else None
    found = [] if experiment and not place else client.recurring_runs(place, name)
    if not found:
        where = f" in the experiment '{experiment}'" if experiment else ""
        raise ConfigError(f"Expected the name of a recurring run{where}. Received: '{name}', which is none.")
    for one in found:
        (client.delete if is_final else client.disable)(one.recurring_run_id)
    return len(found)


def pipeline_name(source: str, overrides: list[str]) -> str:
    """The pipeline's name of a config or a package. Raises ConfigError."""
    if _is_package(source):
        from pipeline.kubeflow import load_package

        return load_package.load(Path(source)).name
    from pipeline import config

    settings = config.load(source, overrides)
    with output_hidden():
        from pipeline.runners import kubeflow
    return kubeflow.pipeline_name(settings)


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
        from pipeline.runners import kubeflow

        file = Path(folder) / "pipeline.yaml"
        kubeflow.write_package(settings, file)
        return file.read_text(encoding="utf-8")


def fingerprint_of(package: Package, path: str) -> tuple[str, list[str]]:
    """The fingerprint of the data in `path`, or one that has never been, which KFP's cache cannot know."""
    from components.example_gen import raw_files
    from components.example_gen.config import DataConfig

    constant = package.tasks.get(_INGESTION, {}).get("inputs", {}).get("parameters", {}).get("data", {})
    try:
        with output_hidden():  # TensorFlow, which reads gs://
            data = DataConfig.from_json(constant["runtimeValue"]["constant"])
            return raw_files.fingerprint(data.model_copy(update={"path": path})), []
    except Exception as error:  # noqa: BLE001 - whatever keeps the data from being read here, the cluster may read it
        unknown = f"unresolved-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        reason = " ".join(str(error).split())
        return unknown, [f"the data in {path} cannot be read from here, so ingestion is not answered from KFP's cache. {reason}"]


def _check_places(places: dict[str, str | None]) -> None:
    for name, place in places.items():
        if place and place.startswith(PLACEHOLDER):
            raise ConfigError(f"Expected -p {name}=URL, or kubeflow.{name} in the config. Received: the placeholder '{place}'.")
    root = places["pipeline_root"]
    if root and not _ROOT.fullmatch(root):
        raise ConfigError(f"Expected pipeline_root to be what KFP can write to: gs://, s3:// or minio://BUCKET/FOLDER. Received: '{root}'.")
    check_name(root or "", "pipeline_root")
    check_name(places["serving_base_path"] or "", "serving_base_path", UNLOADABLE_SIGNS)


def _version(client: KubeflowClient, prepared: Prepared) -> tuple[str, str, bool]:
    """IDs of the pipeline and of the version with this content, and whether it was uploaded now."""
    name = prepared.package.name
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}.yaml"
        file.write_text(prepared.text, encoding="utf-8")
        pipeline = client.pipeline(name)
        # A new pipeline's first version has the pipeline's name. The one named after its content comes beside it, to be found again.
        pipeline = pipeline or client.upload_pipeline(file, name)
        known = client.version(pipeline, prepared.version)
        return pipeline, known or client.upload_version(file, pipeline, prepared.version), known is None


def _remove(client: KubeflowClient, old: list[str], new: str) -> None:
    kept = [one for one in old if not _done(client.delete, one)]
    if kept:
        raise ClusterError(
            f"Planned, as the recurring run {new}. The old {', '.join(kept)} could not be removed: disabled, and still there. "
            "The next `tapeline kubeflow schedule` removes what is left."
        )


def _replace(client: KubeflowClient, old: list[str], new: str) -> None:
    """The old ones off, then the new one on; back if that fails or is interrupted."""
    touched: list[str] = []
    try:
        for one in old:
            touched.append(one)  # first: it may be off after all, its answer lost
            client.disable(one)
        client.enable(new)
    except BaseException as error:
        left = _put_back(client, touched, new)
        if left and isinstance(error, TapelineError):
            raise ClusterError(f"{error} The old plan could not be put back whole: {'; '.join(left)}. Plan it again.") from None
        raise


def _put_back(client: KubeflowClient, old: list[str], new: str) -> list[str]:
    """Removes the new one and enables the old ones, each whatever became of the others; what could not be done."""
    left = []
    if not _done(client.delete, new):  # before the old ones: it may be on after all, its answer lost
        state = "disabled" if _done(client.disable, new) else "and may be enabled"
        left.append(f"the new recurring run {new} is still there, {state}")
    return left + [f"the old one {one} may be disabled" for one in old if not _done(client.enable, one)]


def _done(change: Callable[[str], None], recurring_run: str) -> bool:
    try:
        change(recurring_run)
    except TapelineError:
        return False
    return True
