"""IDX files as small as can be, and what TFX hands to an executor."""

import gzip
import struct

import numpy as np
import pytest


def _images(rows, seed=0, size=(4, 3)):
    return np.random.default_rng(seed).integers(0, 256, (rows, *size), np.uint8)


def _labels(rows, classes=10):
    return (np.arange(rows) % classes).astype(np.uint8)


def _idx(array):
    return struct.pack(f">I{array.ndim}I", 0x0800 | array.ndim, *array.shape) + array.tobytes()


@pytest.fixture(scope="session")
def images():
    """images(rows, seed): uint8 (rows, 4, 3), all different."""
    return _images


@pytest.fixture(scope="session")
def labels():
    """labels(rows): uint8 (rows,), 0 to 9 over and over."""
    return _labels


@pytest.fixture(scope="session")
def idx():
    """idx(array): the IDX file of a uint8 array."""
    return _idx


@pytest.fixture(scope="session")
def write_idx():
    """write_idx(folder, images, labels, prefix, separator, zipped): a pair of IDX files, named as the published ones are."""

    def write(folder, images, labels, prefix="train", separator="-", zipped=False):
        folder.mkdir(parents=True, exist_ok=True)
        for kind, array in (("images", images), ("labels", labels)):
            name = f"{prefix}-{kind}{separator}idx{array.ndim}-ubyte" + (".gz" if zipped else "")
            (folder / name).write_bytes(gzip.compress(_idx(array)) if zipped else _idx(array))
        return folder

    return write


@pytest.fixture(scope="session")
def beam_context():
    """beam_context(folder): the context of an executor that runs Beam as the local runner does."""
    from tfx.dsl.components.base import base_beam_executor

    from pipeline.runs.pipeline_run import BEAM_ARGS

    def make(folder):
        return base_beam_executor.BaseBeamExecutor.Context(beam_pipeline_args=BEAM_ARGS, tmp_dir=str(folder), unique_id="1")

    return make
