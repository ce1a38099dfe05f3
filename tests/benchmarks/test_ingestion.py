"""Ingestion by itself, whose memory is measured, is that of the local run: a config's table becomes the three splits."""

import os

import pytest
import tensorflow as tf

from benchmarks import ingestion, memory


@pytest.mark.slow
def test_the_rows_of_a_config_are_divided_into_the_splits(tmp_path):
    ingestion.run(memory.config_for(tmp_path, 300, dict(os.environ)), tmp_path / "out")
    files = (tmp_path / "out" / "examples").glob("Split-*/*")
    assert sum(1 for _ in tf.data.TFRecordDataset([str(path) for path in files], "GZIP")) == 300
