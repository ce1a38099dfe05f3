"""The reference: what one writes in an hour, a sync gRPC servicer that calls the SavedModel's signature.

`python -m benchmarks.serving.plain_grpc MODEL_NAME VERSION_FOLDER` prints `serves: gRPC ADDRESS,` as the server itself does.
"""

import sys
from concurrent import futures

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc


class Servicer(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict, and nothing else."""

    def __init__(self, model_name: str, version_folder: str) -> None:
        self._model_name, self._model = model_name, tf.saved_model.load(version_folder)

    def Predict(self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext) -> predict_pb2.PredictResponse:
        """TensorProtos to tensors, the signature, tensors to TensorProtos."""
        signature = self._model.signatures[request.model_spec.signature_name]
        outputs = signature(**{name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in request.inputs.items()})
        response = predict_pb2.PredictResponse()
        response.model_spec.name = self._model_name
        for name, tensor in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(tensor.numpy()))
        return response


def main(model_name: str, version_folder: str) -> None:
    """Serves on a free port until it is ended."""
    server = grpc.server(futures.ThreadPoolExecutor(16))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Servicer(model_name, version_folder), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"{model_name} serves: gRPC 127.0.0.1:{port}, no REST", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main(*sys.argv[1:])
