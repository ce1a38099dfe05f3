"""Reading TFRecords of tf.Examples: which rows are given, and where a file that is broken is so."""

import gzip
import pickle
import struct

import pyarrow as pa
import pytest
import tensorflow as tf

from components.example_gen.readers import tfrecord_file
from components.example_gen.readers.rows import Reject
from components.example_gen.readers.tfrecord_file import open_tfrecords
from trainer.errors import ConfigError, DataError

TEXT, NUMBER, WHOLE, BYTES, TEXTS = pa.string(), pa.float64(), pa.int64(), pa.binary(), pa.list_(pa.string())


def example(**features):
    """A tf.Example; of each feature a list of values of one type."""
    proto = tf.train.Example()
    for name, values in features.items():
        feature = proto.features.feature[name]
        if isinstance(values[0], float):
            feature.float_list.value.extend(values)
        elif isinstance(values[0], int):
            feature.int64_list.value.extend(values)
        else:
            feature.bytes_list.value.extend(values)
    return proto.SerializeToString()


@pytest.fixture
def write(tmp_path):
    def write(*records, name="x.tfrecord", zipped=False):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        with tf.io.TFRecordWriter(str(path), "GZIP" if zipped else None) as file:
            for record in records:
                file.write(record)
        return path

    return write


def read(place, columns):
    """(rows as tuples, (file, record) of each, rejects)."""
    rejects, rows, lines = [], [], []
    for part in pickle.loads(pickle.dumps(open_tfrecords(place, columns))):  # noqa: S301  # our own
        for given in part.read(rejects.append):
            assert given.batch.schema == pa.schema(list(columns.items()))
            rows += zip(*(column.to_pylist() for column in given.batch.columns), strict=True)
            lines += [(given.file, line) for line in given.lines.tolist()]
    return rows, lines, rejects


@pytest.mark.parametrize("zipped", [False, True])
def test_the_named_features_are_given_in_their_types_with_the_number_of_each_record(write, zipped):
    path = write(
        example(image=[b"\xff\xd8"], label=["犬".encode()], x=[1.5], n=[7], tags=[b"a", b"b"], other=[1, 2]),
        example(image=[b"\0"], tags=[b"c"]),
        example(n=[2**62]),
        zipped=zipped,
    )
    rows, lines, rejects = read(path, {"n": WHOLE, "image": BYTES, "label": TEXT, "x": NUMBER, "tags": TEXTS})
    assert rows == [(7, b"\xff\xd8", "犬", 1.5, ["a", "b"]), (None, b"\0", None, None, ["c"]), (2**62, None, None, None, None)]
    assert lines == [("x.tfrecord", 1), ("x.tfrecord", 2), ("x.tfrecord", 3)]
    assert rejects == []


def test_a_number_may_be_wanted_as_text_and_a_whole_number_as_any(write):
    assert read(write(example(n=[7])), {"n": TEXT})[0] == [("7",)]
    assert read(write(example(n=[7])), {"n": NUMBER})[0] == [(7.0,)]
    assert read(write(example(x=[7.0])), {"x": WHOLE})[0] == [(7,)]


def test_rows_that_do_not_fit_are_left_out_with_record_feature_and_reason(write):
    path = write(
        example(x=[1.0], s=[b"a"]),
        example(x=[1.0, 2.0], s=[b"b"]),
        example(x=[float("inf")], s=[b"c"]),
        example(x=[1.0], s=[b"\xff"]),
        example(x=[5], s=[b"d"]),
        b"\xff\xff\xff",
        example(x=[7.0], s=[b"e"]),
    )
    rows, lines, rejects = read(path, {"x": NUMBER, "s": TEXT})
    assert rows == [(1.0, "a"), (7.0, "e")]
    assert [line for _, line in lines] == [1, 7]
    other = "no tf.Example, or one with features of other types than the first ones have"
    assert sorted(rejects, key=lambda reject: reject.line) == [
        Reject("x.tfrecord", 2, "column 'x': 2 values instead of one"),
        Reject("x.tfrecord", 3, "column 'x': 'inf' is no finite number"),
        Reject("x.tfrecord", 4, "column 's': 'b'\\xff'' is no UTF-8 text"),
        Reject("x.tfrecord", 5, other),
        Reject("x.tfrecord", 6, other),
    ]


def test_a_feature_that_only_late_records_have_is_found(write, tmp_path):
    write(*[example(a=[1])] * 2500, example(a=[1], b=[2]), name="d/1.tfrecord")
    write(name="d/2.tfrecord")
    write(example(c=[b"x"]), name="d/3.tfrecord.gz", zipped=True)
    rows, lines, _ = read(tmp_path / "d", {"b": WHOLE, "c": TEXT})
    assert (rows[-2:], lines[-2:]) == ([(2, None), (None, "x")], [("1.tfrecord", 2501), ("3.tfrecord.gz", 1)])


def test_shards_in_a_folder_are_found_and_a_feature_without_any_value_is_missing_everywhere(write, tmp_path):
    empty = tf.train.Example()
    empty.features.feature["x"].float_list.SetInParent()
    empty.features.feature["y"].SetInParent()
    for number in range(2):
        write(empty.SerializeToString(), name=f"d/x.tfrecord-0000{number}-of-00002")
    rows, lines, _ = read(tmp_path / "d", {"x": NUMBER, "y": TEXTS})
    assert rows == [(None, None)] * 2
    assert [file for file, _ in lines] == ["x.tfrecord-00000-of-00002", "x.tfrecord-00001-of-00002"]


def test_a_feature_that_is_not_there_or_of_another_type_is_refused_by_name(write):
    path = write(example(apple=[1], image=[b"x"]))
    with pytest.raises(ConfigError, match=r"Expected the column 'aple' in .* Received: '.*', '.*'\. Did you mean 'apple'\?$"):
        open_tfrecords(path, {"aple": WHOLE})
    with pytest.raises(ConfigError, match=r"Expected the feature 'apple' of .* to be one that can become binary\. Received: int64\.$"):
        open_tfrecords(path, {"apple": BYTES})


@pytest.mark.parametrize("zipped", [False, True])
def test_a_record_that_is_truncated_or_corrupt_is_told_by_number_and_offset(tmp_path, write, zipped):
    records = [example(n=[number], s=[b"x" * 100]) for number in range(50)]
    whole = write(*records).read_bytes()
    size = len(whole) // 50
    path = tmp_path / "broken.tfrecord"

    def error_of(data):
        path.write_bytes(gzip.compress(data) if zipped else data)
        with pytest.raises(DataError) as caught:
            read(path, {"n": WHOLE})
        assert "\n" not in str(caught.value)
        return str(caught.value).removeprefix(f"Expected a sound TFRecord file. Received '{path}', whose ").split(". Copy")[0]

    for cut in (1, 4, 60, size - 5):
        assert error_of(whole[:-cut]) == f"record 50, at offset {49 * size:,}, is truncated: the file ends at offset {len(whole) - cut:,}"
    damaged = bytearray(whole)
    damaged[20 * size + 50] ^= 1
    assert error_of(bytes(damaged)) == f"record 21, at offset {20 * size:,}, is corrupt: another checksum of its bytes"
    damaged[20 * size + 7] ^= 1
    assert error_of(bytes(damaged)) == f"record 21, at offset {20 * size:,}, is corrupt: another checksum of its length"


def test_a_record_that_declares_too_many_bytes_is_not_waited_for(write):
    path = write(example(n=[1]))
    length = struct.pack("<Q", 1 << 40)
    path.write_bytes(path.read_bytes() + length + struct.pack("<I", tfrecord_file._masked(length)))
    with pytest.raises(DataError, match=r"is too large: 1,099,511,627,776 bytes, more than 268,435,456"):
        read(path, {"n": WHOLE})


def test_a_cut_gzip_file_and_what_is_no_tfrecord_file_are_told(tmp_path, write):
    path = write(*[example(n=[number]) for number in range(500)], zipped=True)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="Expected a sound gzip file"):
        read(path, {"n": WHOLE})
    path.write_bytes(b"a,b\n1,2\n3,4\n5,6\n")
    with pytest.raises(DataError, match=r"which is something else, or corrupt at its beginning\.$"):
        open_tfrecords(path, {"n": WHOLE})
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"Received: 1 TFRecord file without any\.$"):
        open_tfrecords(path, {"n": WHOLE})
    with pytest.raises(ConfigError, match=r"Received: which is not there\.$"):
        open_tfrecords(tmp_path / "gone", {"n": WHOLE})


def test_large_records_come_in_small_batches(write, monkeypatch):
    path = write(*[example(n=[number], s=[b"x" * 100]) for number in range(20)])
    monkeypatch.setattr(tfrecord_file, "MOST_BYTES", 500)
    [part] = open_tfrecords(path, {"n": WHOLE})
    assert {given.batch.num_rows for given in part.read(print)} <= {2, 3, 4}
    assert [number for given in part.read(print) for number in given.batch.column(0).to_pylist()] == list(range(20))


def test_a_file_that_changes_between_opening_and_reading_is_noticed(write):
    [part] = open_tfrecords(write(example(n=[1])), {"n": WHOLE})
    write(example(n=[2]))
    with pytest.raises(DataError, match="another content than a moment ago"):
        list(part.read(print))
