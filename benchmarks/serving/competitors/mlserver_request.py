"""Writes one gRPC request for MLServer to stdout: the pixels from stdin, as raw bytes."""

import sys

from mlserver.grpc.dataplane_pb2 import ModelInferRequest

request = ModelInferRequest(model_name="mnist", raw_input_contents=[sys.stdin.buffer.read()])
request.inputs.add(name="pixels", datatype="UINT8", shape=[1, 28, 28, 1])
sys.stdout.buffer.write(request.SerializeToString())
