"""Requests as the request log has them: made of what REST brought, and read back as arrays.

read_request_log(folder) -> PredictionLog -> logged_inputs / logged_outputs -> arrays by name -> example_columns, for tf.Examples
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import classification_pb2, input_pb2, model_pb2, predict_pb2, regression_pb2
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from serving.errors import InputFileError
from serving.server.inference import INPUTS, Classification, Regression
from serving.server.model_spec import ModelSpec
from serving.server.record_files import PART, SUFFIX, whole_records
from serving.server.request_log import Logged
from serving.tensors import read_tensor, strings, write_tensor


def logged_predict(sent: ModelSpec, inputs: Mapping[str, np.ndarray], answered: ModelSpec, outputs: Mapping[str, np.ndarray]) -> Logged:
    """The PredictRequest that a request in JSON amounts to, and its answer."""
    request, response = predict_pb2.PredictRequest(), predict_pb2.PredictResponse()
    _write_spec(sent, request.model_spec)
    _write_spec(answered, response.model_spec)
    for arrays, tensors in ((inputs, request.inputs), (outputs, response.outputs)):
        for name, array in arrays.items():
            write_tensor(array, tensors[name], typed=False)
    return "predict_log", request, response


def logged_classify(sent: ModelSpec, examples: Sequence[bytes], answered: ModelSpec, result: Classification) -> Logged:
    """The ClassificationRequest of serialized tf.Examples, and its answer."""
    request, response = classification_pb2.ClassificationRequest(), classification_pb2.ClassificationResponse()
    _write_request(sent, examples, request)
    _write_spec(answered, response.model_spec)
    for classes in result:
        entry = response.result.classifications.add()
        for label, score in classes:
            entry.classes.add(label=label, score=score)
    return "classify_log", request, response


def logged_regress(sent: ModelSpec, examples: Sequence[bytes], answered: ModelSpec, result: Regression) -> Logged:
    """The RegressionRequest of serialized tf.Examples, and its answer."""
    request, response = regression_pb2.RegressionRequest(), regression_pb2.RegressionResponse()
    _write_request(sent, examples, request)
    _write_spec(answered, response.model_spec)
    for value in result:
        response.result.regressions.add(value=value)
    return "regress_log", request, response


def read_request_log(path: Path) -> Iterator[PredictionLog]:
    """The records of a file, or of all files in a folder, the oldest first; of one that is being written those that are whole.

    Raises InputFileError for what is no request log.
    """
    if not path.exists():
        raise InputFileError(f"Expected a request log, a folder or a {SUFFIX} file. There is no {path}.")
    for file in sorted(_files(path), key=_series_and_number) if path.is_dir() else [path]:
        yield from _read_file(file)


def logged_inputs(log: PredictionLog) -> dict[str, np.ndarray]:
    """What was sent, by input; tf.Examples of Classify, Regress and MultiInference, serialized, as `inputs`."""
    request = getattr(log, log.WhichOneof("log_type")).request
    if log.HasField("predict_log"):
        return {name: read_tensor(tensor) for name, tensor in request.inputs.items()}
    return {INPUTS: strings(_examples(request.input))}


def logged_outputs(log: PredictionLog) -> dict[str, np.ndarray]:
    """What a Predict request was answered, by output; nothing for other requests."""
    return {name: read_tensor(tensor) for name, tensor in log.predict_log.response.outputs.items()}


def example_columns(examples: Iterable[bytes]) -> dict[str, list[np.ndarray | None]]:
    """Serialized tf.Examples as columns: for each feature an array an example, None where an example lacks it."""
    rows = [_features(tf.train.Example.FromString(example)) for example in examples]
    return {name: [row.get(name) for row in rows] for name in sorted({name for row in rows for name in row})}


def _features(example: tf.train.Example) -> dict[str, np.ndarray]:
    return {name: _values(feature) for name, feature in example.features.feature.items() if feature.WhichOneof("kind")}


def _values(feature: tf.train.Feature) -> np.ndarray:
    kind = feature.WhichOneof("kind")
    values = list(getattr(feature, kind).value)
    if kind == "bytes_list":
        return strings(values)
    return np.array(values, np.float32 if kind == "float_list" else np.int64)


def _examples(message: input_pb2.Input) -> list[bytes]:
    with_context = message.example_list_with_context
    context = with_context.context.SerializeToString()
    return [context + example.SerializeToString() for example in with_context.examples or message.example_list.examples]


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.removesuffix(PART).endswith(SUFFIX)]


def _series_and_number(path: Path) -> tuple[str, int, str]:
    series, _, number = path.name.removesuffix(PART).removesuffix(SUFFIX).rpartition("-")
    return (series, int(number), "") if number.isdecimal() else (series, -1, number)


def _read_file(path: Path) -> Iterator[PredictionLog]:
    if not path.exists():  # it was being written when the folder was read, and is whole by now
        path = path.with_name(path.name.removesuffix(PART))
    expected = f"Expected {path} to hold TFRecords of PredictionLog."
    count, size = whole_records(path)
    if size != path.stat().st_size and not path.name.endswith(PART):
        raise InputFileError(f"{expected} It is none, or was cut off after {count} records.")
    try:
        for record in tf.data.TFRecordDataset(str(path)).take(count).as_numpy_iterator():
            yield PredictionLog.FromString(record)
    except (tf.errors.OpError, DecodeError) as error:
        raise InputFileError(f"{expected} {' '.join(str(error).split())}") from error


def _write_request(
    spec: ModelSpec, examples: Sequence[bytes], request: classification_pb2.ClassificationRequest | regression_pb2.RegressionRequest
) -> None:
    _write_spec(spec, request.model_spec)
    for example in examples:
        request.input.example_list.examples.add().ParseFromString(example)


def _write_spec(spec: ModelSpec, message: model_pb2.ModelSpec) -> None:
    message.name, message.signature_name = spec.name, spec.signature_name
    if spec.version is not None:
        message.version.value = spec.version
    elif spec.version_label:
        message.version_label = spec.version_label
