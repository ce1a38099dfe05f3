"""Large protobuf messages that are read in pieces are what protobuf's own parser makes of them."""

import random

import pytest
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import classification_pb2, inference_pb2, predict_pb2

from serving.errors import InvalidArgumentError
from serving.server.message_in_pieces import from_string
from serving.server.message_weight import weight


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


SMALL = 60_000  # bytes of each message, which are parsed at once
SHORT_ONES = {
    "dimensions": (predict_pb2.PredictRequest, [2, 2, 2], b"\x12\x00"),
    "named dimensions": (predict_pb2.PredictRequest, [2, 2, 2], b"\x12\x02\x12\x00"),
    "resource handles": (predict_pb2.PredictRequest, [2, 2], b"\x72\x00"),
    "variants": (predict_pb2.PredictRequest, [2, 2], b"\x7a\x00"),
    "tensors in a variant": (predict_pb2.PredictRequest, [2, 2, 15], b"\x1a\x00"),
    "examples": (classification_pb2.ClassificationRequest, [2, 1], b"\x0a\x00"),
    "features": (classification_pb2.ClassificationRequest, [2, 1, 1, 1], b"\x0a\x00"),
    "features of tasks' examples": (inference_pb2.MultiInferenceRequest, [2, 2, 1, 1], b"\x0a\x00"),
}


@pytest.mark.parametrize(("message", "path", "unit"), SHORT_ONES.values(), ids=SHORT_ONES)
def test_short_messages_inside_of_small_ones_are_refused_before_they_take_their_memory(message, path, unit):
    one = unit * (SMALL // len(unit))
    for number in reversed(path):
        one = bytes([number << 3 | 2]) + varint(len(one)) + one
    body = one * (2**24 // len(one))
    with pytest.raises(InvalidArgumentError, match="Expected a message that takes at most 150994944 bytes of memory"):
        from_string(message, body)
    assert from_string(message, one + one).ByteSize() > 0


def test_a_batch_of_examples_with_as_many_features_as_fit_is_taken():
    rows = classification_pb2.ClassificationRequest()
    for _ in range(200):
        features = rows.input.example_list.examples.add().features.feature
        for number in range(50):
            features[f"f{number:05d}"].float_list.value.append(number)
    body = rows.SerializeToString()
    times = 2**24 // len(body)
    assert len(from_string(classification_pb2.ClassificationRequest, body * times).input.example_list.examples) == 200 * times


def test_a_message_weighs_what_those_inside_take_whatever_their_level():
    message = predict_pb2.PredictRequest()
    message.inputs["a"].tensor_shape.dim.add(size=3)
    message.inputs["a"].tensor_shape.dim.add(size=3)
    message.inputs["b"].string_val.append(b"text")
    entry = shape = dim = 24 + 2 * 16
    tensor = 24 + 16 * len(message.inputs["a"].DESCRIPTOR.fields)
    assert weight(message.DESCRIPTOR, message.SerializeToString()) == 2 * (entry + tensor) + shape + 2 * dim
    assert weight(message.DESCRIPTOR, b"") == 0


def test_messages_are_nested_as_deep_as_protobuf_takes_them():
    body = b""
    for _ in range(200):
        inner = b"\x1a" + varint(len(body)) + body  # a variant's tensor
        body = b"\x7a" + varint(len(inner)) + inner
    with pytest.raises(DecodeError):
        weight(tf.make_tensor_proto(0).DESCRIPTOR, body)


def varint(value):
    return bytes([value & 127 | 128]) + varint(value >> 7) if value > 127 else bytes([value])
