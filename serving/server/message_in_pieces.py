"""`Message.FromString` for large messages, in pieces: it holds the interpreter's lock until it has read everything.

    a field that is small                   -> with its neighbours, to protobuf's own parser
    a message in it that is large           -> the same again
    more fields than anybody sends, or messages that take more memory
                                            -> refused, because each of them takes many times its two bytes

Merging the pieces of a message one after the other is the same as parsing it, says protobuf's encoding.
"""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError

from serving.errors import InvalidArgumentError
from serving.server.message_weight import weight

_PIECE = 64 * 1024  # bytes: about a millisecond for the fields that take longest
MOST_FIELDS = 2**18
MOST_BYTES = 9 * 2**24  # that the messages inside take; the shortest features that make sense, 16 MiB of them, take that much
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def from_string(message: type, body: bytes) -> Any:
    """The message. Raises DecodeError, or InvalidArgumentError for one of more than `MOST_FIELDS` fields or `MOST_BYTES` bytes."""
    parsed = message()
    if len(body) <= _PIECE:
        parsed.MergeFromString(body)
    else:
        _merge(parsed, memoryview(body), _Room())
    return parsed


class _Room:
    """What a message may still bring."""

    def __init__(self) -> None:
        self._fields, self._bytes = MOST_FIELDS, MOST_BYTES

    def take_field(self) -> None:
        self._fields -= 1
        if self._fields < 0:
            raise InvalidArgumentError(f"Expected a message of at most {MOST_FIELDS} fields. Received: more.")

    def merge(self, message: Any, piece: memoryview) -> None:
        """Some fields of a message, all at once."""
        content = bytes(piece)
        self._bytes -= weight(message.DESCRIPTOR, content)
        if self._bytes < 0:
            raise InvalidArgumentError(f"Expected a message that takes at most {MOST_BYTES} bytes of memory. Received: more.")
        message.MergeFromString(content)


def _merge(message: Any, body: memoryview, room: _Room) -> None:
    if len(body) <= _PIECE:
        room.merge(message, body)
        return
    start = at = 0
    while at < len(body):
        room.take_field()
        tag, value = _varint(body, at)
        value, end = _extent(body, value, tag & 7)
        if end - value > _PIECE and tag & 7 == _BYTES:
            room.merge(message, body[start:at])
            field = message.DESCRIPTOR.fields_by_number.get(tag >> 3)
            if field is not None and field.type == FieldDescriptor.TYPE_MESSAGE:
                _merge_field(message, field, body[value:end], room)
            else:
                message.MergeFromString(bytes(body[at:end]))
            start = end
        elif end - start > _PIECE:
            room.merge(message, body[start:end])
            start = end
        at = end
    room.merge(message, body[start:])


def _merge_field(message: Any, field: FieldDescriptor, body: memoryview, room: _Room) -> None:
    container = getattr(message, field.name)
    if not _is_repeated(message, field):
        container.SetInParent()
        _merge(container, body, room)
    elif field.message_type.GetOptions().map_entry:
        _merge_entry(container, field.message_type, body, room)
    else:
        _merge(container.add(), body, room)


def _is_repeated(message: Any, field: FieldDescriptor) -> bool:
    """Without the descriptor's `label`, which protobuf 6 is about to drop."""
    return not hasattr(getattr(message, field.name), "SetInParent")


def _merge_entry(container: Any, entry: Any, body: memoryview, room: _Room) -> None:
    """A map's entry: its key decides where its value goes, and may come after it."""
    key, values, at = bytearray(), [], 0
    while at < len(body):
        start = at
        tag, value = _varint(body, at)
        value, at = _extent(body, value, tag & 7)
        if tag == 2 << 3 | _BYTES:
            values.append(body[value:at])
        elif tag >> 3 == 1:
            key = bytearray(body[start:at])
    parsed = entry._concrete_class.FromString(bytes(key))
    if not values or entry.fields_by_name["value"].type != FieldDescriptor.TYPE_MESSAGE:
        raise DecodeError("a large map entry without a message")
    target = container[parsed.key]
    target.Clear()
    for part in values:
        _merge(target, part, room)


def _extent(body: memoryview, at: int, wire_type: int) -> tuple[int, int]:
    """Where a field's value begins and ends. Raises DecodeError."""
    if wire_type == _VARINT:
        return at, _varint(body, at)[1]
    if wire_type == _BYTES:
        length, at = _varint(body, at)
        end = at + length
    elif wire_type in (_FIXED32, _FIXED64):
        end = at + (4 if wire_type == _FIXED32 else 8)
    else:  # groups, which none of these messages has
        raise DecodeError(f"wire type {wire_type}")
    if end > len(body):
        raise DecodeError("a field goes on after the message's end")
    return at, end


def _varint(body: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(body) and shift < 70:
        byte = body[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
        shift += 7
    raise DecodeError("a number goes on after its end")
