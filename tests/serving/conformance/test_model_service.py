"""ModelService over gRPC, and the status JSON over REST."""

import pytest
from tensorflow_serving.apis import get_model_status_pb2
from tensorflow_serving.config import model_server_config_pb2

from tests.serving.conformance.models import add_model
from tests.serving.conformance.target import eventually, fill, predict_request, refused

_AVAILABLE = 30
_SERVABLE = "Servable not found for request: Latest({})"


def _status_request(name, **spec):
    return fill(get_model_status_pb2.GetModelStatusRequest(), name, **spec)


def test_the_status_lists_versions_newest_first(target):
    assert list(target.states("numbered").items()) == [(12, _AVAILABLE), (7, _AVAILABLE), (1, _AVAILABLE), (0, _AVAILABLE)]


def test_an_available_version_has_no_error(target):
    (version,) = target.model_status(_status_request("half_plus_two")).model_version_status
    assert (version.version, version.state) == (123, _AVAILABLE)
    assert (version.status.error_code, version.status.error_message) == (0, "")


def test_the_status_of_one_version_may_be_asked_for(target):
    (version,) = target.model_status(_status_request("numbered", version=7)).model_version_status
    assert (version.version, version.state) == (7, _AVAILABLE)


@pytest.mark.parametrize(
    ("name", "spec", "message"),
    [
        ("nobody", {}, "Could not find any versions of model nobody"),
        ("nobody", {"version": 1}, "Could not find version 1 of model nobody"),
        ("half_plus_two", {"version": 7}, "Could not find version 7 of model half_plus_two"),
        ("", {}, "Could not find any versions of model "),
    ],
    ids=["unknown model", "a version of an unknown model", "unknown version", "no name"],
)
def test_what_is_not_there_is_not_found(target, name, spec, message):
    assert refused(target.model_status, _status_request(name, **spec)) == ("NOT_FOUND", message)


def test_rest_gives_version_as_a_string_and_error_code_by_name(target):
    answer = target.get("/v1/models/half_plus_two")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    entry = {"version": "123", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    assert answer.json == {"model_version_status": [entry]}


def test_rest_lists_versions_newest_first(target):
    versions = target.get("/v1/models/numbered").json["model_version_status"]
    assert [entry["version"] for entry in versions] == ["12", "7", "1", "0"]


def test_rest_gives_the_status_of_one_version(target):
    versions = target.get("/v1/models/numbered/versions/7").json["model_version_status"]
    assert [entry["version"] for entry in versions] == ["7"]


def test_rest_gives_the_status_by_label(target):
    answer = target.get("/v1/models/numbered/labels/stable")
    assert answer.status == 200
    assert "7" in [entry["version"] for entry in answer.json["model_version_status"]]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nobody", "Could not find any versions of model nobody"),
        ("half_plus_two/versions/7", "Could not find version 7 of model half_plus_two"),
    ],
    ids=["model", "version"],
)
def test_rest_does_not_find_what_is_not_there(target, path, message):
    answer = target.get(f"/v1/models/{path}")
    assert (answer.status, answer.error) == (404, message)


def test_reload_replaces_the_whole_set_and_returns_once_available(target, models, config):
    kept = [model for model in config.model_config_list.config if model.name != "newest"]
    config.model_config_list.ClearField("config")
    config.model_config_list.config.extend(kept)
    add_model(config, models, "spare")
    response = target.reload(config)
    assert target.version("spare") == 2
    assert (response.status.error_code, response.status.error_message) == (0, "")
    assert target.version("numbered") == 12
    newest = predict_request("newest", {"x": [1.0]})
    eventually(lambda: _is_refused(target, newest))
    assert refused(target.predict, newest) == ("NOT_FOUND", _SERVABLE.format("newest"))


def _is_refused(target, request):
    try:
        refused(target.predict, request)
    except AssertionError:
        return False
    return True


def test_reload_moves_labels_and_policies(target, config):
    numbered = next(model for model in config.model_config_list.config if model.name == "numbered")
    numbered.version_labels["stable"] = 1
    numbered.version_labels["old"] = 0
    target.reload(config)
    assert target.version("numbered", label="stable") == 1
    assert target.version("numbered", label="old") == 0
    specific = next(model for model in config.model_config_list.config if model.name == "specific")
    specific.model_version_policy.specific.versions[:] = [1, 3]
    target.reload(config)
    eventually(lambda: [number for number, state in target.states("specific").items() if state == _AVAILABLE] == [3, 1])


def test_reload_drops_labels_that_are_no_longer_listed(target, config):
    next(model for model in config.model_config_list.config if model.name == "numbered").version_labels.clear()
    target.reload(config)
    request = predict_request("numbered", {"x": [1.0]}, label="stable")
    assert refused(target.predict, request) == ("INVALID_ARGUMENT", "Unrecognized servable version label: stable")


def _listed_twice(config):
    config.model_config_list.config.add(name="half_plus_two", base_path="/elsewhere", model_platform="tensorflow")


def _with_a_relative_path(config):
    config.model_config_list.config.add(name="spare", base_path="models/spare", model_platform="tensorflow")


def _on_another_platform(config):
    config.model_config_list.config[0].model_platform = "caffe"


def _on_no_platform(config):
    config.model_config_list.config[0].model_platform = ""


def _with_a_label_that_moves_to_an_unavailable_version(config):
    next(model for model in config.model_config_list.config if model.name == "numbered").version_labels["stable"] = 777


@pytest.mark.parametrize(
    ("spoil", "code", "message"),
    [
        (_listed_twice, "INVALID_ARGUMENT", "Illegal to list model half_plus_two multiple times in config list"),
        (
            _with_a_relative_path,
            "INVALID_ARGUMENT",
            "Expected model spare to have an absolute path or URI; got base_path()=models/spare",
        ),
        (
            _on_another_platform,
            "INVALID_ARGUMENT",
            "Illegal to change a model's platform. For model half_plus_two platform was tensorflow and new platform requested is caffe",
        ),
        (
            _on_no_platform,
            "INVALID_ARGUMENT",
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform.",
        ),
        (
            _with_a_label_that_moves_to_an_unavailable_version,
            "FAILED_PRECONDITION",
            "Request to assign label to version 777 of model numbered, which is not currently available for inference",
        ),
    ],
    ids=["duplicate", "relative path", "changed platform", "no platform", "label of an unavailable version"],
)
def test_a_reload_that_is_refused_leaves_the_old_set_serving(target, models, config, spoil, code, message):
    spoil(config)
    received = refused(target.reload, config)
    assert (received[0], received[1][: len(message)]) == (code, message)
    assert target.version("numbered") == 12
    assert target.version("numbered", label="stable") == 7
    assert target.predict(predict_request("half_plus_two", {"x": [2.0]})).outputs["y"].float_val == [3.0]
    assert refused(target.predict, predict_request("spare", {"x": [1.0]})) == ("NOT_FOUND", _SERVABLE.format("spare"))


@pytest.mark.parametrize("kind", ["nothing", "custom"])
def test_reload_takes_model_config_lists_only(target, config, kind):
    other = model_server_config_pb2.ModelServerConfig()
    if kind == "custom":
        other.custom_model_config.SetInParent()
    message = "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently supported"
    assert refused(target.reload, other) == ("INVALID_ARGUMENT", message)
    assert target.version("numbered") == 12


@pytest.mark.tapeline_only  # TensorFlow Serving takes up its 5 retries, a minute each, before it says so
def test_a_reload_whose_new_model_cannot_be_loaded_says_so(target, models, config):
    add_model(config, models, "corrupt")
    code, message = refused(target.reload, config)
    assert code == "UNKNOWN"
    assert "did not become available" in message
    assert target.version("numbered") == 12


@pytest.mark.tapeline_only  # TensorFlow Serving does not load a model whose warm-up file cannot be read
def test_a_warmup_file_never_breaks_loading(target, models, config):
    add_model(config, models, "broken_warmup")
    target.reload(config)
    assert target.version("broken_warmup") == 1
