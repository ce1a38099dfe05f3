"""What a config file may say, and with which words it is refused: tensorflow_model_server's."""

from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.errors import InvalidArgumentError, StartError
from serving.server.model_config import (
    ModelConfig,
    VersionPolicy,
    check_platforms,
    check_served_here,
    read_config_file,
    read_first_config,
    read_models,
    single_model,
)


def config(*models):
    entries = "".join(f"config {{ {model} }}" for model in models)
    return text_format.Parse(f"model_config_list {{ {entries} }}", ModelServerConfig())


def model(name="digits", rest="", base_path="/models/digits", platform='model_platform: "tensorflow"'):
    return f'name: "{name}" base_path: "{base_path}" {platform} {rest}'


def test_the_flags_of_one_model_are_a_config_too():
    assert read_models(single_model("digits", Path("/models/digits"))) == {"digits": ModelConfig("digits", Path("/models/digits"))}


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("", VersionPolicy("latest", 1)),
        ("latest {}", VersionPolicy("latest", 1)),
        ("latest { num_versions: 3 }", VersionPolicy("latest", 3)),
        ("all {}", VersionPolicy("all")),
        ("specific { versions: 4 versions: 2 }", VersionPolicy("specific", versions=frozenset({2, 4}))),
    ],
)
def test_policies_and_labels_are_read(text, policy):
    entry = model(rest=f'model_version_policy {{ {text} }} version_labels {{ key: "stable" value: 4 }}')
    read = read_models(config(entry))["digits"]
    assert (read.policy, read.version_labels) == (policy, {"stable": 4})


def test_a_policy_wants_of_what_is_there():
    there = {1, 2, 10}
    assert VersionPolicy("latest", 2).wanted(there) == {2, 10}
    assert VersionPolicy("all").wanted(there) == there
    assert VersionPolicy("specific", versions=frozenset({1, 7})).wanted(there) == {1}


def test_the_deprecated_model_type_stands_for_the_platform():
    assert read_models(config(model(platform="model_type: TENSORFLOW")))["digits"].platform == "tensorflow"


@pytest.mark.parametrize(
    ("models", "text"),
    [
        ([model(), model()], r"^Illegal to list model digits multiple times in config list$"),
        ([model(base_path="models")], r"^Expected model digits to have an absolute path or URI; got base_path\(\)=models$"),
        ([model(base_path="")], r"^Expected model digits to have an absolute path or URI; got base_path\(\)=$"),
        (
            [model(platform="")],
            r"^Illegal setting neither ModelServerConfig::model_type \(deprecated\) nor ModelServerConfig::model_platform",
        ),
        ([model(platform='model_type: TENSORFLOW model_platform: "tensorflow"')], r"^Illegal setting both ModelServerConfig::model_type"),
        ([model(platform="model_type: OTHER")], r"^ModelServerConfig::model_type choice 2 not supported\.$"),
        ([model(name="")], r"^Expected every model in the config list to have a name; number 1 has none$"),
    ],
)
def test_what_is_refused_is_refused_with_the_servers_own_words(models, text):
    with pytest.raises(InvalidArgumentError, match=text):
        read_models(config(*models))


def test_a_custom_model_config_is_refused():
    custom = ModelServerConfig()
    custom.custom_model_config.SetInParent()
    with pytest.raises(InvalidArgumentError, match="does not yet support custom model config"):
        read_models(custom)


def test_a_model_may_not_change_its_platform():
    old, new = read_models(config(model())), read_models(config(model(platform='model_platform: "caffe"')))
    with pytest.raises(
        InvalidArgumentError,
        match=r"^Illegal to change a model's platform. For model digits platform was tensorflow and new platform requested is caffe$",
    ):
        check_platforms(old, new)
    with pytest.raises(InvalidArgumentError, match=r"^Model digits requests unsupported platform caffe$"):
        check_served_here(new.values())


def test_a_folder_may_be_written_as_a_uri_and_a_bucket_is_refused():
    assert read_models(config(model(base_path="file:///models/digits")))["digits"].base_path == Path("/models/digits")
    bucket = read_models(config(model(base_path="gs://bucket/digits")))
    with pytest.raises(InvalidArgumentError, match=r"a folder of this machine as base_path; got gs://bucket/digits$"):
        check_served_here(bucket.values())


def test_an_empty_file_serves_nothing_yet(tmp_path):
    (tmp_path / "models.config").touch()
    assert read_models(read_config_file(tmp_path / "models.config")) == {}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, r"models\.config cannot be read: No such file or directory$"),
        (b"model_config_list {", r"^Invalid protobuf file: '.*models\.config' is no ModelServerConfig \(.*\); expected such as"),
        (b"\xff\xfe", r"^Invalid protobuf file"),
        (
            b"custom_model_config " + b"{ [type.googleapis.com/google.protobuf.Any] " * 3000,
            r"is no ModelServerConfig \(nested too deeply\)",
        ),
        (
            f"model_config_list {{ config {{ {model()} }} config {{ {model()} }} }}".encode(),
            r"models\.config: Illegal to list model digits",
        ),
    ],
)
def test_a_file_that_cannot_be_served_is_one_line(tmp_path, content, text):
    path = tmp_path / "models.config"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StartError, match=text) as raised:
        read_first_config(path, labels_allowed=False)
    assert "\n" not in str(raised.value)


def test_a_server_starts_with_labels_only_when_that_is_allowed(tmp_path):
    path = tmp_path / "models.config"
    label = 'version_labels { key: "canary" value: 2 }'
    path.write_text(f"model_config_list {{ config {{ {model(rest=label)} }} }}")
    with pytest.raises(
        StartError, match="Request to assign label to version 2 of model digits, which is not currently available for inference"
    ):
        read_first_config(path, labels_allowed=False)
    assert read_models(read_first_config(path, labels_allowed=True))["digits"].version_labels == {"canary": 2}
