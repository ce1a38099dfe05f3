"""JSON for Classify and Regress: `examples` and a shared `context` in, `results` out, and the metadata's JSON.

A feature's kind is its first value's JSON type: numbers with a point are floats, others int64, strings and `{"b64": ...}` bytes.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format

from serving.errors import InvalidArgumentError
from serving.server.grpc_transport import signature_def_map
from serving.server.inference import Classification, Regression
from serving.server.model_spec import ModelSpec
from serving.server.rest_json import decode_base64, dump, is_base64, json_type, shortest, show

_INT64 = np.iinfo(np.int64)


def read_examples(parsed: Mapping[str, Any]) -> list[bytes]:
    """Serialized tf.Examples, the context's features first, so that an example's own have the last word. Raises InvalidArgumentError."""
    context = _example(parsed["context"]).SerializeToString() if "context" in parsed else b""
    if "examples" not in parsed:
        raise InvalidArgumentError(f"JSON Value: {show(parsed)} When method is classify, key 'examples' is expected and was not found")
    examples = parsed["examples"]
    if not isinstance(examples, list):
        raise InvalidArgumentError(f"JSON Value: {show(parsed)} Expecting 'examples' value to be an list/array")
    if not examples:
        raise InvalidArgumentError(f"JSON Value: {show(parsed)} 'examples' value is an empty array")
    return [context + _example(example).SerializeToString() for example in examples]


def write_classification(classification: Classification) -> bytes:
    """`{"results": [[["label", score], ...], ...]}`."""
    return dump({"results": [[[label, shortest(score)] for label, score in classes] for classes in classification]})


def write_regression(values: Regression) -> bytes:
    """`{"results": [value, ...]}`."""
    return dump({"results": [shortest(value) for value in values]})


def write_metadata(signatures: Mapping[str, Any], spec: ModelSpec) -> bytes:
    """The model's name and version, and its signatures as protobuf's own JSON with the field names of the .proto files."""
    printed = json_format.MessageToDict(signature_def_map(signatures), preserving_proto_field_name=True, **_PRINT_ZEROS)
    model_spec = {"name": spec.name, "signature_name": "", "version": str(spec.version)}
    return json.dumps({"model_spec": model_spec, "metadata": {"signature_def": printed}}, indent=1).encode()


def _example(value: Any) -> tf.train.Example:
    if not isinstance(value, dict):
        raise InvalidArgumentError(f"Example must be JSON object but got JSON {json_type(value)}")
    example = tf.train.Example()
    for name, content in value.items():
        if not _is_text(name):
            raise InvalidArgumentError(f"Feature: {name} has a name that is no UTF-8.")
        _fill(example.features.feature[name], name, content if isinstance(content, list) else [content])
    return example


def _fill(feature: tf.train.Feature, name: str, values: Sequence[Any]) -> None:
    for value in values:
        kind, converted = _feature_value(name, value)
        if feature.WhichOneof("kind") not in (None, kind):
            was = feature.WhichOneof("kind").removesuffix("_list")
            raise InvalidArgumentError(f"Unexpected element type in feature: {name} expecting type: {was}")
        getattr(feature, kind).value.append(converted)


def _feature_value(name: str, value: Any) -> tuple[str, Any]:
    """The kind of list that a value belongs into, and what is put there."""
    if isinstance(value, bool):
        return "int64_list", int(value)
    if isinstance(value, int):
        if value > _INT64.max:
            raise InvalidArgumentError(f"Feature: {name} has uint64 element. Only int64 is supported.")
        if value >= _INT64.min:
            return "int64_list", value
        value = _decimal(value)
    if isinstance(value, float):
        if np.isfinite(value) and abs(value) > np.finfo(np.float32).max:
            raise InvalidArgumentError(f"Cannot convert JSON value to float without loss of precision: {value}")
        return "float_list", value
    if isinstance(value, str):
        return "bytes_list", value.encode("utf-8", "surrogatepass")
    if is_base64(value):
        return "bytes_list", decode_base64(value["b64"])
    raise InvalidArgumentError(f"Feature: {name} has element with unexpected JSON type: {json_type(value)}")


def _is_text(name: str) -> bool:
    """Whether no half of a surrogate pair stands alone in it."""
    return name.isascii() or not any("\ud800" <= character <= "\udfff" for character in name)


def _decimal(value: int) -> float:
    """As a JSON parser without large integers reads it; there is no float beyond 10^308."""
    try:
        return float(value)
    except OverflowError as error:
        raise InvalidArgumentError(f"Cannot convert JSON value to float without loss of precision: {show(value)}") from error


def _print_zeros() -> dict[str, bool]:
    """Protobuf 5 renamed the option that prints fields at their default."""
    import inspect

    renamed = "always_print_fields_with_no_presence"
    return {renamed if renamed in inspect.signature(json_format.MessageToDict).parameters else "including_default_value_fields": True}


_PRINT_ZEROS = _print_zeros()
