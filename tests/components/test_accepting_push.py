"""A push on Kubeflow accepts the data that its model was trained on; a model that is refused leaves the data accepted last as it is."""

import json
from pathlib import Path

import pytest
from google.protobuf import json_format
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts

from components import accepted_store, pusher


@pytest.fixture
def push(tmp_path):
    """push(blessed, place): the versions that are there afterwards."""

    def do(blessed, place):
        artifacts = {
            "model": standard_artifacts.Model(),
            "model_blessing": standard_artifacts.ModelBlessing(),
            "found": standard_artifacts.ExampleAnomalies(),
            "pushed_model": standard_artifacts.PushedModel(),
        }
        for name, artifact in artifacts.items():
            artifact.uri = str(tmp_path / name)
        for file, content in {
            "model/Format-Serving/saved_model.pb": b"graph",
            f"model_blessing/{'BLESSED' if blessed else 'NOT_BLESSED'}": b"",
            "found/Split-train/FeatureStats.pb": b"of the data",
        }.items():
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_bytes(content)
        artifacts["model_blessing"].set_int_custom_property("blessed", int(blessed))
        artifacts["found"].set_string_custom_property(accepted_store.FINGERPRINT, "a")
        destination = pusher_pb2.PushDestination()
        destination.filesystem.base_directory = str(tmp_path / "serving")
        pushed = artifacts.pop("pushed_model")
        pusher.Executor().Do(
            {name: [artifact] for name, artifact in artifacts.items()},
            {"pushed_model": [pushed]},
            {
                "push_destination": json_format.MessageToJson(destination),
                "custom_config": json.dumps(place and {pusher.ACCEPTED_PLACE: place}),
            },
        )
        return [*(tmp_path / "serving").iterdir()] if (tmp_path / "serving").exists() else []

    return do


def test_what_is_pushed_accepts_its_data(push, tmp_path):
    place = str(tmp_path / "accepted")
    assert len(push(True, place)) == 1
    assert Path(accepted_store.folder(place, "b"), "Split-train", "FeatureStats.pb").read_bytes() == b"of the data"


def test_what_is_refused_accepts_nothing(push, tmp_path):
    place = str(tmp_path / "accepted")
    assert push(False, place) == []
    assert accepted_store.folder(place, "b") == ""


def test_a_place_that_cannot_be_written_fails_no_push(push, tmp_path):
    (tmp_path / "accepted").write_text("a file", encoding="utf-8")
    assert len(push(True, str(tmp_path / "accepted"))) == 1


def test_a_local_push_has_no_such_place(push, tmp_path):
    assert len(push(True, None)) == 1
    assert not (tmp_path / "accepted").exists()
