"""Large protobuf messages that are read in pieces are what protobuf's own parser makes of them."""

import random

import pytest
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import classification_pb2, inference_pb2, predict_pb2

from serving.errors import InvalidArgumentError
from serving.server.message_in_pieces import from_string


def predict_request():
    message = predict_pb2.PredictRequest(output_filter=["y"] * 20_000)
    message.model_spec.name, message.model_spec.version.value = "digits", 7
    message.inputs["strings"].CopyFrom(tf.make_tensor_proto([b"a" * (n % 50) for n in range(20_000)]))
    message.inputs["bytes"].CopyFrom(tf.make_tensor_proto(tf.range(100_000)))
    message.inputs["typed"].float_val.extend([0.5] * 100_000)
    message.inputs["small"].int_val.append(3)
    for _ in range(50_000):
        message.inputs["dims"].tensor_shape.dim.add(size=3)
    return message


def multi_inference_request():
    message = inference_pb2.MultiInferenceRequest()
    message.tasks.add(method_name="m" * 100_000).model_spec.name = "digits"
    message.input.CopyFrom(classification_request().input)
    return message


def classification_request():
    message = classification_pb2.ClassificationRequest()
    message.model_spec.signature_name = "s" * 100_000
    for number in range(300):
        features = message.input.example_list_with_context.examples.add().features.feature
        features["x"].float_list.value.append(number)
    for number in range(20_000):
        features[f"feature {number}"].bytes_list.value.append(b"a")
    features["many"].int64_list.value.extend(range(100_000))
    return message


@pytest.mark.parametrize("make", [predict_request, multi_inference_request, classification_request])
def test_the_message_is_the_one_that_was_sent(make):
    message = make()
    assert from_string(type(message), message.SerializeToString()) == message


def test_of_entries_with_one_key_the_last_one_counts_and_of_messages_with_one_number_all():
    first, second = predict_request(), predict_pb2.PredictRequest()
    second.inputs["strings"].CopyFrom(tf.make_tensor_proto([b"b" * 200_000]))
    second.model_spec.signature_name = "s" * 100_000
    body = first.SerializeToString() + second.SerializeToString()
    assert from_string(predict_pb2.PredictRequest, body) == predict_pb2.PredictRequest.FromString(body)


def test_what_protobuf_refuses_is_refused():
    body = predict_request().SerializeToString()
    rng = random.Random(3)  # noqa: S311 - repeatable on purpose
    refused = 0
    for _ in range(60):
        spoilt = bytearray(body)
        for _ in range(20):
            spoilt[rng.randrange(len(spoilt))] ^= 1 << rng.randrange(8)
        try:
            expected = predict_pb2.PredictRequest.FromString(bytes(spoilt))
        except DecodeError:
            refused += 1
            with pytest.raises(DecodeError):
                from_string(predict_pb2.PredictRequest, bytes(spoilt))
        else:
            assert from_string(predict_pb2.PredictRequest, bytes(spoilt)) == expected
    assert refused > 5


@pytest.mark.parametrize("unit", [b"\x12\x00", b"\x42\x00"], ids=["dimensions", "strings"])
def test_more_fields_than_anybody_sends_are_refused_before_each_takes_its_memory(unit):
    fields = unit * 300_000
    shape = b"\x12" + varint(len(fields)) + fields if unit == b"\x12\x00" else fields
    entry = b"\x0a\x01x\x12" + varint(len(shape)) + shape
    with pytest.raises(InvalidArgumentError, match="Expected a message of at most 262144 fields"):
        from_string(predict_pb2.PredictRequest, b"\x12" + varint(len(entry)) + entry)


def varint(value):
    return bytes([value & 127 | 128]) + varint(value >> 7) if value > 127 else bytes([value])
