"""TFX's LocalDagRunner, telling an observer of every node, and of what it put out.

compile -> clear old outputs away -> for each node in topological order: launch with TFX's launcher, look up its outputs, note their size
"""

import dataclasses
import datetime
from pathlib import Path
from typing import Protocol

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata
from tfx.orchestration.local import local_dag_runner, runner_utils
from tfx.orchestration.portable import launcher, runtime_parameter_utils
from tfx.proto.orchestration import pipeline_pb2

from pipeline.runs.store import note_contents, remove_unknown_outputs


@dataclasses.dataclass(frozen=True)
class NodeResult:
    """What one node put out.

    Attributes:
      node: the node's id.
      cached: whether TFX took the outputs of an earlier execution.
      outputs: MLMD's record of each output artifact by its key.
    """

    node: str
    cached: bool
    outputs: dict[str, metadata_store_pb2.Artifact]


class Observer(Protocol):
    """Whoever wants to know how a run goes on."""

    def started(self, node: str) -> None:
        """The node begins."""

    def finished(self, result: NodeResult) -> None:
        """The node has ended well."""


class ObservedDagRunner(local_dag_runner.LocalDagRunner):
    """Runs node by node in this process, as its base class does."""

    def __init__(self, observer: Observer) -> None:
        super().__init__()
        self._observer = observer

    def run_with_ir(self, pipeline: pipeline_pb2.Pipeline, run_options: pipeline_pb2.RunOptions | None = None) -> None:
        """See the base class; partial runs are not offered."""
        run_id = datetime.datetime.now().isoformat()
        runtime_parameter_utils.substitute_runtime_parameter(pipeline, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id})
        deployment = runner_utils.extract_local_deployment_config(pipeline)
        connection = deployment.metadata_connection_config
        connection = getattr(connection, connection.WhichOneof("connection_config"))
        remove_unknown_outputs(connection, Path(pipeline.runtime_spec.pipeline_root.field_value.string_value))
        for node in (each.pipeline_node for each in pipeline.nodes):
            name = node.node_info.id
            self._observer.started(name)
            info = launcher.Launcher(
                pipeline_node=node,
                mlmd_connection=metadata.Metadata(connection),
                pipeline_info=pipeline.pipeline_info,
                pipeline_runtime_spec=pipeline.runtime_spec,
                executor_spec=runner_utils.extract_executor_spec(deployment, name),
                custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, name),
            ).launch()
            self._observer.finished(_result(connection, name, info.execution_id))


def _result(connection: metadata.ConnectionConfigType, node: str, execution_id: int) -> NodeResult:
    with metadata.Metadata(connection) as handle:
        [execution] = handle.store.get_executions_by_id([execution_id])
        keys = {
            event.artifact_id: event.path.steps[0].key
            for event in handle.store.get_events_by_execution_ids([execution_id])
            if event.type == metadata_store_pb2.Event.OUTPUT
        }
        artifacts = handle.store.get_artifacts_by_id(list(keys))
        note_contents(handle, artifacts)
    cached = execution.last_known_state == metadata_store_pb2.Execution.CACHED
    return NodeResult(node, cached, {keys[artifact.id]: artifact for artifact in artifacts})
