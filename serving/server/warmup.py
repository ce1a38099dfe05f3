"""A model's warm-up file: requests that it answers before it serves, so that the first real one does not pay for them.

assets.extra/tf_serving_warmup_requests, TFRecords of PredictionLog -> replay(model, log) for each -> what was wrong, in one line
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis.input_pb2 import Input
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from serving.errors import ServingError
from serving.server.inference import Task, find_signatures, input_examples, make_step, read_examples
from serving.server.saved_model import CLASSIFY_METHOD, REGRESS_METHOD, SavedModel
from serving.tensors import read_tensor

WARMUP_FILE = Path("assets.extra", "tf_serving_warmup_requests")
MOST_RECORDS = 1000


def no_warm_up(folder: Path, model: SavedModel) -> str:
    """What `--enable_model_warmup=false` does."""
    return ""


def replay(model: SavedModel, log: PredictionLog) -> None:
    """Answers the request of one record; the model that it names does not matter. Raises ServingError."""
    if log.HasField("predict_log"):
        request = log.predict_log.request
        inputs = {name: read_tensor(tensor) for name, tensor in request.inputs.items()}
        model.run(model.signature(request.model_spec.signature_name), inputs, request.output_filter)
    elif log.HasField("classify_log"):
        request = log.classify_log.request
        _infer(model, [Task(request.model_spec.signature_name, CLASSIFY_METHOD)], request.input)
    elif log.HasField("regress_log"):
        request = log.regress_log.request
        _infer(model, [Task(request.model_spec.signature_name, REGRESS_METHOD)], request.input)
    elif log.HasField("multi_inference_log"):
        request = log.multi_inference_log.request
        _infer(model, [Task(task.model_spec.signature_name, task.method_name) for task in request.tasks], request.input)


def _infer(model: SavedModel, tasks: Sequence[Task], examples: Input) -> None:
    step = make_step(model, find_signatures(model, tasks), read_examples(input_examples(examples)))
    step.call(*step.arrays)


def warm_up(folder: Path, model: SavedModel, replay: Callable[[SavedModel, PredictionLog], None] = replay, iterations: int = 1) -> str:
    """Replays the folder's warm-up file, if it has one, each request so many times. Returns what was wrong with it, or `""`.

    It never keeps a version from serving.
    """
    path = folder / WARMUP_FILE
    if not path.is_file():
        return ""
    problems = []
    try:
        for number, log in enumerate(_logs(path), start=1):
            if number > MOST_RECORDS:
                problems.append(f"Number of warmup records exceeds the maximum ({MOST_RECORDS}) at {path}; the first ones were run")
                break
            problems += _replay(number, model, log, replay, iterations)
    except (tf.errors.OpError, DecodeError, OSError) as error:
        problems.append(f"Expected {path} to hold TFRecords of PredictionLog. {' '.join(str(error).split())}")
    return problems[0] if problems else ""


def _logs(path: Path) -> Iterator[PredictionLog]:
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        yield PredictionLog.FromString(record)


def _replay(
    number: int, model: SavedModel, log: PredictionLog, replay: Callable[[SavedModel, PredictionLog], None], iterations: int
) -> list[str]:
    try:
        for _ in range(iterations):
            replay(model, log)
    except ServingError as error:
        return [f"warm-up request {number} is refused: {error}"]
    except Exception as error:  # noqa: BLE001 - whatever an odd request does to the model, it must not keep the version from serving
        return [f"warm-up request {number} fails: {type(error).__name__}: {error}"]
    return []
