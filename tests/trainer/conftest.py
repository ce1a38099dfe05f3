"""Scikit-learn's digits through the real TensorFlow Transform, once a session: the artifacts that TFX would hand to the trainer."""

import itertools
import pathlib
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from sklearn.datasets import load_digits
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.components.trainer.fn_args_utils import FnArgs

from tests.problems import of_pictures
from tests.trainer import transform_run
from trainer import fit
from trainer.config import TrainerConfig
from trainer.export.rows import RAW_FILES
from trainer.features import Features, names
from trainer.features.image import ImageFeature
from trainer.problem import Problem
from trainer.run import run

# `mirrored` is tried on two logical CPUs, which must be there before TensorFlow first looks at its devices.
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)

ROWS = {"train": slice(0, 299), "eval": slice(299, 400)}  # odd, so that two replicas share a batch unevenly
_SCHEMA = text_format.Parse(
    "".join(
        f'feature {{ name: "{name}" type: {kind} presence {{ min_fraction: 1 min_count: 1 }} shape {{ dim {{ size: 1 }} }} }}'
        for name, kind in ((names.IMAGE, "BYTES"), (names.IMAGE_FORMAT, "BYTES"), (names.IMAGE_LABEL, "INT"))
    ),
    schema_pb2.Schema(),
)


class Artifacts(NamedTuple):
    """A split data set before and after Transform."""

    images: np.ndarray  # uint8 (rows, 8, 8, channels)
    labels: np.ndarray  # int64 (rows,)
    raw: list[bytes]  # serialized tf.Examples, rows
    pngs: list[bytes]
    graph_path: str
    features: Features
    problem: Problem

    def custom_config(self):
        return {"features": self.features.to_json(), "problem": self.problem.to_json()}

    def files(self, split):
        return [f"{self.graph_path}/examples/Split-{split}/*"]

    def raw_files(self):
        """What `custom_config` gets where the exported model is to be compared with the trained one."""
        return {RAW_FILES: {split: f"{self.graph_path}/raw-{split}.gz" for split in ROWS}}

    def fn_args(self, folder, **trainer):
        return FnArgs(
            train_files=self.files("train"),
            eval_files=self.files("eval"),
            transform_graph_path=self.graph_path,
            serving_model_dir=str(folder / "serving_model"),
            model_run_dir=str(folder / "model_run"),
            custom_config={"trainer": TrainerConfig(**trainer).to_json(), "problem": self.problem.to_json()},
            base_model=self.teacher() if TrainerConfig(**trainer).step.HAS_TEACHER else None,
        )

    def teacher(self):
        """The folder of a perceptron that was trained on these rows and exported."""
        folder = pathlib.Path(self.graph_path, "teacher")
        if not folder.exists():
            run(self.fn_args(folder, model="mlp", epochs=3, batch_size=32, learning_rate=0.004, strategy="one_device"), fit.train)
        return str(folder / "serving_model")


def to_example(png, label):
    feature = {
        names.IMAGE: tf.train.Feature(bytes_list=tf.train.BytesList(value=[png])),
        names.IMAGE_FORMAT: tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"png"])),
        names.IMAGE_LABEL: tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def run_transform(folder: pathlib.Path, images, labels, image) -> Artifacts:
    """The pictures and their labels through Transform."""
    pngs = [tf.io.encode_png(image).numpy() for image in images]
    raw = [to_example(png, int(label)) for png, label in zip(pngs, labels, strict=True)]
    artifacts = Artifacts(images, labels, raw, pngs, str(folder), Features(by_name={names.IMAGE: image}), of_pictures())
    transform_run.run(folder, {split: raw[rows] for split, rows in ROWS.items()}, _SCHEMA, artifacts.features, artifacts.problem)
    return artifacts


_COLLECTIVE_KEYS = itertools.count(1000, 1000)


@pytest.fixture(autouse=True)
def _own_collective_keys(monkeypatch):
    """TensorFlow remembers, by numbers that start anew in each strategy, the shapes that the replicas of a process have exchanged.

    A model of other shapes in the same process needs other numbers, or every later exchange fails.
    """
    monkeypatch.setattr(tf.distribute.MirroredStrategy, "_collective_key_base", next(_COLLECTIVE_KEYS))


@pytest.fixture(scope="session")
def digits():
    """(uint8 (400, 8, 8, 1), int64 (400,)) of the bundled digits."""
    data = load_digits()
    return np.round(data.images[:400, ..., np.newaxis] * (255 / 16)).astype(np.uint8), data.target[:400].astype(np.int64)


@pytest.fixture(scope="session")
def scaled(digits, tmp_path_factory) -> Artifacts:
    """Grey digits, `normalize: scale`."""
    return run_transform(tmp_path_factory.mktemp("scaled"), *digits, ImageFeature(size=(8, 8)))


@pytest.fixture(scope="session")
def standardized(digits, tmp_path_factory) -> Artifacts:
    """Coloured digits, each channel with a mean and a variance of its own, `normalize: standardize`."""
    grey, labels = digits
    images = np.concatenate([grey, 255 - grey // 2, grey // 4], axis=-1)
    config = ImageFeature(size=(8, 8), channels=3, normalize="standardize")
    return run_transform(tmp_path_factory.mktemp("standardized"), images, labels, config)
