"""Stops the run where the data is not what the schema says, and says what differs.

anomalies of ExampleValidator + labels that the task does not have -> AnomaliesError, or nothing
"""

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2
from tfx.dsl.component.experimental.annotations import InputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_artifacts

from trainer.errors import AnomaliesError
from trainer.problem import Problem

_SHOWN = 8


@component
def DataGate(
    statistics: InputArtifact[standard_artifacts.ExampleStatistics],
    anomalies: InputArtifact[standard_artifacts.ExampleAnomalies],
    problem: Parameter[str],
    code: Parameter[str] = "",
) -> None:
    """Passes if no split has anomalies and every label is one of the task's.

    `problem` is a Problem as JSON; `code`, a digest, is for TFX's cache alone.

    Raises:
      AnomaliesError: names feature, split, what was found and what the schema says, for each anomaly.
    """
    del code
    found = _schema_anomalies(anomalies) + _label_anomalies(statistics, Problem.from_json(problem))
    if found:
        more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise AnomaliesError(
            "Expected data without anomalies. Received: "
            + "; ".join(found[:_SHOWN])
            + more
            + ". Mend the data, or review the schema that `schema.path` names."
        )


def _schema_anomalies(artifact: standard_artifacts.ExampleAnomalies) -> list[str]:
    found = []
    for split in artifact_utils.decode_split_names(artifact.split_names):
        message = anomalies_pb2.Anomalies()
        with fileio.open(f"{artifact.uri}/Split-{split}/SchemaDiff.pb", "rb") as file:
            message.ParseFromString(file.read())
        for name, info in sorted(message.anomaly_info.items()):
            expected = _schema_of(message, name)
            found += [f"feature '{name}', split '{split}': {_sentence(reason)} (the schema says: {expected})" for reason in info.reason]
        if message.HasField("dataset_anomaly_info"):
            found += [f"split '{split}': {_sentence(reason)}" for reason in message.dataset_anomaly_info.reason]
    return found


def _sentence(reason: anomalies_pb2.AnomalyInfo.Reason) -> str:
    return f"{reason.short_description}: {reason.description.rstrip('. ')}"


def _schema_of(message: anomalies_pb2.Anomalies, name: str) -> str:
    """The schema's own words on a feature, on one line."""
    for feature in message.baseline.feature:
        if feature.name == name:
            text = text_format.MessageToString(feature, as_utf8=True, as_one_line=True, use_index_order=True)  # one order on every protobuf
            return text.removeprefix(f'name: "{name}" ')
    return "no such feature"


def _label_anomalies(artifact: standard_artifacts.ExampleStatistics, problem: Problem) -> list[str]:
    return problem.task.label_anomalies(problem.label, _labels_seen(artifact, problem.label))


def _labels_seen(artifact: standard_artifacts.ExampleStatistics, label: str) -> dict[str, tuple[float, float]]:
    """The lowest and the highest label by split."""
    found = {}
    for split in artifact_utils.decode_split_names(artifact.split_names):
        message = statistics_pb2.DatasetFeatureStatisticsList()
        with fileio.open(f"{artifact.uri}/Split-{split}/FeatureStats.pb", "rb") as file:
            message.ParseFromString(file.read())
        for feature in message.datasets[0].features:
            if feature.path.step == [label] or feature.name == label:
                found[split] = feature.num_stats.min, feature.num_stats.max
    return found
