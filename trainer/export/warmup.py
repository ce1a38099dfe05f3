"""The requests that TensorFlow Serving answers before it serves a version, so that no caller waits for what happens at the first one.

raw rows -> what each signature is sent of them -> a PredictionLog each -> assets.extra/tf_serving_warmup_requests
"""

import os
from collections.abc import Mapping

import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

FILE = "assets.extra/tf_serving_warmup_requests"  # TensorFlow Serving's name; it takes no more than 1,000 records


def write(serving_model_dir: str, requests: Mapping[str, Mapping[str, tf.Tensor]]) -> None:
    """A request of each signature.

    Args:
      serving_model_dir: the SavedModel's folder, with `assets.extra` in it.
      requests: the inputs by name, by signature.
    """
    with tf.io.TFRecordWriter(os.path.join(serving_model_dir, FILE)) as file:
        for signature, inputs in requests.items():
            log = PredictionLog()  # Predict's, also of `classify` and `regress`: what is run is the signature
            request = log.predict_log.request
            request.model_spec.signature_name = signature
            for name, values in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
            file.write(log.SerializeToString(deterministic=True))
