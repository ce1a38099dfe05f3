"""Brings TFX's metadata store and the files on the disk together before a run: each then holds only what the other one knows."""

import json
import logging
import shutil
from pathlib import Path

from ml_metadata.proto import metadata_store_pb2
from tfx.components.evaluator import constants
from tfx.orchestration import metadata
from tfx.types import standard_artifacts

from components.contents import Contents, is_whole, of
from pipeline.pushed_models import is_newest

_FILES, _BYTES, _DIGESTS = "contents_files", "contents_bytes", "contents_digests"  # properties of an artifact


def forget_superseded_versions(connection: metadata.ConnectionConfigType) -> None:
    """Marks pushes that are no longer the newest version as deleted, removed and damaged ones among them.

    TFX then pushes again, as the newest version, instead of calling cached what is not served.
    """
    with metadata.Metadata(connection) as handle:
        pushes = handle.store.get_artifacts_by_type(standard_artifacts.PushedModel.TYPE_NAME)
        gone = [push for push in pushes if _destination(push) and not _is_served(_destination(push), _contents(push))]
        for push in gone:
            push.state = metadata_store_pb2.Artifact.DELETED
        if gone:
            handle.store.put_artifacts(gone)


def forget_removed_artifacts(connection: metadata.ConnectionConfigType) -> None:
    """Marks artifacts as deleted that are not what `note_contents` has noted: somebody has removed, cut short or edited a file.

    TFX then neither takes them from the cache nor resolves the baseline to one of them; what they were the output of runs again.
    """
    with metadata.Metadata(connection) as handle:
        live = [artifact for artifact in handle.store.get_artifacts() if artifact.state == metadata_store_pb2.Artifact.LIVE]
        gone = [artifact for artifact in live if _is_local(artifact.uri) and not is_whole(artifact.uri, _contents(artifact))]
        for artifact in gone:
            artifact.state = metadata_store_pb2.Artifact.DELETED
        if gone:
            handle.store.put_artifacts(gone)


def lost_baseline(connection: metadata.ConnectionConfigType, candidate: int) -> str | None:
    """One line where the last blessed model other than `candidate` was forgotten; None where it is there, or nothing else was blessed.

    `components.baseline` then takes the blessed model before it, or none at all, and a bound less decides: nobody should have to guess.
    """
    with metadata.Metadata(connection) as handle:
        blessings = handle.store.get_artifacts_by_type(standard_artifacts.ModelBlessing.TYPE_NAME)
        pairs = [
            (blessing, model)
            for blessing in sorted(blessings, key=lambda artifact: artifact.id, reverse=True)
            if blessing.custom_properties[constants.ARTIFACT_PROPERTY_BLESSED_KEY].int_value == constants.BLESSED_VALUE
            for model in handle.store.get_artifacts_by_id(
                [blessing.custom_properties[constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY].int_value]
            )
            if model.id != candidate
        ]
    live = [all(artifact.state == metadata_store_pb2.Artifact.LIVE for artifact in pair) for pair in pairs]
    if not pairs or live[0]:
        return None
    instead = "An older one took its place" if any(live) else "The absolute bounds alone decided"
    return f"the baseline {pairs[0][1].uri} was left out: files of it, or of its blessing, are gone or cannot be read. {instead}."


def note_contents(handle: metadata.Metadata, artifacts: list[metadata_store_pb2.Artifact]) -> None:
    """Notes what new artifacts hold, as soon as their component has ended."""
    new = [artifact for artifact in artifacts if _is_local(artifact.uri) and _FILES not in artifact.custom_properties]
    for artifact in new:
        there = of(artifact.uri) or Contents(0, 0)
        properties = artifact.custom_properties
        properties[_FILES].int_value, properties[_BYTES].int_value = there.files, there.bytes
        properties[_DIGESTS].string_value = json.dumps(there.digests)
    if new:
        handle.store.put_artifacts(new)


def remove_unknown_outputs(connection: metadata.ConnectionConfigType, artifacts: Path) -> None:
    """Removes the outputs below `artifacts` that the store does not know, so that every component writes into an empty folder.

    They are what a killed run left, or all there is where `metadata.sqlite` was lost: TFX then counts executions from 1 again, and
    would have components write among the files of old ones. Artifacts are told by `NODE/KEY/EXECUTION`, which a moved root keeps.
    Nobody else may be running in the same place.
    """
    with metadata.Metadata(connection) as handle:
        known = {tuple(artifact.uri.split("/")[-3:]) for artifact in handle.store.get_artifacts()}
    for folder in artifacts.glob("*/*/*"):
        if folder.name.isascii() and folder.name.isdecimal() and folder.parts[-3:] not in known:
            logging.info("Removing %s, which the metadata do not know.", folder)
            _remove(folder)
    for folder in artifacts.glob("*/.system"):  # working folders of components that have ended
        _remove(folder)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _is_local(uri: str) -> bool:
    return bool(uri) and "://" not in uri


def _contents(artifact: metadata_store_pb2.Artifact) -> Contents:
    """What it held when it was new; nothing where that has not been noted."""
    properties = artifact.custom_properties
    files, held = (properties[name].int_value if name in properties else 0 for name in (_FILES, _BYTES))
    return Contents(files, held, json.loads(properties[_DIGESTS].string_value) if _DIGESTS in properties else {})


def _is_served(version: str, then: Contents) -> bool:
    return is_newest(version) and ("://" in version or is_whole(version, then))


def _destination(push: metadata_store_pb2.Artifact) -> str:
    return push.custom_properties["pushed_destination"].string_value
