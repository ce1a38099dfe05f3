"""A process that calls the SavedModel's own signature, outputs to NumPy: what serving is measured against.

`python -m benchmarks.serving.in_process VERSION_FOLDER`
"""

import sys
from collections.abc import Callable

import tensorflow as tf

from benchmarks.serving import timing
from benchmarks.serving.signatures import SIGNATURES, request
from benchmarks.serving.worker import answer


def main(version_folder: str) -> None:
    """Answers `latency` and `throughput`."""
    model = tf.saved_model.load(version_folder)
    functions = {name: model.signatures[name] for name in SIGNATURES}

    def call(signature: str, rows: int) -> Callable[[], None]:
        function, inputs = functions[signature], request(signature, rows)

        def once() -> None:
            outputs = function(**{name: tf.constant(value) for name, value in inputs.items()})
            for tensor in outputs.values():
                tensor.numpy()

        return once

    def latency(signature: str, calls: int) -> list[float]:
        return timing.latencies(call(signature, 1), calls)

    def throughput(signature: str, rows: int, seconds: float) -> float:
        return rows * timing.rate(call(signature, rows), seconds)

    answer({"latency": latency, "throughput": throughput})


if __name__ == "__main__":
    main(sys.argv[1])
