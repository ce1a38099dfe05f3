"""The Evaluator's step tells the gate's verdict: in its log, and in the metadata that KFP keeps of the blessing."""

import json

import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_model_analysis.proto import metrics_for_slice_pb2, validation_result_pb2

from components.config import EvaluatorConfig
from pipeline.kubeflow import parameters, step, step_log

METRICS = 'slice_key {} metric_keys_and_values { key { name: "accuracy" } value { double_value { value: 0.75 } } }'
PLOTS = """slice_key {} plot_keys_and_values { key {} value { multi_class_confusion_matrix_at_thresholds { matrices {
  entries { actual_class_id: 0 predicted_class_id: 0 num_weighted_examples: 75 }
  entries { actual_class_id: 1 predicted_class_id: 0 num_weighted_examples: 25 } } } } }"""
MISSED = 'metric_validations_per_slice { slice_key {} failures { metric_key { name: "accuracy" } } }'


@pytest.fixture
def evaluation(tmp_path):
    """The folder of an evaluation, as TFMA writes it, in which accuracy missed its bound."""
    folder = tmp_path / "evaluation"
    folder.mkdir()
    for name, message, text in (
        ("metrics", metrics_for_slice_pb2.MetricsForSlice(), METRICS),
        ("plots", metrics_for_slice_pb2.PlotsForSlice(), PLOTS),
        ("validations", validation_result_pb2.ValidationResult(), MISSED),
    ):
        with tf.io.TFRecordWriter(str(folder / f"{name}-00000-of-00001.tfrecord")) as file:
            file.write(text_format.Parse(text, message).SerializeToString())
    return folder


def test_the_verdict_of_this_runs_bounds_is_in_the_log_and_in_the_blessings_metadata(evaluation, tmp_path, capsys):
    gate = {"evaluator": EvaluatorConfig(min_accuracy=0.5).to_json(), "classes": 2, "code": "DIGEST"}
    file = tmp_path / "output.json"
    blessing = {"uri": "gs://b/blessing", "metadata": {"blessed": 0}}
    artifacts = {"evaluation": {"artifacts": [{"uri": str(evaluation)}]}, "blessing": {"artifacts": [blessing]}}
    file.write_text(json.dumps({"artifacts": artifacts}))
    given = {
        "inputs": {"parameterValues": {parameters.GATE: json.dumps(gate), "min_accuracy": 0.9}},
        "outputs": {"outputFile": str(file), "artifacts": {}},
    }
    step._finish("components.evaluator.Executor", given)
    [kept] = json.loads(file.read_text())["artifacts"]["blessing"]["artifacts"]
    assert kept["metadata"]["blessed"] == 0
    said = step_log.verdict(capsys.readouterr().err)
    assert said == json.loads(kept["metadata"]["verdict"])
    assert said["metrics"]["accuracy"] == 0.75
    [bound] = said["bounds"]
    assert (bound["metric"], bound["bound"], bound["value"], bound["passed"]) == ("accuracy", 0.9, 0.75, False)
    assert any("class 0 for all 100 test rows" in note for note in said["notes"])


def test_another_steps_output_gets_no_verdict(tmp_path, capsys):
    file = tmp_path / "output.json"
    file.write_text("{}")
    step._finish("components.data_gate.Executor", {"outputs": {"outputFile": str(file), "artifacts": {}}})
    assert (json.loads(file.read_text()), capsys.readouterr().err) == ({}, "")
