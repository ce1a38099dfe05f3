"""A push that is not the newest version any more, or was removed, is forgotten, so that the same model is pushed again."""

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.types import standard_artifacts

from pipeline.runners.store import forget_removed_artifacts, forget_superseded_versions


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
