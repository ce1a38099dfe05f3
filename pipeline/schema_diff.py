"""How the reviewed schema and the data of the last run differ, in words, and what would allow it.

the last run's statistics + the schema -> what the data gate would find -> a line each, and the change of the schema that allows it
"""

import ast
import shlex
from pathlib import Path

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from components import data_gate
from components.anomaly import Anomaly, judged
from components.domains import bounds
from pipeline import accepted_data, last_data, schema_file
from pipeline.config import PipelineConfig
from pipeline.last_data import LastData
from pipeline.workspace import Workspace

_OPTIONAL = ("missing_column", "missing_values")


def differences(config: PipelineConfig, workspace: Workspace) -> list[str]:
    """The lines; none where the data is as the schema says. Raises ConfigError."""
    schema = schema_file.read(config)
    data = last_data.needed(last_data.of(workspace), workspace)
    statistics = _statistics(data)
    splits = list(statistics)
    differing = {split: _compared(statistics[split], schema) for split in splits}
    described = data_gate.describe(data.examples, data.statistics, splits, config.problem)
    accepted = accepted_data.for_run(workspace, data.fingerprint)
    found, _ = data_gate.find(differing, described, data.examples, config.problem, accepted and workspace.place(accepted))
    lines = []
    for anomaly in judged(found, config.schema_.warn, config.schema_.stop):
        lines.append(f"{'stops' if anomaly.severity == 'stop' else 'warns'}: {anomaly.message}")
        change = _change(anomaly, schema, statistics)
        if change:
            lines.append(f"       to allow it: {shlex.join(change)}")
    return lines


def widened(schema: schema_pb2.Schema, data: LastData) -> schema_pb2.Schema:
    """The schema changed as little as the rows of every split need."""
    for statistics in _statistics(data).values():
        schema = tfdv.update_schema(schema, statistics)
    return schema


def _compared(statistics: statistics_pb2.DatasetFeatureStatisticsList, schema: schema_pb2.Schema) -> anomalies_pb2.Anomalies:
    return tfdv.validate_statistics(statistics, schema)


def _statistics(data: LastData) -> dict[str, statistics_pb2.DatasetFeatureStatisticsList]:
    files = sorted(Path(data.statistics).glob("Split-*/FeatureStats.pb"), key=lambda file: file.parent.name != "Split-train")
    read = statistics_pb2.DatasetFeatureStatisticsList.FromString
    return {file.parent.name.removeprefix("Split-"): read(file.read_bytes()) for file in files}


def _change(anomaly: Anomaly, schema: schema_pb2.Schema, statistics: dict[str, statistics_pb2.DatasetFeatureStatisticsList]) -> list[str]:
    """The flags of `tapeline schema edit`, or none."""
    name = anomaly.feature
    if anomaly.kind == "new_value":
        return [part for value in anomaly.examples for part in ("--add-value", f"{name}={ast.literal_eval(value)}")]
    if anomaly.kind in _OPTIONAL:
        return ["--optional", name]
    if anomaly.kind == "out_of_range":
        low, high = bounds(next(feature for feature in schema.feature if feature.name == name))
        for message in statistics.values():
            for feature in message.datasets[0].features:
                if feature.path.step == [name]:
                    low, high = min(low, feature.num_stats.min), max(high, feature.num_stats.max)
        return ["--range", f"{name}={':'.join('' if abs(bound) == float('inf') else f'{bound:.9g}' for bound in (low, high))}"]
    return []
