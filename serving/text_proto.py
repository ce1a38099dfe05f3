"""A message in protobuf's text format that somebody else may have written: whatever is none is a ValueError, in one line."""

from typing import TypeVar

from google.protobuf import message, text_format

_Message = TypeVar("_Message", bound=message.Message)


def parse(text: str, into: _Message) -> _Message:
    """`text_format.Parse`. Raises ValueError, also where protobuf's own ends by a RecursionError, as for one Any in another."""
    try:
        return text_format.Parse(text, into)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except text_format.ParseError as error:
        raise ValueError(" ".join(str(error).split())) from error
