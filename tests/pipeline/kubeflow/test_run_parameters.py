"""The parameters of one run: texts of the command line, read and checked as the package declares them."""

import pytest

from pipeline.kubeflow import run_parameters
from pipeline.kubeflow.package import Package, PackageError
from pipeline.kubeflow.run_parameters import parse
from trainer.errors import ConfigError


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
    [value] = run_parameters.over_defaults(package, run_parameters.typed(package, parse([argument]))).values()
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
        run_parameters.over_defaults(package, run_parameters.typed(package, parse([argument])))


def test_of_several_values_for_one_name_the_last_counts():
    assert parse(["epochs=3", "data_path=/a=b", "epochs=4"]) == {"epochs": "4", "data_path": "/a=b"}


@pytest.mark.parametrize("argument", ["epochs", "=3"])
def test_an_argument_without_a_name_or_value_is_refused(argument):
    with pytest.raises(ConfigError, match="Expected --parameter NAME=VALUE"):
        parse([argument])
