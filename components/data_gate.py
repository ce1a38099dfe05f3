"""Stops the run where the data is not what the schema says, and says what differs.

anomalies of ExampleValidator, shifted distributions, labels that the task does not have, unfit features -> lines for people
-> AnomaliesError where one of them is to stop the run; else the lines, and the statistics that later data is compared with
"""

import dataclasses
import functools
import json
from typing import TypeVar

from google.protobuf.message import Message
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_artifacts

from components import (
    accepted_store,
    drift,
    drift_thresholds,
    number_bounds,
    picture_statistics,
    schema_anomalies,
    unfit_columns,
    wrong_rows,
)
from components.anomaly import Anomaly, Shift, judged
from components.data_found import FOUND_FILE, Found
from components.example_gen import origin
from trainer.errors import AnomaliesError
from trainer.problem import Problem

_Message = TypeVar("_Message", bound=Message)
_SHOWN = 20
_TRAIN = "train"
_NEXT = "Mend the data, or review the schema: `tapeline schema diff CONFIG` says how they differ."
_NEXT_UNREVIEWED = (
    "Mend the data, or write a schema by `tapeline schema accept CONFIG`; `tapeline schema diff CONFIG` then says what to change."
)


@component
def DataGate(
    examples: InputArtifact[standard_artifacts.Examples],
    statistics: InputArtifact[standard_artifacts.ExampleStatistics],
    anomalies: InputArtifact[standard_artifacts.ExampleAnomalies],
    found: OutputArtifact[standard_artifacts.ExampleAnomalies],
    problem: Parameter[str],
    severities: Parameter[str] = "{}",
    accepted: Parameter[str] = "",
    accepted_place: Parameter[str] = "",
    is_reviewed: Parameter[int] = 0,
    code: Parameter[str] = "",
) -> None:
    """Passes if nothing is wrong with the data that is to stop the run.

    `found` gets `found.json`, the anomalies that only warn, and `Split-train/FeatureStats.pb`, with what describes pictures. `problem` is a
    Problem as JSON; `severities` holds the columns and kinds of the lists `warn` and `stop`; `accepted` is a folder like that of `found`,
    of the data that was accepted last, empty where there is none, and `accepted_place` the folder of `accepted_store` that knows it where
    the runner does not; `is_reviewed` says whether a person has accepted the schema: one that is inferred from this very data knows no
    bounds, so then those of the data that was accepted last hold; `code`, a digest, is for TFX's cache alone.

    Raises:
      AnomaliesError: a line for each anomaly.
    """
    del code
    learnt = Problem.from_json(problem)
    differing = {split: _read(f"{anomalies.uri}/Split-{split}/SchemaDiff.pb", anomalies_pb2.Anomalies()) for split in _splits(anomalies)}
    described = describe(examples.uri, statistics.uri, _splits(statistics), learnt)
    if accepted_place:
        fingerprint = origin.fingerprint(examples.uri)
        accepted = accepted_store.folder(accepted_place, fingerprint)
        found.set_string_custom_property(accepted_store.FINGERPRINT, fingerprint)
    if accepted and not is_reviewed:
        differing = number_bounds.against(differing, described, _accepted(accepted))
    everything, shifts = find(differing, described, examples.uri, learnt, accepted)
    if _TRAIN in described:
        everything = [*everything, *unfit_columns.anomalies(f"{examples.uri}/Split-{_TRAIN}", _TRAIN, learnt)]
    every = judged(everything, **{"warn": [], "stop": [], **json.loads(severities)})
    stopping = [anomaly for anomaly in every if anomaly.severity == "stop"]
    if stopping:
        raise AnomaliesError(
            _refusal([anomaly.message for anomaly in stopping], _NEXT if is_reviewed else _NEXT_UNREVIEWED),
            *([dataclasses.asdict(each) for each in listed] for listed in (every, shifts)),
        )
    found.split_names = artifact_utils.encode_split_names([_TRAIN])
    if _TRAIN in described:
        _write(f"{found.uri}/Split-{_TRAIN}/FeatureStats.pb", described[_TRAIN].SerializeToString())
    _write(f"{found.uri}/{FOUND_FILE}", Found(every, shifts).to_json().encode())


def describe(examples_uri: str, statistics_uri: str, splits: list[str], problem: Problem) -> dict[str, drift.Statistics]:
    """The statistics of each split, with those of its pictures."""
    pictures = [name for name, kind in problem.features.items() if kind == "image"]
    found = {}
    for split in splits:
        message = _read(f"{statistics_uri}/Split-{split}/FeatureStats.pb", statistics_pb2.DatasetFeatureStatisticsList())
        message.datasets[0].features.extend(picture_statistics.described(f"{examples_uri}/Split-{split}", pictures))
        found[split] = message
    return found


def find(
    differing: dict[str, anomalies_pb2.Anomalies],
    described: dict[str, drift.Statistics],
    examples_uri: str,
    problem: Problem,
    accepted: str,
) -> Found:
    """Everything that is wrong with the data, and its shifts.

    Args:
      differing: what TFDV says of each split.
      described: what `describe` says of each split.
      examples_uri: where the rows are.
      problem: what is to be learnt.
      accepted: the folder of the statistics that were accepted last, or nothing.
    """
    wrong = problem.task.label_anomalies(_labels_seen(described, problem.label))
    tests = {split: schema_anomalies.tests(message) for split, message in differing.items()}
    for split in wrong:
        tests.setdefault(split, {})[_label_key(problem)] = _label_test(problem)
    hits = {split: wrong_rows.counted(each, f"{examples_uri}/Split-{split}") for split, each in tests.items()}
    examples = {split: [record for hit in by_key.values() for _, record in hit.examples] for split, by_key in hits.items()}
    places = origin.places(examples_uri, examples)
    found = [
        anomaly
        for split, message in differing.items()
        for anomaly in schema_anomalies.anomalies(message, split, described[split].datasets[0].num_examples, hits[split], places)
    ]
    baseline = next((message.baseline for message in differing.values()), schema_pb2.Schema())
    schema = drift_thresholds.with_thresholds(baseline, problem.kinds)
    compared: list[tuple[list[Anomaly], list[Shift]]] = []
    if _TRAIN in described:
        train = described[_TRAIN]
        if accepted:
            compared.append(drift.drift(train, _accepted(accepted), _TRAIN, schema))
        compared += [drift.skew(train, described[split], split, schema) for split in described if split != _TRAIN]
    found += [anomaly for anomalies, _ in compared for anomaly in anomalies]
    found += [_of_labels(problem, split, clause, hits[split][_label_key(problem)], places) for split, clause in wrong.items()]
    return Found(found, [shift for _, shifts in compared for shift in shifts])


def _accepted(folder: str) -> drift.Statistics:
    return _read(f"{folder}/Split-{_TRAIN}/FeatureStats.pb", statistics_pb2.DatasetFeatureStatisticsList())


def _refusal(lines: list[str], next_step: str) -> str:
    if len(lines) == 1:
        return f"Expected data without anomalies. Received: {lines[0]}. {next_step}"
    more = [f"and {len(lines) - _SHOWN} more, which the run's record names"] if len(lines) > _SHOWN else []
    return "\n".join([f"Expected data without anomalies. Received: {len(lines)}. {next_step}", *lines[:_SHOWN], *more])


def _splits(artifact: standard_artifacts.ExampleStatistics | standard_artifacts.ExampleAnomalies) -> list[str]:
    return artifact_utils.decode_split_names(artifact.split_names)


def _read(path: str, message: _Message) -> _Message:
    with fileio.open(path, "rb") as file:
        message.ParseFromString(file.read())
    return message


def _write(path: str, content: bytes) -> None:
    fileio.makedirs(path.rpartition("/")[0])
    with fileio.open(path, "wb") as file:
        file.write(content)


def _label_key(problem: Problem) -> schema_anomalies.Key:
    return problem.label, "label"


def _label_test(problem: Problem) -> wrong_rows.Test:
    """Which labels the task does not have: those that would be wrong if they were alone."""
    is_wrong = functools.cache(lambda label: bool(problem.task.label_anomalies({"": (label, label)})))
    return wrong_rows.Test(problem.label, lambda labels: [label for label in labels if is_wrong(label)] or None)


def _of_labels(problem: Problem, split: str, clause: str, hit: wrong_rows.Hits, places: wrong_rows.Places) -> Anomaly:
    known = hit.places(split, places)
    where = f": {hit.sentence(known)}" if known else ""
    values = [value for value, _ in hit.examples]
    return Anomaly(problem.label, split, "label", f"{problem.label}: {clause}, in {split}{where}", hit.rows, None, values, places=known)


def _labels_seen(described: dict[str, drift.Statistics], label: str) -> dict[str, tuple[float, float]]:
    """The lowest and the highest label by split."""
    return {
        split: (feature.num_stats.min, feature.num_stats.max)
        for split, message in described.items()
        for feature in message.datasets[0].features
        if feature.path.step == [label] or feature.name == label
    }
