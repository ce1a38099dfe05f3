"""Brings a package to Kubeflow Pipelines, and starts a run of it.

prepared package -> pipeline, version named after its content -> experiment -> run
"""

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.kubeflow.client import KubeflowClient
from pipeline.kubeflow.prepare import Prepared


@dataclass(frozen=True)
class Started:
    """A run that KFP has taken.

    Attributes:
      is_new: the package was uploaded for it.
    """

    run: str
    version: str
    is_new: bool


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
    pipeline, version, is_new = upload(client, prepared)
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


def upload(client: KubeflowClient, prepared: Prepared) -> tuple[str, str, bool]:
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
