"""Before a run the metadata and the disk agree: pushes that are not served are forgotten, outputs that nobody knows are removed."""

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.types import standard_artifacts

from pipeline.runners.store import forget_removed_artifacts, forget_superseded_versions, remove_unknown_outputs


@pytest.fixture
def connection(tmp_path):
    return metadata.sqlite_metadata_connection_config(str(tmp_path / "metadata.sqlite"))


def push(connection, destination):
    artifact = standard_artifacts.PushedModel()
    if destination:
        artifact.set_string_custom_property("pushed_destination", str(destination))
    with metadata.Metadata(connection) as handle:
        artifact.type_id = handle.store.put_artifact_type(artifact.artifact_type)
        artifact.mlmd_artifact.state = metadata_store_pb2.Artifact.LIVE
        [identifier] = handle.store.put_artifacts([artifact.mlmd_artifact])
    return identifier


def test_only_pushes_that_are_gone_or_superseded_are_marked_as_deleted(connection, tmp_path):
    for version in ("1", "5", "6"):
        (tmp_path / version).mkdir()
    pushes = {
        name: push(connection, destination)
        for name, destination in (
            ("newest", tmp_path / "6"),
            ("older", tmp_path / "5"),
            ("gone", tmp_path / "2"),
            ("refused", ""),
            ("cloud", "gs://bucket/3"),
        )
    }
    forget_superseded_versions(connection)
    with metadata.Metadata(connection) as handle:
        states = {name: handle.store.get_artifacts_by_id([identifier])[0].state for name, identifier in pushes.items()}
    live, deleted = metadata_store_pb2.Artifact.LIVE, metadata_store_pb2.Artifact.DELETED
    assert states == {"newest": live, "older": deleted, "gone": deleted, "refused": live, "cloud": live}


def test_in_a_new_store_there_is_nothing_to_forget(connection):
    forget_superseded_versions(connection)


def test_artifacts_whose_files_somebody_has_removed_are_marked_as_deleted(connection, tmp_path):
    model = standard_artifacts.Model()
    (tmp_path / "there").mkdir()
    with metadata.Metadata(connection) as handle:
        kind = handle.store.put_artifact_type(model.artifact_type)
        live, pending = metadata_store_pb2.Artifact.LIVE, metadata_store_pb2.Artifact.PENDING
        rows = [
            (str(tmp_path / "there"), live),
            (str(tmp_path / "gone"), live),
            ("gs://bucket/model", live),
            (str(tmp_path / "new"), pending),
        ]
        identifiers = handle.store.put_artifacts([metadata_store_pb2.Artifact(type_id=kind, uri=uri, state=state) for uri, state in rows])
    forget_removed_artifacts(connection)
    with metadata.Metadata(connection) as handle:
        states = [handle.store.get_artifacts_by_id([identifier])[0].state for identifier in identifiers]
    assert states == [live, metadata_store_pb2.Artifact.DELETED, live, pending]


def test_outputs_that_the_store_does_not_know_are_removed_and_all_others_are_kept(connection, tmp_path):
    artifacts = tmp_path / "artifacts"
    for place in (
        "Trainer/model/7/Format-Serving",
        "Trainer/model/9",
        "ExampleGen/examples/7",
        "Trainer/.system/executor_execution/9/.temp",
    ):
        (artifacts / place).mkdir(parents=True)
    (artifacts / "Trainer" / "notes" / "mine").mkdir(parents=True)
    model = standard_artifacts.Model()
    model.uri = "/where/the/root/was/before/artifacts/Trainer/model/7"
    with metadata.Metadata(connection) as handle:
        model.type_id = handle.store.put_artifact_type(model.artifact_type)
        handle.store.put_artifacts([model.mlmd_artifact])
    remove_unknown_outputs(connection, artifacts)
    left = {str(path.relative_to(artifacts)) for path in artifacts.glob("*/*/*")}
    assert left == {"Trainer/model/7", "Trainer/notes/mine"}
    assert (artifacts / "Trainer/model/7/Format-Serving").is_dir()
    assert not (artifacts / "Trainer/.system").exists()


def test_a_link_in_the_place_of_an_output_is_removed_and_what_it_points_to_is_kept(connection, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "artifacts/Trainer/model").mkdir(parents=True)
    (tmp_path / "artifacts/Trainer/model/9").symlink_to(tmp_path / "mine")
    (tmp_path / "artifacts/Trainer/model/10").touch()
    remove_unknown_outputs(connection, tmp_path / "artifacts")
    assert list((tmp_path / "artifacts/Trainer/model").iterdir()) == []
    assert (tmp_path / "mine").is_dir()
