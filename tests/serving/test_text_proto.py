"""What is no message in text format is a ValueError of one line, and nothing else."""

import re

import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.struct_pb2 import Struct

from serving import text_proto


def test_a_message_is_filled_and_given_back():
    message = Struct()
    assert text_proto.parse('fields { key: "a" value { number_value: 1 } }', message) is message
    assert dict(message) == {"a": 1}


@pytest.mark.parametrize(
    ("message", "text", "said"),
    [
        (Struct(), "field {}", '1:1 : Message type "google.protobuf.Struct" has no field named "field".'),
        (Struct(), "fields {\n\n", "1:8 : Expected"),
        (Struct(), "fields { value { struct_value { " * 3000, "nested too deeply"),
        (Any(), "[type.googleapis.com/google.protobuf.Any] { " * 3000, "nested too deeply"),
    ],
)
def test_what_is_none_is_said_in_one_line(message, text, said):
    with pytest.raises(ValueError, match=f"^{re.escape(said)}") as caught:
        text_proto.parse(text, message)
    assert "\n" not in str(caught.value)
