"""The package's parameters in a step's execution properties."""

import json

import pydantic
import pytest
from google.protobuf import json_format
from tensorflow_model_analysis.proto import config_pb2

from components.config import EvaluatorConfig
from components.evaluation import eval_config
from components.example_gen.config import DataConfig
from pipeline.kubeflow.package_parameters import GATE, bind, gate_config
from tests.problems import of_pictures
from trainer.config import TrainerConfig


def test_epochs_reach_the_trainers_config_and_nothing_else_changes():
    custom = json.dumps({"code": "x", "trainer": TrainerConfig(epochs=30).to_json()})
    bound = bind({"custom_config": custom, "epochs": 3.0, "run_fn": "f"})
    assert TrainerConfig.from_json(json.loads(bound["custom_config"])["trainer"]) == TrainerConfig(epochs=3)
    assert (json.loads(bound["custom_config"])["code"], bound["run_fn"], "epochs" in bound) == ("x", "f", False)


def test_an_empty_data_path_leaves_the_compiled_one():
    data = DataConfig(format="idx", path="/compiled").to_json()
    assert bind({"data": data, "data_path": ""})["data"] == data
    assert DataConfig.from_json(bind({"data": data, "data_path": "/other"})["data"]).path == "/other"


@pytest.mark.parametrize("key", ["baseDirectory", "base_directory"])
def test_the_serving_base_path_moves_the_models_own_folder(key):
    destination = json.dumps({"filesystem": {key: "gs://old/serving/mnist"}})
    bound = bind({"push_destination": destination, "serving_base_path": "/new/"})
    assert json.loads(bound["push_destination"]) == {"filesystem": {key: "/new/mnist"}}
    assert bind({"serving_path": "gs://old/serving/mnist", "serving_base_path": "/new"}) == {"serving_path": "/new/mnist"}


def _gate(config):
    return json.dumps({"evaluator": config.to_json(), "problem": of_pictures(3).to_json(), "code": "c"})


@pytest.mark.parametrize(("root", "place"), [("gs://bucket/root/", "gs://bucket/root/rows/accepted"), ("/root", "/root/rows/accepted")])
def test_accepted_statistics_are_below_the_pipeline_root_for_the_gate_and_the_pusher(root, place):
    assert bind({"accepted_place": "rows/accepted", "pipeline_root": root}) == {"accepted_place": place}
    push = {"push_destination": '{"filesystem": {"baseDirectory": "/s/rows"}}', "custom_config": '{"accepted_place": "rows/accepted"}'}
    assert json.loads(bind({**push, "pipeline_root": root})["custom_config"]) == {"accepted_place": place}


@pytest.mark.parametrize("root", ["minio://bucket/root", "s3://bucket/root"])
def test_a_root_that_no_step_can_read_has_no_accepted_statistics(root):
    assert bind({"accepted_place": "rows/accepted", "pipeline_root": root}) == {"accepted_place": ""}


def test_the_gates_parameters_are_those_that_the_config_would_give():
    given = {GATE: _gate(EvaluatorConfig(class_min_accuracy={"1": 0.2}))}
    bound = bind({**given, "min_accuracy": 0.7, "min_class_accuracy": 0.5, "max_accuracy_drop": 0.02})
    expected = EvaluatorConfig(min_accuracy=0.7, min_class_accuracy=0.5, max_accuracy_drop=0.02, class_min_accuracy={"1": 0.2})
    assert json_format.Parse(bound.pop("eval_config"), config_pb2.EvalConfig()) == eval_config(expected, of_pictures(3), "c")
    assert bound == {}


def test_the_values_that_set_no_bound_set_none():
    config, _, _ = gate_config({GATE: _gate(EvaluatorConfig()), "min_accuracy": 0.0, "min_class_accuracy": 0.0, "max_accuracy_drop": 1.0})
    assert (config.min_accuracy, config.min_class_accuracy, config.max_accuracy_drop) == (None, None, None)


def test_a_parameter_out_of_bounds_is_refused():
    with pytest.raises(pydantic.ValidationError, match="less than or equal to 1"):
        bind({GATE: _gate(EvaluatorConfig()), "min_accuracy": 97.5})
