"""TensorFlow.js: the graph as JSON and its weights beside it, for browsers and Node. What is written answers here under Node: see `check`.

function of numbers -> variables become constants, functions but for loops part of the graph -> the graph; the values by themselves

The format's own converter, `tensorflowjs` 4.22, stops at TensorFlow 2.19. What it does with a graph of numbers is done here.
"""

import base64
import json
import shlex
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from google.protobuf.json_format import MessageToDict
from tensorflow.core.framework import function_pb2, node_def_pb2, tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2  # there is no public name for it

from trainer.errors import ConfigError
from trainer.export.portable import Inputs, Portable

MODEL, WEIGHTS = "model.json", "weights.bin"
_NODE = "node"
_JAVASCRIPT = Path(__file__).with_name("javascript")  # answer.js and the lock file of what it needs
_PACKAGES = ("backend-cpu", "backend-wasm", "converter", "core")  # of @tensorflow/tfjs-
_NARROWER = {"float16": np.float32, "float64": np.float32, "int64": np.int32, "uint8": np.int32}  # what JavaScript computes in


class Model(NamedTuple):
    """The files' contents."""

    model: bytes
    weights: bytes


def check() -> None:
    """Raises ConfigError where Node or a package of it is missing."""
    installed = _JAVASCRIPT / "node_modules/@tensorflow"
    missing = [] if shutil.which(_NODE) else [_NODE]
    missing += [f"@tensorflow/tfjs-{name}" for name in _PACKAGES if not (installed / f"tfjs-{name}/package.json").is_file()]
    if missing:
        raise ConfigError(
            f"Expected Node and TensorFlow.js for `export.tfjs: true`. Missing: {', '.join(missing)}. "
            f"Next: install Node 18 or newer, then npm ci --ignore-scripts --prefix {shlex.quote(str(_JAVASCRIPT))}"
        )


def convert(portable: Portable) -> Model:
    """The files' contents, all float32 and int32.

    Raises:
      ValueError: the graph has what is no number, in one clause.
    """
    frozen = convert_variables_to_constants_v2(portable.predict, lower_control_flow=False, aggressive_inlining=True)
    graph = frozen.graph.as_graph_def()
    [answer] = frozen.outputs
    signature = meta_graph_pb2.SignatureDef(outputs={portable.output: _info(answer)})
    for name, tensor in zip(sorted(portable.signature), frozen.inputs, strict=True):
        signature.inputs[name].CopyFrom(_info(tensor))
    for function in graph.library.function:  # the bodies of loops
        _rename_constants(function)
    constants, values = _taken_out([*graph.node, *(node for function in graph.library.function for node in function.node_def)])
    content = {
        "format": "graph-model",
        "generatedBy": tf.__version__,
        "convertedBy": "Tapeline",
        "signature": MessageToDict(signature),
        "modelTopology": MessageToDict(graph),
        "weightsManifest": [{"paths": [WEIGHTS], "weights": constants}],
    }
    return Model(json.dumps(content).encode(), values)


class Runner:
    """Answers rows with a converted model under Node, on one core; the process ends with the object."""

    def __init__(self, model: bytes, weights: bytes) -> None:
        self._folder = tempfile.TemporaryDirectory()
        for name, content in ((MODEL, model), (WEIGHTS, weights)):
            Path(self._folder.name, name).write_bytes(content)
        command = [_NODE, str(_JAVASCRIPT / "answer.js"), self._folder.name]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
        weakref.finalize(self, _end, self._process)

    def __call__(self, inputs: Inputs) -> np.ndarray:
        """(n, ...) of inputs (n, ...) by name.

        Raises:
          ValueError: TensorFlow.js cannot run the model, in one clause.
        """
        try:
            self._process.stdin.write(json.dumps({name: _sent(values) for name, values in inputs.items()}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # then there is no answer either
        line = self._process.stdout.readline()
        if not line:
            raise ValueError(f"Node ended with status {self._process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise ValueError(f"TensorFlow.js says: {answer['error'].splitlines()[0]}")
        return np.frombuffer(base64.b64decode(answer["values"]), "<f4").reshape(answer["shape"])


def _info(tensor: tf.Tensor) -> meta_graph_pb2.TensorInfo:
    return meta_graph_pb2.TensorInfo(name=tensor.name, dtype=tensor.dtype.as_datatype_enum, tensor_shape=tensor.shape.as_proto())


def _rename_constants(function: function_pb2.FunctionDef) -> None:
    """Gives the function's constants names of their own, for TensorFlow.js looks all values up by name alone."""
    names = {node.name: f"{function.signature.name}/{node.name}" for node in function.node_def if node.op == "Const"}

    def renamed(of: str) -> str:  # NAME, NAME:OUTPUT:NUMBER or ^NAME
        name, *output = of.lstrip("^").split(":")
        return ":".join(["^" * of.startswith("^") + names.get(name, name), *output])

    for node in function.node_def:
        node.name = names.get(node.name, node.name)
        node.input[:] = map(renamed, node.input)


def _taken_out(nodes: Iterable[node_def_pb2.NodeDef]) -> tuple[list[dict], bytes]:
    """Takes the constants' values out of them: name, shape and type of each, and the values of all, one behind the other."""
    constants, parts = [], []
    for node in nodes:
        if node.op != "Const":
            continue
        tensor = node.attr["value"].tensor
        values = tf.make_ndarray(tensor)
        if values.dtype == object:
            raise ValueError("TensorFlow.js has no vocabularies and texts as TensorFlow does, and the graph has some")
        values = values.astype(_NARROWER.get(values.dtype.name, values.dtype))
        tensor.CopyFrom(tensor_pb2.TensorProto(dtype=tensor.dtype, tensor_shape=tensor.tensor_shape))
        constants.append({"name": node.name, "shape": list(values.shape), "dtype": values.dtype.name})
        parts.append(values.tobytes())
    return constants, b"".join(parts)


def _sent(values: np.ndarray) -> dict:
    dtype = "float32" if np.issubdtype(values.dtype, np.floating) else "int32"
    content = np.ascontiguousarray(values, np.dtype(dtype).newbyteorder("<"))
    return {"shape": values.shape, "dtype": dtype, "values": base64.b64encode(content).decode("ascii")}


def _end(process: subprocess.Popen) -> None:
    process.stdin.close()  # the program ends with its input
    process.wait()
    process.stdout.close()
