"""Before a run the metadata and the disk agree: pushes that are not served are forgotten, outputs that nobody knows are removed."""

import shutil

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.types import standard_artifacts

from pipeline.runs.store import (
    forget_removed_artifacts,
    forget_superseded_versions,
    lost_baseline,
    note_contents,
    remove_unknown_outputs,
)


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


@pytest.mark.parametrize("harm", ["nothing", "added", "removed", "emptied", "cut", "edited"])
def test_an_artifact_that_does_not_hold_what_it_did_is_marked_as_deleted(connection, tmp_path, harm):
    model = tmp_path / "model" / "Format-Serving"
    model.mkdir(parents=True)
    for name in ("saved_model.pb", "variables"):
        (model / name).write_bytes(bytes(10))
    (tmp_path / "cache").mkdir()  # a step may put out an empty folder
    with metadata.Metadata(connection) as handle:
        kind = handle.store.put_artifact_type(standard_artifacts.Model().artifact_type)
        live = metadata_store_pb2.Artifact.LIVE
        rows = [metadata_store_pb2.Artifact(type_id=kind, uri=str(tmp_path / name), state=live) for name in ("model", "cache")]
        identifiers = handle.store.put_artifacts(rows)
        for _ in range(2):  # what has been noted once stays
            note_contents(handle, handle.store.get_artifacts_by_id(identifiers))
            if harm == "added":
                (model / "mine").write_bytes(b"1")
            elif harm == "removed":
                (model / "saved_model.pb").unlink(missing_ok=True)
            elif harm == "cut":
                (model / "saved_model.pb").write_bytes(bytes(9))
            elif harm == "edited":
                (model / "saved_model.pb").write_bytes(b"x" * 10)
            elif harm == "emptied":
                shutil.rmtree(model, ignore_errors=True)
    forget_removed_artifacts(connection)
    with metadata.Metadata(connection) as handle:
        states = [artifact.state for artifact in handle.store.get_artifacts_by_id(identifiers)]
    assert states == [live if harm in ("nothing", "added") else metadata_store_pb2.Artifact.DELETED, live]


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


def bless(connection, folder, verdict=1):
    """The id of a model in `folder` that the gate has blessed, or refused."""
    model, blessing = standard_artifacts.Model(), standard_artifacts.ModelBlessing()
    with metadata.Metadata(connection) as handle:
        for artifact, uri in ((model, folder), (blessing, folder.parent / "blessing")):
            (uri / "files").mkdir(parents=True, exist_ok=True)
            artifact.uri = str(uri)
            artifact.type_id = handle.store.put_artifact_type(artifact.artifact_type)
            artifact.mlmd_artifact.state = metadata_store_pb2.Artifact.LIVE
        [identifier] = handle.store.put_artifacts([model.mlmd_artifact])
        blessing.set_int_custom_property("blessed", verdict)
        blessing.set_int_custom_property("current_model_id", identifier)
        handle.store.put_artifacts([blessing.mlmd_artifact])
    return identifier


def test_a_blessed_model_that_somebody_has_removed_is_named_and_what_decides_in_its_place(connection, tmp_path):
    older, last, refused = (tmp_path / name / "model" for name in ("older", "last", "refused"))
    assert lost_baseline(connection, candidate=1) is None
    bless(connection, older)
    bless(connection, last)
    candidate = bless(connection, refused, verdict=0)
    assert lost_baseline(connection, candidate) is None
    shutil.rmtree(last)
    forget_removed_artifacts(connection)
    why = "was left out: files of it, or of its blessing, are gone or cannot be read."
    assert lost_baseline(connection, candidate) == f"the baseline {last} {why} An older one took its place."
    shutil.rmtree(older.parent / "blessing")
    forget_removed_artifacts(connection)
    assert lost_baseline(connection, candidate) == f"the baseline {last} {why} The absolute bounds alone decided."


def test_the_candidate_is_not_its_own_baseline(connection, tmp_path):
    candidate = bless(connection, tmp_path / "model")
    shutil.rmtree(tmp_path / "model")
    forget_removed_artifacts(connection)
    assert lost_baseline(connection, candidate) is None
