"""A root in which the bundled digits have been transformed, as a run leaves it."""

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from sklearn.datasets import load_digits
from tensorflow_metadata.proto.v0 import schema_pb2

from pipeline import config, steps
from tests.trainer import transform_run
from trainer.features import names

CONFIG = """
name: digits
data: {format: digits}
preprocessing: {image_size: [8, 8]}
trainer: {batch_size: 32, epochs: 3, strategy: one_device}
"""


def _example(picture, label):
    features = {
        names.IMAGE: tf.train.Feature(bytes_list=tf.train.BytesList(value=[tf.io.encode_png(picture).numpy()])),
        names.IMAGE_FORMAT: tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"png"])),
        names.IMAGE_LABEL: tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


@pytest.fixture(scope="session")
def transformed(tmp_path_factory):
    """(root, config file) of a run whose record names what its Transform has written."""
    root = pathlib.Path(tmp_path_factory.mktemp("root"))
    file = root / "digits.yaml"
    file.write_text(CONFIG)
    settings = config.load(file)
    data = load_digits()
    pictures = np.round(data.images[:400, ..., np.newaxis] * (255 / 16)).astype(np.uint8)
    rows = [_example(picture, int(label)) for picture, label in zip(pictures, data.target, strict=False)]
    schema = text_format.Parse(
        "".join(
            f'feature {{ name: "{name}" type: {kind} presence {{ min_fraction: 1 min_count: 1 }} shape {{ dim {{ size: 1 }} }} }}'
            for name, kind in ((names.IMAGE, "BYTES"), (names.IMAGE_FORMAT, "BYTES"), (names.IMAGE_LABEL, "INT"))
        ),
        schema_pb2.Schema(),
    )
    (root / "transform").mkdir()
    transform_run.run(root / "transform", {"train": rows[:300], "eval": rows[300:]}, schema, settings.inputs, settings.problem)
    outputs = {"transformed_examples": "transform/examples", "transform_graph": "transform"}
    record = {"config": settings.model_dump(mode="json", by_alias=True), "artifacts": {steps.TRANSFORM.id: outputs}}
    (root / "records").mkdir()
    (root / "records" / "first.json").write_text(json.dumps(record))
    return root, file
