"""The file of a flag that holds one message in protobuf's text format, as tensorflow_model_server has four of."""

from pathlib import Path
from typing import TypeVar

from google.protobuf.message import Message

from serving import text_proto
from serving.errors import StartError

_Message = TypeVar("_Message", bound=Message)


def read(flag: str, path: Path, into: _Message, example: str) -> _Message:
    """`into`, filled with what the file at `path` says. Raises StartError, in one line that names `flag` or shows `example`."""
    try:
        return text_proto.parse(path.read_text(encoding="utf-8"), into)
    except OSError as error:
        raise StartError(f"{flag} {path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # no UTF-8 included
        raise StartError(f"Invalid protobuf file: '{path}' is no {into.DESCRIPTOR.name} ({error}); expected such as `{example}`") from error
