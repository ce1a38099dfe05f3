"""Classify, Regress and MultiInference: serialized tf.Examples in, labelled scores or numbers out.

check(signature) -> the tensors to feed and to fetch -> a run -> read(values): what it says of every example

The texts are TensorFlow Serving's own. As there, a signature's names decide what it can be asked and not its method_name (unless
`--enable_signature_method_name_check` says so there): `tf.saved_model.save` calls every method `tensorflow/serving/predict`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis import input_pb2

from serving.errors import InvalidArgumentError, UnimplementedError
from serving.server.saved_model import CLASSIFY_METHOD, DEFAULT_SIGNATURE, REGRESS_METHOD, SavedModel, Signature, Step
from serving.tensors import STRING, dtype_number, strings

INPUTS = "inputs"
CLASSES, SCORES, REGRESSIONS = "classes", "scores", "outputs"
_FLOAT = 1
_DATA_TYPES = {
    "float32": "DT_FLOAT", "float64": "DT_DOUBLE", "float16": "DT_HALF", "bool": "DT_BOOL", "object": "DT_STRING",
    "int8": "DT_INT8", "int16": "DT_INT16", "int32": "DT_INT32", "int64": "DT_INT64",
    "uint8": "DT_UINT8", "uint16": "DT_UINT16", "uint32": "DT_UINT32", "uint64": "DT_UINT64",
}  # fmt: skip

# Of every example: its classes, each a label and a score. A model that has no labels gives "", one that has no scores 0.
Classification = list[list[tuple[str, float]]]
# Of every example: a number.
Regression = list[float]


@dataclass(frozen=True)
class Task:
    """One signature that is asked, as a classification or as a regression (the method's name)."""

    signature_name: str
    method_name: str

    @property
    def resolved_name(self) -> str:
        """The signature's name; the empty one means `serving_default`."""
        return self.signature_name or DEFAULT_SIGNATURE


def read_examples(examples: Sequence[bytes]) -> np.ndarray:
    """(N,) serialized tf.Examples as what a graph is fed. Raises InvalidArgumentError when there are none."""
    if not examples:
        raise InvalidArgumentError("Input is empty.")
    return strings(list(examples))


def input_examples(message: input_pb2.Input) -> list[bytes]:
    """Serialized tf.Examples. A shared context comes first, so that what an example says itself has the last word."""
    if message.WhichOneof("kind") == "example_list_with_context":
        context = message.example_list_with_context.context.SerializeToString()
        return [context + example.SerializeToString() for example in message.example_list_with_context.examples]
    return [example.SerializeToString() for example in message.example_list.examples]


def find_signature(model: SavedModel, task: Task) -> Signature:
    """The signature that a Classify or Regress request names. Raises InvalidArgumentError."""
    if task.resolved_name not in model.signature_defs:
        raise InvalidArgumentError(f"No signature was found with the name: {task.resolved_name}")
    return _checked(model, task)


def find_signatures(model: SavedModel, tasks: Sequence[Task]) -> list[Signature]:
    """The signatures of a MultiInference request: distinct, and fed by one tensor. Raises ServingError."""
    signatures: list[Signature] = []
    for task in tasks:
        if any(task.resolved_name == other.name for other in signatures):
            raise InvalidArgumentError(f"Duplicate evaluation of signature: {task.resolved_name}")
        if task.resolved_name not in model.signature_defs:
            raise InvalidArgumentError(f"Requested signature not found in model graph: {task.resolved_name}")
        if task.method_name not in _KINDS:
            raise UnimplementedError(f"Unsupported signature method_name: {task.method_name}")
        signature = _checked(model, task)
        if signatures and signature.inputs[INPUTS].tensor != signatures[0].inputs[INPUTS].tensor:
            raise InvalidArgumentError("Input tensor must be the same for all Signatures.")
        signatures.append(signature)
    return signatures


def _checked(model: SavedModel, task: Task) -> Signature:
    signature = model.signature(task.resolved_name)
    _KINDS[task.method_name].check(signature, model.signature_defs[signature.name])
    return signature


def joined(signatures: Sequence[Signature]) -> Signature:
    """One signature that has the outputs of all, named `signature/output`, so that the graph runs once."""
    outputs = {f"{signature.name}/{alias}": info for signature in signatures for alias, info in signature.outputs.items()}
    return Signature("", {INPUTS: signatures[0].inputs[INPUTS]}, outputs)


def make_step(model: SavedModel, signatures: Sequence[Signature], examples: np.ndarray) -> Step:
    """The run that answers all of them. Raises InvalidArgumentError."""
    return model.step(joined(signatures), {INPUTS: examples})


def read_results(task: Task, outputs: Mapping[str, np.ndarray], count: int) -> Classification | Regression:
    """What a run of `make_step` says, by the task, of `count` examples. Raises InvalidArgumentError where shapes are not its method's."""
    own = {alias.rpartition("/")[2]: value for alias, value in outputs.items() if alias.rpartition("/")[0] == task.resolved_name}
    return _KINDS[task.method_name].read(own, count)


class _Classify:
    """Signatures with `classes`, `scores` or both, of shape (examples, classes)."""

    @staticmethod
    def check(signature: Signature, definition: SignatureDef) -> None:
        _check_one_input(signature)
        if len(signature.outputs) not in (1, 2):
            raise InvalidArgumentError(f"Expected one or two output Tensors, found {len(signature.outputs)}")
        if INPUTS not in signature.inputs:
            raise InvalidArgumentError(f"No classification inputs found in SignatureDef: {definition}")
        if CLASSES not in signature.outputs and SCORES not in signature.outputs:
            raise InvalidArgumentError(
                f'Expected classification signature outputs to contain at least one of "{CLASSES}" or "{SCORES}". '
                f"Signature was: {definition}"
            )

    @classmethod
    def read(cls, outputs: Mapping[str, np.ndarray], count: int) -> Classification:
        classes, scores = outputs.get(CLASSES), outputs.get(SCORES)
        cls._check_output("classes", classes, STRING, count)
        cls._check_output("scores", scores, _FLOAT, count)
        if classes is not None and scores is not None and classes.shape[1] != scores.shape[1]:
            raise InvalidArgumentError(f"Tensors class and score should match in dim_size(1). Got {classes.shape[1]} vs. {scores.shape[1]}")
        shape = (classes if classes is not None else scores).shape
        labels = [[_text(label) for label in row] for row in classes.tolist()] if classes is not None else [[""] * shape[1]] * count
        numbers = scores.tolist() if scores is not None else [[0.0] * shape[1]] * count
        return [list(zip(*row, strict=True)) for row in zip(labels, numbers, strict=True)]

    @staticmethod
    def _check_output(name: str, values: np.ndarray | None, dtype: int, count: int) -> None:
        if values is None:
            return
        if values.ndim != 2:
            raise InvalidArgumentError(f"Expected Tensor shape: [batch_size num_classes] but got {_shape(values)}")
        if dtype_number(values) != dtype:
            raise InvalidArgumentError(f"Expected {name} Tensor of {'DT_STRING' if dtype == STRING else 'DT_FLOAT'}. Got: {_dtype(values)}")
        if len(values) != count:
            raise InvalidArgumentError(f"Expected {name} output batch size of {count}. Got: {len(values)}")


class _Regress:
    """Signatures with `outputs` of shape (examples,) or (examples, 1)."""

    @staticmethod
    def check(signature: Signature, definition: SignatureDef) -> None:
        _check_one_input(signature)
        if len(signature.outputs) != 1:
            raise InvalidArgumentError("Expected one output Tensor.")
        if INPUTS not in signature.inputs:
            raise InvalidArgumentError(f"No regression inputs found in SignatureDef: {definition}")
        if REGRESSIONS not in signature.outputs:
            raise InvalidArgumentError(f"No regression outputs found in SignatureDef: {definition}")

    @staticmethod
    def read(outputs: Mapping[str, np.ndarray], count: int) -> Regression:
        values = outputs[REGRESSIONS]
        if not (values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1)):
            raise InvalidArgumentError(
                f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {_shape(values)}"
            )
        if len(values) != count:
            raise InvalidArgumentError(f"Input batch size did not match output batch size: {count} vs. {len(values)}")
        if dtype_number(values) != _FLOAT:
            raise InvalidArgumentError(f"Expected output Tensor of DT_FLOAT.  Got: {_dtype(values)}")
        return values.ravel().tolist()


_KINDS: dict[str, type[_Classify] | type[_Regress]] = {CLASSIFY_METHOD: _Classify, REGRESS_METHOD: _Regress}


def _check_one_input(signature: Signature) -> None:
    if len(signature.inputs) != 1:
        raise InvalidArgumentError("Expected one input Tensor.")


def _text(label: bytes) -> str:
    return label.decode("utf-8", "replace")


def _shape(values: np.ndarray) -> str:
    return "[" + ",".join(map(str, values.shape)) + "]"


def _dtype(values: np.ndarray) -> str:
    return _DATA_TYPES.get(values.dtype.name, values.dtype.name)
