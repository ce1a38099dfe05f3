"""A BentoML service with its adaptive batching."""

import bentoml
import numpy as np
from saved_model import SavedModel


@bentoml.service(workers=1, traffic={"timeout": 60, "max_concurrency": 256}, logging={"access": {"enabled": False}})
class Mnist:
    """The pushed model."""

    def __init__(self) -> None:
        self._model = SavedModel()

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=1000)
    def predict(self, instances: np.ndarray) -> np.ndarray:
        """Images (N, 28, 28, 1) to probabilities (N, 10): a batchable method of BentoML returns one array."""
        return self._model(instances.astype(np.uint8))[1]
