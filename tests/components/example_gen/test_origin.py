"""A row's way back: from a tf.Example to the file and line of the raw data in which it stands."""

from pathlib import Path

import pytest
import tensorflow as tf
from PIL import Image
from tfx.types import standard_artifacts

from components.example_gen import executor, origin, raw_files
from components.example_gen.columns import Columns
from components.example_gen.config import DataConfig, SplitsConfig

COLUMNS = Columns(kept={"length": "float", "species": "string"}, label="species")
THIRDS = SplitsConfig(train=1, eval=1, test=1)


@pytest.fixture
def ingested(beam_context, tmp_path):
    """ingested(data, columns): the folder of the splits."""

    def run(data, columns=COLUMNS):
        artifact = standard_artifacts.Examples()
        artifact.uri = str(tmp_path / "examples")
        executor.Executor(beam_context(tmp_path)).Do(
            {},
            {"examples": [artifact]},
            {"data": data.to_json(), "columns": columns.to_json(), "fingerprint": raw_files.fingerprint(data)},
        )
        return artifact.uri

    return run


def examples(folder):
    """The serialized rows by split."""
    found = {}
    for split in ("train", "eval", "test"):
        files = sorted(str(path) for path in Path(folder, f"Split-{split}").iterdir())
        found[split] = [record.numpy() for record in tf.data.TFRecordDataset(files, "GZIP")]
    return found


def value(example, name):
    feature = tf.train.Example.FromString(example).features.feature[name]
    return getattr(feature, feature.WhichOneof("kind")).value[0]


def write(path, first, rows=60):
    """A table whose length is the line's number; every third line is blank, every tenth row has no label."""
    lines, blank = ["species,length"], iter(range(rows))
    for row in range(first, first + rows):
        lines.append(f"{'' if row % 10 == 0 else 'setosa'},{row}.1")
        lines += [""] if next(blank) % 3 == 0 else []
    path.write_text("\n".join(lines) + "\n")
    return {f"{row}.1": 1 + lines.index(line) for row in range(first, first + rows) for line in lines if line.endswith(f",{row}.1")}


def test_every_row_of_every_split_is_found_in_its_file_and_line(ingested, tmp_path):
    lines = {"a.csv": write(tmp_path / "a.csv", 0), "b.csv": write(tmp_path / "b.csv", 100)}
    folder = ingested(DataConfig(format="csv", path=str(tmp_path / "*.csv"), splits=THIRDS))
    rows = examples(folder)
    assert origin.places(folder, rows) == {
        (split, example): f"line {lines[file][text]} of {file}"
        for split, of_split in rows.items()
        for example in of_split
        for text in [f"{value(example, 'length'):.1f}"]
        for file in ["a.csv" if text in lines["a.csv"] else "b.csv"]
    }
    assert sum(map(len, rows.values())) == 108


def test_a_row_that_is_in_two_splits_is_found_in_each_by_its_own_line(ingested, tmp_path):
    (tmp_path / "x.csv").write_text("species,length,part\na,1,train\nb,2,val\na,1,test\na,1,test\n")
    folder = ingested(DataConfig(format="csv", path=str(tmp_path / "x.csv"), splits=SplitsConfig(column="part")))
    rows = examples(folder)
    found = origin.places(folder, rows)
    assert [found["train", rows["train"][0]], found["test", rows["test"][0]]] == ["line 2 of x.csv", "line 4 of x.csv"]


def test_rows_of_spans_are_told_by_their_span(ingested, tmp_path):
    for span in (1, 2):
        write(tmp_path / f"{span}.csv", 100 * span, 30)
    folder = ingested(DataConfig(format="csv", path=str(tmp_path / "{SPAN}.csv"), window=2, splits=THIRDS))
    rows = examples(folder)
    places = origin.places(folder, rows)
    assert {place.partition(" of ")[2] for (_, example), place in places.items() if value(example, "length") < 200} == {"1.csv of span 1"}
    assert {place.partition(" of ")[2] for (_, example), place in places.items() if value(example, "length") > 200} == {"2.csv of span 2"}


def test_a_picture_is_told_by_its_path(ingested, tmp_path):
    for number in range(12):
        file = tmp_path / "photos" / ("cat", "dog")[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), number).save(file)
    data = DataConfig(format="images", path=str(tmp_path / "photos"), splits=THIRDS)
    folder = ingested(data, Columns(kept={"image": "bytes", "label": "string"}, label="label"))
    rows = examples(folder)
    assert set(origin.places(folder, rows).values()) == {f"photos/{('cat', 'dog')[number % 2]}/{number}.png" for number in range(12)}


def test_of_data_that_has_changed_or_is_gone_and_of_rows_that_were_never_noted_nothing_is_said(ingested, tmp_path):
    file = tmp_path / "a.csv"
    write(file, 0)
    folder = ingested(DataConfig(format="csv", path=str(file), splits=THIRDS))
    rows = examples(folder)
    file.write_text(file.read_text() + "setosa,9.9\n")
    assert origin.places(folder, rows) == {}
    file.unlink()
    assert origin.places(folder, rows) == {}
    Path(folder, "origin.json").unlink()
    assert origin.places(folder, rows) == {}
