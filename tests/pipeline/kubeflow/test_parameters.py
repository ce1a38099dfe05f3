"""A run's parameters in a step's execution properties."""

import json

import pydantic
import pytest
from google.protobuf import json_format
from tensorflow_model_analysis.proto import config_pb2

from components.config import EvaluatorConfig
from components.evaluation import eval_config
from components.example_gen.config import DataConfig
from pipeline.kubeflow import given_parameters, parameters, run_parameters
from pipeline.kubeflow.given_parameters import parse
from pipeline.kubeflow.package import Package, PackageError
from tests.problems import of_pictures
from trainer.config import TrainerConfig
from trainer.errors import ConfigError


def test_epochs_reach_the_trainers_config_and_nothing_else_changes():
    custom = json.dumps({"code": "x", "trainer": TrainerConfig(epochs=30).to_json()})
    bound = parameters.bind({"custom_config": custom, "epochs": 3.0, "run_fn": "f"})
    assert TrainerConfig.from_json(json.loads(bound["custom_config"])["trainer"]) == TrainerConfig(epochs=3)
    assert (json.loads(bound["custom_config"])["code"], bound["run_fn"], "epochs" in bound) == ("x", "f", False)


def test_an_empty_data_path_leaves_the_compiled_one():
    data = DataConfig(format="idx", path="/compiled").to_json()
    assert parameters.bind({"data": data, "data_path": ""})["data"] == data
    assert DataConfig.from_json(parameters.bind({"data": data, "data_path": "/other"})["data"]).path == "/other"


@pytest.mark.parametrize("key", ["baseDirectory", "base_directory"])
def test_the_serving_base_path_moves_the_models_own_folder(key):
    destination = json.dumps({"filesystem": {key: "gs://old/serving/mnist"}})
    bound = parameters.bind({"push_destination": destination, "serving_base_path": "/new/"})
    assert json.loads(bound["push_destination"]) == {"filesystem": {key: "/new/mnist"}}
    assert parameters.bind({"serving_path": "gs://old/serving/mnist", "serving_base_path": "/new"}) == {"serving_path": "/new/mnist"}


def _gate(config):
    return json.dumps({"evaluator": config.to_json(), "problem": of_pictures(3).to_json(), "code": "c"})


def test_the_gates_parameters_are_those_that_the_config_would_give():
    given = {parameters.GATE: _gate(EvaluatorConfig(class_min_accuracy={"1": 0.2}))}
    bound = parameters.bind({**given, "min_accuracy": 0.7, "min_class_accuracy": 0.5, "max_accuracy_drop": 0.02})
    expected = EvaluatorConfig(min_accuracy=0.7, min_class_accuracy=0.5, max_accuracy_drop=0.02, class_min_accuracy={"1": 0.2})
    assert json_format.Parse(bound.pop("eval_config"), config_pb2.EvalConfig()) == eval_config(expected, of_pictures(3), "c")
    assert bound == {}


def test_the_values_that_set_no_bound_set_none():
    config, _, _ = parameters.gate_config({parameters.GATE: _gate(EvaluatorConfig()), "min_class_accuracy": 0.0, "max_accuracy_drop": 1.0})
    assert (config.min_class_accuracy, config.max_accuracy_drop) == (None, None)


def test_a_parameter_out_of_bounds_is_refused():
    with pytest.raises(pydantic.ValidationError, match="less than or equal to 1"):
        parameters.bind({parameters.GATE: _gate(EvaluatorConfig()), "min_accuracy": 97.5})


@pytest.fixture
def package():
    """One parameter of each kind, called by its kind."""
    kinds = ("STRING", "NUMBER_INTEGER", "NUMBER_DOUBLE", "BOOLEAN", "LIST", "STRUCT")
    parameters = {kind: {"parameterType": kind, "isOptional": True} for kind in kinds}
    return Package({"root": {"inputDefinitions": {"parameters": parameters}}}, {}, [])


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        *((f"NUMBER_DOUBLE={text}", 0.001) for text in ("1e-3", "1E-3", "0.001", "+1.e-3", " .001")),
        ("NUMBER_DOUBLE=1", 1.0),
        *((f"NUMBER_INTEGER={text}", 10) for text in ("10", "010", "10.0", "1e1")),
        *((f"STRING={text}", text) for text in ("20260101", "2021-10-18", "yes", "null", "1e-3", "1_0", "", "2024-13-45")),
        *((f"STRING={text}", text) for text in ("~/x", "/a=b", "{a: 1}", "/data: x", "# x", "[1")),
        ("STRING='123'", "123"),
        ("BOOLEAN=true", True),
        ("BOOLEAN=False", False),
        ("LIST=[1, a]", [1, "a"]),
        ("STRUCT={a: 1}", {"a": 1}),
    ],
)
def test_a_value_is_read_as_the_kind_that_its_parameter_declares(package, argument, expected):
    [value] = run_parameters.root_parameters(package, given_parameters.typed(package, parse([argument]))).values()
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    "argument",
    [
        *(f"NUMBER_DOUBLE={text}" for text in ("90%", "nan", "inf", "1e999", "0,9", "1_0", "yes", "")),
        *(f"NUMBER_INTEGER={text}" for text in ("two", "2.5", "1_0", "0x1f", "")),
        *(f"BOOLEAN={text}" for text in ("yes", "1", "")),
        *(f"LIST={text}" for text in ("a", "{a: 1}", "[1")),
        *(f"STRUCT={text}" for text in ("a", "[1]")),
        "UNKNOWN=1",
    ],
)
def test_a_value_of_another_kind_is_refused_as_kfp_does(package, argument):
    with pytest.raises(PackageError, match="invalid pipeline job inputs"):
        run_parameters.root_parameters(package, given_parameters.typed(package, parse([argument])))


def test_of_several_values_for_one_name_the_last_counts():
    assert parse(["epochs=3", "data_path=/a=b", "epochs=4"]) == {"epochs": "4", "data_path": "/a=b"}


@pytest.mark.parametrize("argument", ["epochs", "=3"])
def test_an_argument_without_a_name_or_value_is_refused(argument):
    with pytest.raises(ConfigError, match="Expected --parameter NAME=VALUE"):
        parse([argument])
