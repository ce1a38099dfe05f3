"""GetModelMetadata over gRPC, and `/metadata` over REST."""

import pytest
from tensorflow_serving.apis import get_model_metadata_pb2

from tests.serving.conformance.models import CLASSIFY, PREDICT
from tests.serving.conformance.target import fill, refused


def _request(name, *fields, **spec):
    return fill(get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields), name, **spec)


def test_signature_defs_come_as_a_map_in_an_any(target):
    response = target.metadata(_request("half_plus_two", "signature_def"))
    assert list(response.metadata) == ["signature_def"]
    assert response.metadata["signature_def"].type_url == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    default = signatures.signature_def["serving_default"]
    assert default.method_name == PREDICT
    assert (default.inputs["x"].dtype, [dim.size for dim in default.inputs["x"].tensor_shape.dim]) == (1, [-1, 1])
    assert list(default.outputs) == ["y"]
    assert signatures.signature_def["classify_x_to_y"].method_name == CLASSIFY


def test_the_reply_carries_name_and_version(target):
    spec = target.metadata(_request("half_plus_two", "signature_def")).model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("half_plus_two", 123, "")


@pytest.mark.parametrize(("spec", "version"), [({"version": 1}, 1), ({"label": "stable"}, 7), ({}, 12)], ids=["version", "label", "latest"])
def test_the_version_asked_for_is_described(target, spec, version):
    assert target.metadata(_request("numbered", "signature_def", **spec)).model_spec.version.value == version


def test_at_least_one_field_must_be_asked_for(target):
    message = "GetModelMetadataRequest must specify at least one metadata_field"
    assert refused(target.metadata, _request("half_plus_two")) == ("INVALID_ARGUMENT", message)


def test_only_signature_def_may_be_asked_for(target):
    code, message = refused(target.metadata, _request("half_plus_two", "signature_def", "assets"))
    assert code == "INVALID_ARGUMENT"
    assert message.startswith("Metadata field ")
    assert "is not supported" in message


def test_an_unknown_model_is_not_found(target):
    code, message = refused(target.metadata, _request("nobody", "signature_def"))
    assert (code, message) == ("NOT_FOUND", "Servable not found for request: Latest(nobody)")


def test_rest_nests_the_map_with_snake_case_keys(target):
    answer = target.get("/v1/models/half_plus_two/metadata")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json["model_spec"] == {"name": "half_plus_two", "signature_name": "", "version": "123"}
    assert list(answer.json["metadata"]) == ["signature_def"]
    assert list(answer.json["metadata"]["signature_def"]) == ["signature_def"]
    default = answer.json["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert default["method_name"] == PREDICT
    assert default["inputs"]["x"] == {
        "dtype": "DT_FLOAT",
        "name": "x:0",
        "tensor_shape": {"dim": [{"size": "-1", "name": ""}, {"size": "1", "name": ""}], "unknown_rank": False},
    }


@pytest.mark.parametrize(
    ("path", "version"), [("/versions/1", "1"), ("/labels/stable", "7"), ("", "12")], ids=["version", "label", "latest"]
)
def test_rest_describes_the_version_asked_for(target, path, version):
    assert target.get(f"/v1/models/numbered{path}/metadata").json["model_spec"]["version"] == version


def test_rest_does_not_find_an_unknown_model(target):
    answer = target.get("/v1/models/nobody/metadata")
    assert (answer.status, answer.error) == (404, "Servable not found for request: Latest(nobody)")
