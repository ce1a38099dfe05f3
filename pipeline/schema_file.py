"""The file that `schema.path` names: where it is, and what it holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trainer.errors import ConfigError

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2

    from pipeline.config import PipelineConfig


def place(config: PipelineConfig) -> Path:
    """Where the reviewed schema is, or goes. Raises ConfigError where the config does not say."""
    if not config.schema_.path:
        raise ConfigError(
            "Expected `schema.path` to say where the reviewed schema goes. Received: none. Add it to the config, or --set schema.path=FILE."
        )
    return Path(config.schema_.path)


def read(config: PipelineConfig) -> schema_pb2.Schema:
    """The reviewed schema. Raises ConfigError where there is none, or the file is something else."""
    file = place(config)
    try:
        return parsed(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"Expected a reviewed schema. Received: no file '{file}'. `tapeline run` infers one, and "
            "`tapeline schema accept` writes it there."
        ) from None
    except ValueError as error:  # no UTF-8 included
        reason = str(error).rstrip(".")
        raise ConfigError(
            f"Expected `schema.path` to name a schema, a Schema proto as text. Received: '{file}': {reason}. "
            "Mend that line, or move the file away and run again to infer a schema."
        ) from None


def parsed(text: str) -> schema_pb2.Schema:
    """The Schema that `text` holds. Raises ValueError, in one line."""
    from tensorflow_metadata.proto.v0 import schema_pb2

    from serving import text_proto

    return text_proto.parse(text, schema_pb2.Schema())
