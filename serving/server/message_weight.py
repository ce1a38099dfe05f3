"""How much memory the messages inside of a serialized message will take, before any of them is made.

Each takes the room of its fields however short it is on the wire: two bytes may become two hundred. Messages of one type one after the
other parse as one, says protobuf's encoding, so all of a level are counted at once, by a type with bytes in the place of messages.
"""

import functools

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError

_DEEPEST = 100  # levels, as for protobuf's own parser
_EMPTY_BYTES, _FIELD_BYTES = 24, 16  # of a message, and of each field that its type has; about what protobuf's arena gives


def weight(type_: Descriptor, body: bytes, depth: int = 0) -> int:
    """Bytes, without those of strings and numbers, which take at most eight times what they take on the wire. Raises DecodeError."""
    if depth > _DEEPEST:
        raise DecodeError(f"messages nested deeper than {_DEEPEST}")
    total, level = 0, _skeleton(type_).FromString(body)
    for field in _messages(type_):
        parts = getattr(level, f"f{field.number}")
        if parts:
            inner = field.message_type
            total += len(parts) * (_EMPTY_BYTES + _FIELD_BYTES * len(inner.fields)) + weight(inner, b"".join(parts), depth + 1)
    return total


@functools.cache
def _skeleton(type_: Descriptor) -> type:
    """A message type in which all fields that are messages are repeated bytes, and no others are known."""
    file = descriptor_pb2.FileDescriptorProto(name=type_.full_name, package=type_.full_name)
    skeleton = file.message_type.add(name="Skeleton")
    bytes_, repeated = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES, descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
    for field in _messages(type_):
        skeleton.field.add(name=f"f{field.number}", number=field.number, type=bytes_, label=repeated)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{type_.full_name}.Skeleton"))


@functools.cache
def _messages(type_: Descriptor) -> tuple[FieldDescriptor, ...]:
    return tuple(field for field in type_.fields if field.type == FieldDescriptor.TYPE_MESSAGE)
