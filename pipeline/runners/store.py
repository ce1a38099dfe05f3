"""What the runner tells TFX's metadata store before a run, so that its cache holds only what is really there."""

import contextlib
import sqlite3
from pathlib import Path

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.types import standard_artifacts

from pipeline.pushed_models import is_newest
from trainer.errors import ConfigError, TapelineError

_LOCK_PATIENCE = 10.0  # seconds


def forget_superseded_versions(connection: metadata.ConnectionConfigType) -> None:
    """Marks pushes that are no longer the newest version as deleted, removed ones among them.

    TFX then pushes again, as the newest version, instead of calling cached what is not served.
    """
    with metadata.Metadata(connection) as handle:
        pushes = handle.store.get_artifacts_by_type(standard_artifacts.PushedModel.TYPE_NAME)
        gone = [push for push in pushes if _destination(push) and not is_newest(_destination(push))]
        for push in gone:
            push.state = metadata_store_pb2.Artifact.DELETED
        if gone:
            handle.store.put_artifacts(gone)


def wait_until_free(file: Path, patience: float = _LOCK_PATIENCE) -> None:
    """Returns once nobody else has the database `file` locked; ml-metadata would wait for ever, without a word.

    Args:
      file: the SQLite database; one that is not there yet is free.
      patience: how long to wait, in seconds.

    Raises:
      ConfigError: it is still locked after `patience`. TapelineError: it is no database.
    """
    if not file.exists():
        return
    try:
        with contextlib.closing(sqlite3.connect(file, timeout=patience, isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise ConfigError(
                f"Expected '{file}' to be free. Received: another process has had it locked for {patience:.0f} s. "
                "Close what has it open (a database browser, a backup), then run the same command again."
            ) from None
        broken = getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
        remedy = f"Remove {file.parent} as a whole to start over" if broken else "Mend its permissions or its disk"
        raise TapelineError(
            f"Expected '{file}' to be a database that can be written. Received: {error}. {remedy}, or give another --root DIR."
        ) from None


def _destination(push: metadata_store_pb2.Artifact) -> str:
    return push.custom_properties["pushed_destination"].string_value
