"""What a tf.Example holds of a row of an Arrow batch."""

import numpy as np
import pyarrow as pa
import tensorflow as tf

from components.example_gen.examples import encode

BATCH = pa.RecordBatch.from_pydict(
    {
        "文": pa.array(["東京", None, ""]),
        "file": pa.array([b"\xff\x00", b"", None]),
        "number": pa.array([0.1, None, float("nan")]),
        "half": pa.array([1.5, 2.5, None], pa.float32()),
        "seconds": pa.array([1_700_000_000, -5, None]),
        "words": pa.array([["a", "b"], [], ["c"]]),
    }
)


def values(example):
    features = tf.train.Example.FromString(example).features.feature
    return {
        name: (feature.WhichOneof("kind"), list(getattr(feature, feature.WhichOneof("kind")).value)) for name, feature in features.items()
    }


def test_text_is_utf_8_numbers_are_float32_whole_numbers_int64_and_lists_are_whole():
    first = values(next(iter(encode(BATCH))))
    assert first == {
        "文": ("bytes_list", ["東京".encode()]),
        "file": ("bytes_list", [b"\xff\x00"]),
        "number": ("float_list", [float(np.float32(0.1))]),
        "half": ("float_list", [1.5]),
        "seconds": ("int64_list", [1_700_000_000]),
        "words": ("bytes_list", [b"a", b"b"]),
    }


def test_a_missing_value_is_no_value_and_an_empty_one_is_one():
    spec = {"文": tf.io.VarLenFeature(tf.string), "file": tf.io.VarLenFeature(tf.string), "seconds": tf.io.VarLenFeature(tf.int64)}
    parsed = tf.io.parse_example(list(encode(BATCH)), spec)
    assert {name: parsed[name].indices.numpy()[:, 0].tolist() for name in spec} == {"文": [0, 2], "file": [0, 1], "seconds": [0, 1]}


def test_equal_rows_are_equal_bytes_wherever_they_stand():
    rows = list(encode(BATCH))
    assert list(encode(BATCH.slice(1))) == rows[1:]
    assert list(encode(BATCH.take(pa.array([2, 0])))) == [rows[2], rows[0]]
    assert len(rows) == 3


def test_no_rows_are_no_examples():
    assert list(encode(BATCH.slice(0, 0))) == []
