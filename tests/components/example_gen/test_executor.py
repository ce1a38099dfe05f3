"""The ingestion component, through Beam for real: TFRecords of tf.Examples in three splits."""

import gzip
import hashlib
import struct
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tfx.orchestration import metadata
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.types import artifact_utils, standard_artifacts

from components.example_gen import executor, raw_files, split
from components.example_gen.assignment import Assignment
from components.example_gen.columns import Columns
from components.example_gen.component import ImageExampleGen
from components.example_gen.config import DataConfig, SplitsConfig
from components.example_gen.readers import idx, labelled_images
from components.example_gen.readers.labelled_images import Chunk, LabelledImages
from pipeline.runs.observed_dag_runner import ObservedDagRunner
from pipeline.runs.pipeline_run import BEAM_ARGS
from trainer.errors import DataError
from trainer.features import names

ROWS, TEST_ROWS = 60, 7


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_idx, images, labels):
    """60 training rows, 7 official test rows."""
    folder = write_idx(tmp_path_factory.mktemp("raw"), images(ROWS), labels(ROWS))
    return write_idx(folder, images(TEST_ROWS, seed=1), labels(TEST_ROWS), "t10k")


@pytest.fixture(scope="module")
def ingest(beam_context):
    """ingest(data, folder, fingerprint): runs the executor, and returns its Examples artifact."""

    def run(data, folder, fingerprint=""):
        artifact = standard_artifacts.Examples()
        artifact.uri = str(folder / "examples")
        executor.Executor(beam_context(folder)).Do({}, {"examples": [artifact]}, {"data": data.to_json(), "fingerprint": fingerprint})
        return artifact

    return run


@pytest.fixture(scope="module")
def ingested(ingest, folder, tmp_path_factory):
    return ingest(DataConfig(format="idx", path=str(folder), splits=SplitsConfig(train=2, eval=1)), tmp_path_factory.mktemp("ingested"))


def rows_of(artifact, name):
    files = sorted(str(path) for path in Path(artifact.uri, f"Split-{name}").iterdir())
    return [tf.train.Example.FromString(record.numpy()) for record in tf.data.TFRecordDataset(files, "GZIP")]


def values(row):
    return {name: list(getattr(feature, feature.WhichOneof("kind")).value) for name, feature in row.features.feature.items()}


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in Path(folder).rglob("*") if path.is_file()
    }


def test_a_row_has_the_fields_usual_features_and_its_png_decodes_to_the_very_pixels(ingested, images, labels):
    rows = [values(row) for row in rows_of(ingested, "test")]
    assert len(rows) == TEST_ROWS
    for row, image, label in zip(rows, images(TEST_ROWS, seed=1), labels(TEST_ROWS), strict=True):
        png = row.pop("image/encoded")[0]
        np.testing.assert_array_equal(tf.io.decode_png(png).numpy()[..., 0], image)
        assert row == {"image/format": [b"png"], "image/height": [4], "image/width": [3], "image/class/label": [label]}


def test_every_row_is_in_the_split_that_its_hash_says_in_the_original_order(ingested, images):
    splits = split.assign(split.hashes_of_images(images(ROWS)), SplitsConfig(train=2, eval=1), ("train", "eval"))
    for name in ("train", "eval"):
        received = [tf.io.decode_png(values(row)[names.IMAGE][0]).numpy()[..., 0] for row in rows_of(ingested, name)]
        np.testing.assert_array_equal(received, images(ROWS)[splits == name])


def test_the_artifact_names_its_splits_and_counts_their_rows(ingested):
    counts = {name: ingested.get_int_custom_property(f"rows_{name}") for name in split.SPLITS}
    assert counts == {name: len(rows_of(ingested, name)) for name in split.SPLITS}
    assert counts["train"] + counts["eval"] == ROWS
    assert artifact_utils.decode_split_names(ingested.split_names) == ["train", "eval", "test"]


def test_without_official_test_files_the_test_split_is_a_share_of_the_rows(ingest, tmp_path, write_idx, images, labels):
    write_idx(tmp_path / "raw", images(ROWS), labels(ROWS))
    artifact = ingest(DataConfig(format="idx", path=str(tmp_path / "raw"), splits=SplitsConfig(train=1, eval=1, test=1)), tmp_path)
    counts = [artifact.get_int_custom_property(f"rows_{name}") for name in split.SPLITS]
    assert sum(counts) == ROWS
    assert min(counts) > 10


@pytest.mark.parametrize(("limit", "value"), [("MOST_ROWS", 25), ("MOST_BYTES", 25 * 12 + 11)])
def test_equal_data_gives_equal_bytes_in_several_shards_too(ingest, folder, tmp_path, monkeypatch, limit, value):
    monkeypatch.setattr(labelled_images, limit, value)
    data = DataConfig(format="idx", path=str(folder), splits=SplitsConfig(train=2, eval=1))
    first, second = ingest(data, tmp_path / "first"), ingest(data, tmp_path / "second")
    assert digests(first.uri) == digests(second.uri)
    assert sorted(name for name in digests(first.uri) if "train" in name) == [
        f"Split-train/data_tfrecord-00-{number:05d}.gz" for number in range(3)
    ]


@pytest.mark.parametrize(("row_bytes", "rows"), [(784, 10_000), (6_710, 10_000), (6_711, 9_999), (1 << 20, 64), (1 << 26, 1), (1 << 28, 1)])
def test_a_shard_is_bounded_by_rows_and_by_bytes_and_has_a_row(row_bytes, rows):
    assert labelled_images.rows_at_once(row_bytes) == rows


def test_a_chunk_is_given_up_before_the_next_one_is_read(tmp_path, images, labels):
    read, held = [], []

    def chunk(seed):
        held.append(sum(of_before() is not None for of_before in read))
        pixels = images(5, seed)
        read.append(weakref.ref(pixels))
        return Chunk(pixels, labels(5))

    part = labelled_images.part(LabelledImages("images", "test", 15, 12, {}, lambda _: map(chunk, range(3))))
    written = executor._WriteShards({"test": str(tmp_path)}, Assignment.of([part], SplitsConfig(), Columns())).process((0, part))
    assert [each.rows for each in written] == [5, 5, 5, 0]  # the last one tells what was left out
    assert held == [0, 0, 0]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_large_pictures(tmp_path):
    """Eight of 8,192 x 8,192, half a gigabyte, in a process of their own: all at once they took 1.5 GiB more than before."""
    with gzip.open(tmp_path / "train-images-idx3-ubyte.gz", "wb", 1) as file:
        file.write(struct.pack(">4I", 0x803, 8, 8192, 8192))
        for row in range(8):
            file.write(bytes([row]) * 64 + bytes(8192 * 8192 - 64))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, 8) + bytes(range(8)))
    run = subprocess.run([sys.executable, "-c", INGEST_AND_MEASURE, tmp_path], capture_output=True, text=True, check=True)
    assert int(run.stdout.split()[-1]) < 500 * 1024, run.stdout


INGEST_AND_MEASURE = """
import resource, sys
import numpy as np
from tfx.dsl.components.base import base_beam_executor
from tfx.types import standard_artifacts
from components.example_gen import executor
from components.example_gen.readers.labelled_images import encode_png
from components.example_gen.config import DataConfig, SplitsConfig
from pipeline.runs.pipeline_run import BEAM_ARGS

encode_png(np.zeros((1, 8, 8), np.uint8))
artifact = standard_artifacts.Examples()
artifact.uri = sys.argv[1] + "/examples"
context = base_beam_executor.BaseBeamExecutor.Context(beam_pipeline_args=BEAM_ARGS, tmp_dir=sys.argv[1], unique_id="1")
data = DataConfig(format="idx", path=sys.argv[1], splits=SplitsConfig(train=1, eval=1, test=1))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
executor.Executor(context).Do({}, {"examples": [artifact]}, {"data": data.to_json()})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_colour_images_keep_their_three_channels(images):
    colour = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), np.uint8)
    for png, image in zip(labelled_images.encode_png(colour), colour, strict=True):
        np.testing.assert_array_equal(tf.io.decode_png(png).numpy(), image)


def test_a_broken_file_is_refused_before_anything_is_written(ingest, tmp_path, write_idx, images, labels):
    write_idx(tmp_path / "raw", images(9), labels(8))
    with pytest.raises(DataError, match=r"^Expected as many labels as images\. Received: 9 images"):
        ingest(DataConfig(format="idx", path=str(tmp_path / "raw")), tmp_path)
    assert not (tmp_path / "examples").exists()


def test_data_of_another_fingerprint_than_the_caches_key_is_refused_before_anything_is_written(ingest, tmp_path, write_idx, images, labels):
    write_idx(tmp_path / "raw", images(ROWS), labels(ROWS))
    data = DataConfig(format="idx", path=str(tmp_path / "raw"))
    before = raw_files.fingerprint(data)
    write_idx(tmp_path / "raw", images(ROWS, seed=1), labels(ROWS))
    after = raw_files.fingerprint(data)
    with pytest.raises(DataError) as caught:
        ingest(data, tmp_path, before)
    assert str(caught.value) == (
        f"Expected the data whose fingerprint was taken when the run began, {before[:12]}. Received: {after[:12]} in "
        f"'{tmp_path / 'raw'}', which has changed since. Run again; submit a compiled package again."
    )
    assert not (tmp_path / "examples").exists()
    ingest(data, tmp_path, after)


def test_data_that_changes_while_it_is_read_is_refused_in_its_own_words(ingest, tmp_path, write_idx, images, labels, monkeypatch):
    """And not in Beam's, which makes a RuntimeError with a whole traceback of what a worker raises."""
    folder = write_idx(tmp_path / "raw", images(ROWS), labels(ROWS))
    data = DataConfig(format="idx", path=str(folder))
    check = idx._open_pair

    def check_then_change(*arguments):
        part = check(*arguments)
        write_idx(folder, images(ROWS, seed=1), labels(ROWS))
        return part

    monkeypatch.setattr(idx, "_open_pair", check_then_change)
    with pytest.raises(
        DataError, match=rf"^Expected '{folder}/train-images-idx3-ubyte' to stay as it is while it is read\..* Run again\.$"
    ):
        ingest(data, tmp_path, raw_files.fingerprint(data))


class _Recorder:
    def __init__(self):
        self.results = []

    def started(self, node):
        pass

    def finished(self, result):
        self.results.append(result)


def test_under_tfx_an_empty_split_fails_the_run_and_leaves_no_half_written_artifact(tmp_path, write_idx, images, labels):
    """One row cannot fill three splits: TFRecords are there when that is known, and TFX removes them."""
    write_idx(tmp_path / "raw", images(1), labels(1))
    with pytest.raises(
        DataError, match=r"^Expected rows in the split '(train|eval)'\. Received none of 1\. Give more data or other `data\.splits`\.$"
    ):
        _run(tmp_path)
    assert not list((tmp_path / "artifacts").rglob("*.gz"))


def test_under_tfx_a_second_run_takes_the_rows_from_the_cache_until_the_fingerprint_changes(tmp_path, write_idx, images, labels):
    write_idx(tmp_path / "raw", images(ROWS), labels(ROWS))
    assert [_run(tmp_path, fingerprint).cached for fingerprint in ("1", "1", "2")] == [False, True, False]


def test_files_that_lie_in_a_splits_folder_are_not_among_the_rows_that_were_counted(ingest, folder, tmp_path):
    """What a try that was killed has left would be read downstream: every shard in the folder is."""
    old = tmp_path / "examples" / "Split-test" / "data_tfrecord-09-00000.gz"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"an older try's")
    artifact = ingest(DataConfig(format="idx", path=str(folder)), tmp_path)
    assert artifact.get_int_custom_property("rows_test") == len(rows_of(artifact, "test")) == TEST_ROWS
    assert sorted(path.name for path in Path(artifact.uri).iterdir()) == ["Split-eval", "Split-test", "Split-train", "origin.json"]


def test_under_tfx_a_lost_metadata_store_brings_no_old_rows_back(tmp_path, write_idx, images, labels):
    """A new store counts executions from 1 again, so the old folder is the new execution's."""
    write_idx(tmp_path / "raw", images(ROWS), labels(ROWS))
    write_idx(tmp_path / "raw", images(TEST_ROWS, seed=1), labels(TEST_ROWS), "t10k")
    old = _run(tmp_path).outputs["examples"]
    (Path(old.uri) / "left-by-any-component").touch()
    (tmp_path / "metadata.sqlite").unlink()
    for path in (tmp_path / "raw").glob("t10k-*"):
        path.unlink()
    write_idx(tmp_path / "raw", images(ROWS, seed=2), labels(ROWS))
    new = _run(tmp_path, "2").outputs["examples"]
    assert new.uri == old.uri
    assert not (Path(new.uri) / "left-by-any-component").exists()
    counts = {name: new.custom_properties[f"rows_{name}"].int_value for name in split.SPLITS}
    assert counts == {name: len(rows_of(new, name)) for name in split.SPLITS}
    assert sum(counts.values()) == ROWS


def _run(folder, fingerprint="1"):
    data = DataConfig(format="idx", path=str(folder / "raw"), splits=SplitsConfig(train=1, eval=1, test=1))
    connection = metadata.sqlite_metadata_connection_config(str(folder / "metadata.sqlite"))
    recorder = _Recorder()
    ObservedDagRunner(recorder).run(
        tfx_pipeline.Pipeline(
            pipeline_name="ingestion",
            pipeline_root=str(folder / "artifacts"),
            components=[ImageExampleGen(data=data.to_json(), fingerprint=fingerprint, code="1")],
            enable_cache=True,
            metadata_connection_config=connection,
            beam_pipeline_args=BEAM_ARGS,
        )
    )
    return recorder.results[0]
