"""Plans runs by the clock on Kubeflow Pipelines: a recurring run, in place of the one of that name, of which never two are enabled."""

from collections.abc import Callable

from pipeline import steps
from pipeline.kubeflow import cron
from pipeline.kubeflow.client import ClusterError, KubeflowClient
from pipeline.kubeflow.prepare import Prepared
from pipeline.kubeflow.submit import upload
from trainer.errors import ConfigError, TapelineError


def schedule(
    client: KubeflowClient, prepared: Prepared, when: str, experiment: str | None, name: str | None, service_account: str | None
) -> str:
    """Makes the recurring run `name` (the pipeline's if None), in place of those of that name, and returns its ID.

    At no time two of them are enabled; where the change fails, the old one is put back.
    """
    fields = cron.with_seconds(when)
    _check_schedulable(prepared)
    pipeline, version, _ = upload(client, prepared)
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


def _check_schedulable(prepared: Prepared) -> None:
    """A recurring run's fingerprint is that of the day it was made: with cached ingestion new files would never be read. ConfigError."""
    task = prepared.package.tasks.get(steps.INGESTION.id, {})
    path = prepared.parameters.get("data_path", prepared.package.parameters.get("data_path", {}).get("defaultValue"))
    if path and task.get("cachingOptions", {}).get("enableCache"):
        raise ConfigError(
            f"Expected a package whose ingestion KFP does not cache, since a recurring run would not see new files in '{path}'. Received: "
            "`kubeflow.cache_ingestion: true`. Set it to false, or let the CronJob tapeline-recurring-run submit."
        )


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
