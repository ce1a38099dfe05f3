"""What the runner tells TFX's metadata store before a run, so that its cache holds only what is really there."""

from pathlib import Path

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.types import standard_artifacts


def forget_removed_versions(connection: metadata.ConnectionConfigType) -> None:
    """Marks pushes whose version folder somebody has removed as deleted: TFX then pushes again instead of calling it cached."""
    with metadata.Metadata(connection) as handle:
        pushes = handle.store.get_artifacts_by_type(standard_artifacts.PushedModel.TYPE_NAME)
        gone = [push for push in pushes if _destination(push) and "://" not in _destination(push) and not Path(_destination(push)).is_dir()]
        for push in gone:
            push.state = metadata_store_pb2.Artifact.DELETED
        if gone:
            handle.store.put_artifacts(gone)


def _destination(push: metadata_store_pb2.Artifact) -> str:
    return push.custom_properties["pushed_destination"].string_value
