"""A runtime for MLServer, as its guide to custom runtimes writes one."""

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from saved_model import SavedModel


class SavedModelRuntime(MLModel):
    """The pushed model behind the Open Inference Protocol."""

    async def load(self) -> bool:
        """Loads once."""
        self._saved_model = SavedModel()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """`pixels` to `classes` and `probabilities`."""
        classes, probabilities = self._saved_model(NumpyCodec.decode_input(payload.inputs[0]))
        outputs = [NumpyCodec.encode_output("classes", classes), NumpyCodec.encode_output("probabilities", probabilities)]
        return InferenceResponse(model_name=self.name, outputs=outputs)
