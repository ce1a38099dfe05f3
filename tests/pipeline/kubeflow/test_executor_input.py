"""What KFP hands a step, and what TFX must get."""

import copy

import pytest

from pipeline.kubeflow.executor_input import for_tfx, mend_output
from pipeline.kubeflow.inline_file import inline

SPEC = {"artifacts": {"examples": {"artifactType": {"instanceSchema": "title: tfx.Examples\ntype: object\n"}}}}
TYPE = SPEC["artifacts"]["examples"]["artifactType"]


def _call(kind=None, uri="gs://bucket/examples", **metadata):
    artifact = {"name": "12", "uri": uri, "metadata": metadata, **({} if kind is None else {"type": kind})}
    model = {"type": {"schemaTitle": "tfx.Model"}, "uri": "gs://bucket/model"}
    return {
        "inputs": {"parameterValues": {}, "artifacts": {"examples": {"artifacts": [artifact]}}},
        "outputs": {"artifacts": {"model": {"artifacts": [model]}}, "outputFile": "/pod/kfp_outputs/output_metadata.json"},
    }


@pytest.mark.parametrize("kind", [None, {}, {"instanceSchema": ""}, {"schemaTitle": ""}], ids=str)
def test_a_type_that_kfp_has_dropped_is_restored(tmp_path, kind):
    call = for_tfx(_call(kind), SPEC, tmp_path)
    assert call["inputs"]["artifacts"]["examples"]["artifacts"][0]["type"] == TYPE


def test_a_type_that_is_there_stays(tmp_path):
    call = for_tfx(_call({"schemaTitle": "tfx.Model"}), SPEC, tmp_path)
    assert call["inputs"]["artifacts"]["examples"]["artifacts"][0]["type"] == {"schemaTitle": "tfx.Model"}


@pytest.mark.parametrize(
    "kind",
    [{"schemaTitle": "system.Artifact"}, {"instanceSchema": "title: system.Artifact\n"}, {"instanceSchema": '{"title": "system.Logs"}'}],
    ids=str,
)
def test_an_output_that_kfp_has_added_is_taken_out(tmp_path, kind):
    call = _call()
    call["outputs"]["artifacts"]["executor-logs"] = {"artifacts": [{"type": kind, "uri": "gs://bucket/logs"}]}
    assert set(for_tfx(call, SPEC, tmp_path)["outputs"]["artifacts"]) == {"model"}


@pytest.mark.parametrize(
    ("uri", "local"),
    [("minio://mlpipeline/v2/x", "/minio/mlpipeline/v2/x"), ("s3://b/x", "/s3/b/x"), ("gs://b/x", "gs://b/x"), ("/root/x", "/root/x")],
)
def test_storage_that_tensorflow_cannot_open_is_read_where_kfp_copies_it(tmp_path, uri, local):
    call = for_tfx(_call(uri=uri), SPEC, tmp_path)
    assert call["inputs"]["artifacts"]["examples"]["artifacts"][0]["uri"] == local


def test_an_output_goes_back_under_the_uri_that_kfp_knows(tmp_path):
    given = _call()
    given["outputs"]["artifacts"]["model"]["artifacts"][0]["uri"] = "minio://mlpipeline/model"
    output = {"artifacts": {"model": {"artifacts": [{"uri": "/minio/mlpipeline/model", "metadata": {}}]}}}
    mend_output(output, given)
    assert output["artifacts"]["model"]["artifacts"][0]["uri"] == "minio://mlpipeline/model"


def test_nulls_which_would_fail_the_step_leave_the_metadata():
    output = {"artifacts": {"model": {"artifacts": [{"uri": "gs://bucket/model", "metadata": {"a": None, "b": 0, "c": ""}}]}}}
    mend_output(output, _call())
    assert output["artifacts"]["model"]["artifacts"][0]["metadata"] == {"b": 0, "c": ""}


def test_a_baseline_that_does_not_exist_is_no_input(tmp_path):
    assert for_tfx(_call(found=0.0), SPEC, tmp_path)["inputs"]["artifacts"] == {}
    assert set(for_tfx(_call(found=1.0), SPEC, tmp_path)["inputs"]["artifacts"]) == {"examples"}


def test_a_step_without_inputs_or_outputs_is_one_too(tmp_path):
    call = for_tfx({"outputs": {"outputFile": "/pod/o"}}, {}, tmp_path)
    assert call["inputs"] == {"artifacts": {}, "parameterValues": {}}


def test_a_file_inside_the_package_becomes_a_file(tmp_path):
    call = _call()
    call["inputs"]["parameterValues"]["schema_file"] = inline("../../schema.pbtxt", b"feature {}")
    path = for_tfx(call, SPEC, tmp_path)["inputs"]["parameterValues"]["schema_file"]
    assert path.startswith(str(tmp_path)) and path.endswith("/schema.pbtxt")
    assert open(path, "rb").read() == b"feature {}"  # noqa: SIM115, PTH123 - one line


def test_what_kfp_gave_is_not_changed(tmp_path):
    given = _call(found=0.0)
    before = copy.deepcopy(given)
    for_tfx(given, SPEC, tmp_path)
    assert given == before
