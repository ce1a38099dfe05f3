"""The numbers of batching: `--batching_parameters_file`, a BatchingParameters text file as tensorflow_model_server reads it."""

from dataclasses import dataclass
from pathlib import Path

from serving.cores import cores
from serving.errors import StartError
from serving.server import text_file
from serving.server.server_config_pb2 import BatchingParameters as BatchingParametersMessage

# What tensorflow_model_server takes for a parameter that its file does not name.
_TF_SERVING_MAX_BATCH_SIZE = 1000
_TF_SERVING_MAX_ENQUEUED_BATCHES = 10


@dataclass(frozen=True)
class BatchingParameters:
    """Sizes are rows. The defaults serve without a file: nobody waits for company, and a request of any size is taken.

    What changes the answers of a model that looks across its rows (padding, splitting) is off unless a file asks for it.

    `strict`: as TensorFlow Serving's session batching, which refuses what cannot be batched; else such a request runs by itself.
    """

    max_batch_size: int = 128
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 100
    num_batch_threads: int = cores()
    allowed_batch_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False
    max_execution_batch_size: int = 0  # 0: a request is never split
    gather_micros: int = 2000  # that a few rows wait for more while another batch of theirs runs
    strict: bool = False

    def padded_size(self, size: int) -> int:
        """The smallest allowed size that holds `size` rows."""
        return next((allowed for allowed in self.allowed_batch_sizes if allowed >= size), size)


def read_batching_parameters(path: Path) -> BatchingParameters:
    """The file's parameters, TensorFlow Serving's defaults for the others. Raises StartError."""
    parameters = _parameters(
        text_file.read("--batching_parameters_file", path, BatchingParametersMessage(), "max_batch_size { value: 64 }")
    )
    problem = _problem(parameters)
    if problem:
        raise StartError(f"--batching_parameters_file {path}: {problem}")
    return parameters


def _parameters(message: BatchingParametersMessage) -> BatchingParameters:
    def value(name: str, default: int) -> int:
        return getattr(message, name).value if message.HasField(name) else default

    max_batch_size = value("max_batch_size", _TF_SERVING_MAX_BATCH_SIZE)
    splits = message.HasField("enable_large_batch_splitting") and message.enable_large_batch_splitting.value
    return BatchingParameters(
        max_batch_size=max_batch_size,
        batch_timeout_micros=value("batch_timeout_micros", 0),
        max_enqueued_batches=value("max_enqueued_batches", _TF_SERVING_MAX_ENQUEUED_BATCHES),
        num_batch_threads=value("num_batch_threads", cores()),
        allowed_batch_sizes=tuple(message.allowed_batch_sizes),
        pad_variable_length_inputs=message.pad_variable_length_inputs,
        max_execution_batch_size=value("max_execution_batch_size", max_batch_size) if splits else 0,
        gather_micros=0,
        strict=True,
    )


def _problem(parameters: BatchingParameters) -> str:
    for name in ("max_batch_size", "max_enqueued_batches", "num_batch_threads"):
        if getattr(parameters, name) < 1:
            return f"expected {name} to be at least 1, received {getattr(parameters, name)}"
    if parameters.batch_timeout_micros < 0:
        return f"expected batch_timeout_micros to be 0 or more, received {parameters.batch_timeout_micros}"
    sizes = parameters.allowed_batch_sizes
    if sizes and (sorted(set(sizes)) != list(sizes) or sizes[0] < 1):
        return f"expected allowed_batch_sizes in increasing order, received {list(sizes)}"
    last = parameters.max_execution_batch_size or parameters.max_batch_size
    if sizes and sizes[-1] != last:
        return f"expected the last of allowed_batch_sizes to be the maximum batch size, {last}; received {sizes[-1]}"
    if parameters.max_execution_batch_size > parameters.max_batch_size:
        return f"expected max_execution_batch_size to be at most max_batch_size, received {parameters.max_execution_batch_size}"
    return ""
