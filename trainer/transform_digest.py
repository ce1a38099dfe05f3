"""What Transform does to a row, as one digest: two graphs with the same one make the same features of it.

operations, the constants among them that were learnt, vocabularies -> sorted, for their names and order differ each time -> SHA-256
"""

import hashlib
from collections.abc import Iterator

import tensorflow as tf
from tensorflow.core.framework import node_def_pb2
from tensorflow.core.protobuf import saved_model_pb2


def transform_digest(folder: str) -> str:
    """Of the SavedModel that Transform has put out, `TFTransformOutput.transform_savedmodel_dir`."""
    with tf.io.gfile.GFile(f"{folder}/saved_model.pb", "rb") as file:
        saved = saved_model_pb2.SavedModel.FromString(file.read())
    parts = [f"node {_words(node)}" for node in _nodes(saved)]
    for name in tf.io.gfile.glob(f"{folder}/assets/*"):
        with tf.io.gfile.GFile(name, "rb") as file:
            parts.append(f"asset {name.rpartition('/')[2]} {hashlib.sha256(file.read()).hexdigest()}")
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()


def _nodes(saved: saved_model_pb2.SavedModel) -> Iterator[node_def_pb2.NodeDef]:
    for graph in saved.meta_graphs:
        yield from graph.graph_def.node
        for function in graph.graph_def.library.function:
            yield from function.node_def


def _words(node: node_def_pb2.NodeDef) -> str:
    """The operation, and of a constant its value; texts are left out, for paths of temporary files are among them."""
    if node.op != "Const" or node.attr["value"].tensor.dtype == tf.string.as_datatype_enum:
        return node.op
    value = tf.make_ndarray(node.attr["value"].tensor)
    return f"{node.op} {value.dtype} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
