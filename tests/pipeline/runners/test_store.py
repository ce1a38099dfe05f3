"""A push that is not the newest version any more, or was removed, is forgotten, so that the same model is pushed again."""

import sqlite3

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.types import standard_artifacts

from pipeline.runners.store import forget_superseded_versions, wait_until_free
from trainer.errors import ConfigError, TapelineError


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


def test_a_database_that_somebody_else_has_locked_is_named_after_a_bounded_wait(tmp_path):
    file = tmp_path / "metadata.sqlite"
    wait_until_free(file)  # not there yet: free
    with sqlite3.connect(file, isolation_level=None) as holder:
        holder.execute("CREATE TABLE mine (x)")
        wait_until_free(file)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(ConfigError) as caught:
            wait_until_free(file, patience=0.05)
        holder.execute("ROLLBACK")
        wait_until_free(file, patience=0.05)
    assert str(caught.value) == (
        f"Expected '{file}' to be free. Received: another process has had it locked for 0 s. "
        "Close what has it open (a database browser, a backup), then run the same command again."
    )


def test_a_file_that_is_no_database_is_named_with_what_to_remove(tmp_path):
    file = tmp_path / "metadata.sqlite"
    file.write_bytes(b"not a database" * 100)
    with pytest.raises(TapelineError) as caught:
        wait_until_free(file)
    assert str(caught.value) == (
        f"Expected '{file}' to be a database that can be written. Received: file is not a database. "
        f"Remove {tmp_path} as a whole to start over, or give another --root DIR."
    )
