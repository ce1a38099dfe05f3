"""What KFP's driver makes of a step's inputs and its condition, and a file inside a package."""

import json

import pytest

from pipeline.kubeflow import driver, load_package
from pipeline.kubeflow.artifact_store import ArtifactStore
from pipeline.kubeflow.inline_file import inline, unfold
from pipeline.kubeflow.package import PackageError
from trainer.errors import ConfigError


@pytest.fixture
def resolve(tmp_path):
    """resolve(kind, entry, kfp): the value that a step's parameter of that type gets."""

    def resolve_(kind, entry, kfp="2.17", **given):
        spec = {
            "schemaVersion": "2.1.0",
            "pipelineInfo": {"name": "tiny"},
            "root": {
                "dag": {"tasks": {"a": {"componentRef": {"name": "comp"}, "inputs": {"parameters": {"x": entry}}}}},
                "inputDefinitions": {"parameters": {"given": {"parameterType": kind}}},
            },
            "components": {"comp": {"executorLabel": "e", "inputDefinitions": {"parameters": {"x": {"parameterType": kind}}}}},
            "deploymentSpec": {"executors": {"e": {"container": {"image": "none", "command": ["true"]}}}},
        }
        run = driver.Run(kfp, "RUN", "/root", given)
        inputs = driver.resolve_inputs(load_package.parse(json.dumps(spec)), "a", run, {}, ArtifactStore(tmp_path / "metadata.json"))
        return inputs["parameterValues"]["x"]

    return resolve_


def _constant(value):
    return {"runtimeValue": {"constant": value}}


@pytest.mark.parametrize(("kfp", "value"), [("2.17", "RUN"), ("2.4", "{{$.pipeline_job_uuid}}")])
def test_the_runs_id_is_filled_in_since_kfp_2_5(resolve, kfp, value):
    assert resolve("STRING", _constant("{{$.pipeline_job_uuid}}"), kfp) == value


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        ("STRING", {"a": 1}, '{"a": 1}'),
        ("STRING", "text", "text"),
        ("NUMBER_INTEGER", 3, 3.0),
        ("BOOLEAN", True, True),
        ("LIST", [1], [1]),
        ("STRUCT", {"a": 1}, {"a": 1}),
    ],
)
def test_a_constant_is_converted_as_kfp_converts_it(resolve, kind, given, value):
    found = resolve(kind, _constant(given))
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "given", "received"),
    [("NUMBER_INTEGER", "3", "str"), ("NUMBER_DOUBLE", True, "bool"), ("BOOLEAN", 1.0, "float"), ("LIST", {}, "dict")],
)
def test_a_value_of_another_type_stops_the_step_in_kfps_words(resolve, kind, given, received):
    with pytest.raises(PackageError, match=f'^task a: input parameter "x" type mismatch: expect {kind}, got {received}$'):
        resolve(kind, {"componentInputParameter": "given"}, given=given)


def test_a_final_status_is_said_to_be_beyond_the_emulator(resolve):
    with pytest.raises(PackageError, match="final status is not emulated"):
        resolve("STRUCT", {"taskFinalStatus": {"producerTask": "b"}})


@pytest.mark.parametrize("condition", ["inputs.parameter_values['none'] > 1.0", "inputs.", "none()"])
def test_a_condition_that_cannot_be_evaluated_is_kfps_evaluation_error(condition):
    with pytest.raises(PackageError, match=r"^evaluation error: ."):
        driver.will_trigger(condition, {"parameterValues": {}, "artifacts": {}})


def test_a_file_inside_the_package_that_somebody_has_damaged_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"^Expected a file inside the package\. Received: 'schema\.pbtxt', which does not decode: "):
        unfold(inline("schema.pbtxt", b"feature {}") + "=x", tmp_path)
    assert list(tmp_path.iterdir()) == []
