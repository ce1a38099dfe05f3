"""One run of the pipeline with TFX's local runner: what the DAG needs, the launch, and the summary of its outputs."""

import json
import logging
import os
from pathlib import Path
from typing import Any, Protocol

import absl.logging
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata

from components import backbone, start, teacher
from components.data_found import read_found
from components.gate_verdict import read_verdict
from pipeline import accepted_data, dag, interruption, places, reviewed_schema, steps
from pipeline.code_digest import code_digests, under_settings
from pipeline.config import PipelineConfig
from pipeline.runs.beam_args import IN_MEMORY
from pipeline.runs.observed_dag_runner import NodeResult, ObservedDagRunner
from pipeline.runs.store import forget_removed_artifacts, forget_superseded_versions, lost_baseline
from pipeline.runs.summary import Summary
from pipeline.runs.tuning import read_tuning
from pipeline.workspace import Workspace, serving_path
from trainer import environment, exported
from trainer.steps import Distill

SETUP_FILE = Path(__file__).resolve().parents[2] / "setup.py"
# The setup file is for Beam's remote workers; without it every Beam component builds a source package of the whole of TFX in the
# temporary folder, 2 s each.
BEAM_ARGS = [*IN_MEMORY, f"--setup_file={SETUP_FILE}"]


class Shown(Protocol):
    """Whoever shows how a run goes on."""

    def start(self, name: str) -> None:
        """A component begins."""

    def finish(self, state: str, rows: int | None = None, *, refused: bool = False) -> None:
        """It has ended well."""


def run(
    config: PipelineConfig,
    workspace: Workspace,
    data_fingerprint: str,
    schema_file: str | None,
    progress: Shown,
    summary: Summary,
    until: str | None = None,
) -> None:
    """Runs every component of `config`, or those up to `until`, telling `progress`, and fills in `summary`.

    Raises:
      whatever a component raises; `summary` then holds what was found until there.
    """
    absl.logging.set_verbosity(absl.logging.INFO)
    logging.basicConfig()  # stderr, which is the log file
    for own in ("components", "trainer"):
        logging.getLogger(own).setLevel(logging.INFO)
    connection = metadata.sqlite_metadata_connection_config(str(workspace.metadata))
    reviewed_schema.check(config)
    config = config.model_copy(update={"trainer": backbone.found(config.trainer, workspace.backbones)})
    inputs = dag.Inputs(
        data_fingerprint=data_fingerprint,
        schema_file=schema_file and workspace.stored(schema_file),
        serving_path=workspace.stored(serving_path(config, workspace)),
        code=under_settings(code_digests(), environment.named(os.environ)),
        accepted=accepted_data.for_run(workspace, data_fingerprint),
        teacher=_teacher(config, workspace),
        start=start.find(config.trainer.start_from, serving_path(config, workspace)),
    )
    observer = _Observer(workspace, connection, progress, summary, config.tuner.metric if config.tuner else "")
    artifacts = workspace.stored(str(workspace.artifacts))
    with workspace.entered():
        forget_removed_artifacts(connection)
        forget_superseded_versions(connection)
        ObservedDagRunner(observer).run(dag.create_pipeline(config, inputs, artifacts, connection, BEAM_ARGS, until=until))
    if until:
        summary.outcome = "tuned"


def _teacher(config: PipelineConfig, workspace: Workspace) -> str:
    """The fingerprint of the model to learn from. Raises ConfigError where one is needed and there is none."""
    if not isinstance(config.trainer.step, Distill):
        return ""
    return teacher.fingerprint_of(teacher.find(config.trainer.step.teacher or "", serving_path(config, workspace)))


class _Observer:
    """Turns the nodes' outputs into progress lines and the summary."""

    def __init__(
        self,
        workspace: Workspace,
        connection: metadata.ConnectionConfigType,
        progress: Shown,
        summary: Summary,
        metric: str,
    ) -> None:
        self._metric = metric  # of the search
        self._workspace, self._connection = workspace, connection
        self._progress, self._summary = progress, summary
        self._candidate = 0  # the id of this run's model
        self._nothing_ran = True

    def started(self, node: str) -> None:
        interruption.check()
        places.wait_until_free(self._workspace.metadata)
        self._progress.start(node)

    def finished(self, result: NodeResult) -> None:
        self._summary.artifacts[result.node] = {key: self._workspace.stored(artifact.uri) for key, artifact in result.outputs.items()}
        if result.node == steps.INGESTION.id:
            examples = result.outputs["examples"]
            self._summary.rows = _rows_of_splits(examples)
            self._summary.spans = _json(examples, "spans", [])
            self._summary.duplicates = _json(examples, "duplicates", {})
            self._summary.notes += _json(examples, "notes", [])
        elif result.node == steps.DATA_GATE.id:
            self._summary.warn(*read_found(result.outputs["found"].uri))
        elif result.node == steps.TUNER.id:
            self._summary.tuning = read_tuning(self._metric, {name: output.uri for name, output in result.outputs.items()})
        elif result.node == steps.TRAINER.id:
            model = result.outputs["model"]
            self._candidate = model.id
            self._summary.convert(exported.read(model.uri), self._workspace.place(f"{self._workspace.stored(model.uri)}/{exported.FOLDER}"))
        elif result.node == steps.BASELINE.id:
            lost = lost_baseline(self._connection, self._candidate)
            self._summary.notes += [lost] if lost else []
        elif result.node == steps.EVALUATOR.id:
            self._summary.take(read_verdict(result.outputs["blessing"].uri))
        elif result.node == steps.PUSHER.id:
            self._read_push(result.outputs["pushed_model"])
        cached = result.cached or (result.node == steps.BASELINE.id and self._nothing_ran)  # a look-up: TFX never caches it
        self._nothing_ran = self._nothing_ran and cached
        refused = self._summary.is_refused_by(result.node)
        self._progress.finish("cached" if cached else "run", self._rows_for(result.node), refused=refused)

    def _rows_for(self, node: str) -> int | None:
        splits = steps.BY_ID[node].splits
        return sum(self._summary.rows[name] for name in splits) if splits else None

    def _read_push(self, pushed: metadata_store_pb2.Artifact) -> None:
        properties = pushed.custom_properties
        if not properties["pushed"].int_value:
            self._summary.outcome = "refused"
            return
        self._summary.version = properties["pushed_version"].string_value
        self._summary.model_dir = self._workspace.place(properties["pushed_destination"].string_value)
        self._summary.outcome = "pushed"  # last: a signal may come in between


def _json(artifact: metadata_store_pb2.Artifact, name: str, default: Any) -> Any:
    """The value of a custom property that holds JSON."""
    text = artifact.custom_properties[name].string_value
    return json.loads(text) if text else default


def _rows_of_splits(examples: metadata_store_pb2.Artifact) -> dict[str, int]:
    return {name.removeprefix("rows_"): value.int_value for name, value in examples.custom_properties.items() if name.startswith("rows_")}
