"""Spans and versions: which files a pattern means, what is read of them, and what is said where one is not there."""

import datetime
import gzip
import json
from pathlib import Path

import pydantic
import pytest
import tensorflow as tf
from tfx.types import standard_artifacts

from components.example_gen import executor, raw_files, spans, split
from components.example_gen.columns import Columns
from components.example_gen.config import DataConfig, SplitsConfig
from trainer.errors import ConfigError, DataError

COLUMNS = Columns(kept={"size": "float", "species": "string"}, label="species")


@pytest.fixture
def place(tmp_path):
    """place(*names): files of these names, and the folder."""

    def make(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    return make


def resolved(folder, pattern, *wanted):
    return [(span.number, span.version, span.path.removeprefix(f"{folder}/")) for span in spans.resolve(f"{folder}/{pattern}", *wanted)]


def test_the_newest_span_is_that_of_the_greatest_number_and_not_of_the_last_name(place):
    assert resolved(place("day-9/a.csv", "day-10/a.csv", "day-x/a.csv"), "day-{SPAN}/*.csv") == [(10, None, "day-10/*.csv")]


def test_a_window_is_the_spans_up_to_the_one_that_is_named_the_oldest_first(place):
    folder = place(*(f"day-{number:02d}.csv.gz" for number in range(1, 12)))
    assert resolved(folder, "day-{SPAN}.csv.gz", 10, 3) == [(n, None, f"day-{n:02d}.csv.gz") for n in (8, 9, 10)]
    assert resolved(folder, "day-{SPAN:2}.csv.gz", "newest", 1) == [(11, None, "day-11.csv.gz")]
    with pytest.raises(ConfigError, match="that match"):
        resolved(folder, "day-{SPAN:3}.csv.gz")


def test_of_each_span_the_newest_version_is_read(place):
    folder = place("day-1/v2/a.csv", "day-1/v10/a.csv", "day-2/v1/a.csv", "day-3/v7/other.txt")
    assert resolved(folder, "day-{SPAN}/v{VERSION}/*.csv", "newest", 2) == [(1, 10, "day-1/v10/*.csv"), (2, 1, "day-2/v1/*.csv")]


def test_dates_are_days_since_1970_and_what_is_no_date_is_no_span(place):
    folder = place("2024-02-28/a.csv", "2024-02-29/a.csv", "2024-13-01/a.csv", "2024-02-30/a.csv")
    number = (datetime.date(2024, 2, 29) - datetime.date(1970, 1, 1)).days
    pattern = "{YYYY}-{MM}-{DD}"
    assert resolved(folder, pattern) == resolved(folder, pattern, datetime.date(2024, 2, 29)) == [(number, None, "2024-02-29")]
    assert [path for *_, path in resolved(folder, pattern, number, 2)] == ["2024-02-28", "2024-02-29"]
    with pytest.raises(ConfigError, match=r"the span 2024-02-27 in .* Received: 2024-02-28, 2024-02-29\.$"):
        resolved(folder, pattern, datetime.date(2024, 2, 27))


def test_wildcards_may_stand_beside_a_placeholder_and_brackets_may_be_meant(place):
    folder = place("a/day-1-of-x.csv", "b/day-2-of-y.csv", "c/night-3.csv")
    assert resolved(folder, "[ab]/day-{SPAN}-*.csv") == [(2, None, "[ab]/day-2-*.csv")]


@pytest.mark.parametrize(
    ("names", "pattern", "wanted", "message"),
    [
        (
            ["tag-1.csv", "tag-2.csv"],
            "day-{SPAN}.csv",
            (),
            r"match '.*day-{SPAN}\.csv', digits .* Received: '.*' with tag-1\.csv, tag-2\.csv\.$",
        ),
        ([], "day-{SPAN}.csv", (), r"Received: '.*' with nothing in it\.$"),
        ([], "none/day-{SPAN}.csv", (), r"Received: no folder '.*/none'\.$"),
        (["day-1", "day-3"], "day-{SPAN}", (2,), r"^Expected the span 2 in '.*' \(`data\.span`\)\. Received: 1, 3\.$"),
        (
            ["day-1", "day-3"],
            "day-{SPAN}",
            ("newest", 3),
            r"^Expected every span from 1 to 3 .*`data\.window`\)\. Received: 1, 3, without 2\.$",
        ),
        (["day-1"], "day-{SPAN}", (datetime.date(2024, 1, 1),), r"^data\.span: Expected a number with {SPAN} .* Received: 2024-01-01\.$"),
        (["day-1", "day-01"], "day-{SPAN}", (), r"^Expected one place for the span 1\. Received: '.*day-01' and '.*day-1'\. Remove"),
        (["d1/v2", "d1/v02"], "d{SPAN}/v{VERSION}", (), r"^Expected one place for the span 1 in version 2\. Received"),
    ],
)
def test_what_is_not_there_is_named_beside_what_is(place, names, pattern, wanted, message):
    folder = place(*names)
    with pytest.raises(ConfigError, match=message) as refused:
        resolved(folder, pattern, *wanted)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("numbers", "version", "which"),
    [([2], 3, "the span 2 (version 3)"), ([2, 3], None, "the spans 2, 3"), (range(1, 30), None, "the spans 1 to 29")],
)
def test_the_spans_that_were_read_are_told_in_one_short_line(numbers, version, which):
    read = [spans.Span(number, version, "") for number in numbers]
    assert spans.note(read, "day-{SPAN}") == f"Read {which} of 'day-{{SPAN}}'."


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"path": "/d/{SPAN}/{SPAN}.csv"}, r"data\.path: Expected either {SPAN} or {YYYY}, {MM} and {DD}, each once"),
        ({"path": "/d/{SPAN}-{YYYY}{MM}{DD}.csv"}, "each once"),
        ({"path": "/d/{YYYY}{MM}.csv"}, "each once"),
        ({"path": "/d/v{VERSION}.csv"}, "each once"),
        ({"path": "/d/day-{span}.csv"}, "in capital letters"),
        ({"path": "/d/**/day-{SPAN}.csv"}, r"no \*\* before"),
        ({"path": "/d/day.csv", "span": 3}, r"data\.span: Expected `data\.path` with {SPAN} or a date\. Received: '/d/day\.csv'\."),
        ({"path": "/d/day.csv", "window": 3}, r"data\.window: Expected `data\.path` with {SPAN}"),
        ({"path": "/d/{SPAN}.csv", "span": "newst"}, r"Expected a number, a date .* Received: 'newst'\. Did you mean 'newest'\?"),
        ({"path": "/d/{SPAN}.csv", "span": -1}, r"Received: -1\."),
        ({"path": "/d/{SPAN}.csv", "span": True}, r"Received: True\."),
    ],
)
def test_a_pattern_or_a_setting_that_means_nothing_is_refused_before_anything_is_read(settings, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        DataConfig(format="csv", **settings)


def test_settings_cross_a_components_boundary_whatever_they_are():
    for span in ("newest", 3, datetime.date(2024, 2, 29)):
        config = DataConfig(format="csv", path="/d/{YYYY}{MM}{DD}.csv", span=span, window=2)
        assert DataConfig.from_json(config.to_json()) == config


@pytest.fixture
def days(tmp_path):
    """days(number, species): the gzipped table of one span, 40 rows of one species."""

    def write(number, species, version=1):
        folder = tmp_path / "raw" / f"day-{number}" / f"v{version}"
        folder.mkdir(parents=True)
        with gzip.open(folder / "rows.csv.gz", "wt") as file:
            file.write("size,species\n" + "".join(f"{row}.{number}{version},{species}\n" for row in range(40)))
        return str(tmp_path / "raw" / "day-{SPAN}" / "v{VERSION}" / "*.csv.gz")

    return write


@pytest.fixture
def ingest(beam_context, tmp_path):
    """ingest(path, fingerprint, **settings): the Examples artifact."""

    def run(path, fingerprint=None, **settings):
        data = DataConfig(**{"format": "csv", "path": path, "splits": SplitsConfig(train=1, eval=1, test=1), **settings})
        artifact = standard_artifacts.Examples()
        artifact.uri = str(tmp_path / "examples")
        properties = {"data": data.to_json(), "columns": COLUMNS.to_json(), "fingerprint": fingerprint or raw_files.fingerprint(data)}
        executor.Executor(beam_context(tmp_path)).Do({}, {"examples": [artifact]}, properties)
        return artifact

    return run


def species(artifact):
    files = [str(path) for name in split.SPLITS for path in Path(artifact.uri, f"Split-{name}").iterdir()]
    rows = [tf.train.Example.FromString(record.numpy()).features.feature for record in tf.data.TFRecordDataset(files, "GZIP")]
    counts = {}
    for row in rows:
        name = row["species"].bytes_list.value[0].decode()
        counts[name] = counts.get(name, 0) + 1
    return counts


def test_the_newest_span_alone_is_read_and_named_as_tfx_names_it(days, ingest):
    days(1, "cat")
    days(2, "dog")
    artifact = ingest(days(2, "newt", version=3))
    assert species(artifact) == {"newt": 40}
    assert [artifact.get_int_custom_property(name) for name in ("span", "version")] == [2, 3]
    assert json.loads(artifact.get_string_custom_property("spans")) == [{"span": 2, "version": 3}]
    assert "Read the span 2 (version 3) of '" in json.loads(artifact.get_string_custom_property("notes"))[0]


def test_a_window_of_spans_is_read_together(days, ingest):
    for number, name in enumerate(("cat", "dog", "newt", "owl")):
        path = days(number, name)
    artifact = ingest(path, span=2, window=2)
    assert species(artifact) == {"dog": 40, "newt": 40}
    assert json.loads(artifact.get_string_custom_property("spans")) == [{"span": 1, "version": 1}, {"span": 2, "version": 1}]
    assert artifact.get_int_custom_property("span") == 2


def test_a_new_span_is_other_data_where_the_newest_is_meant_and_the_same_where_a_number_is(days):
    path = days(1, "cat")
    newest, first = DataConfig(format="csv", path=path), DataConfig(format="csv", path=path, span=1)
    before = raw_files.fingerprint(newest), raw_files.fingerprint(first)
    days(2, "dog")
    assert raw_files.fingerprint(newest) != before[0]
    assert raw_files.fingerprint(first) == before[1]
    days(1, "cow", version=2)
    assert raw_files.fingerprint(first) != before[1]


def test_a_span_with_the_very_content_of_the_last_one_is_another_all_the_same(place):
    config = DataConfig(format="csv", path=f"{place('day-1.csv')}/day-{{SPAN}}.csv")
    before = raw_files.fingerprint(config)
    place("day-2.csv")
    assert raw_files.fingerprint(config) != before


def test_a_span_that_comes_between_the_fingerprint_and_the_reading_is_refused(days, ingest):
    path = days(1, "cat")
    fingerprint = raw_files.fingerprint(DataConfig(format="csv", path=path))
    days(2, "dog")
    with pytest.raises(DataError, match="which has changed since"):
        ingest(path, fingerprint)


def test_a_row_that_is_left_out_is_named_with_its_span(days, ingest, tmp_path):
    days(1, "cat")
    path = days(2, "dog")
    with gzip.open(tmp_path / "raw" / "day-2" / "v1" / "rows.csv.gz", "at") as file:
        file.write("1,2,3\n")
    notes = json.loads(ingest(path, window=2, max_unreadable=0.1).get_string_custom_property("notes"))
    assert "line 42 of rows.csv.gz of span 2: 3 fields instead of 2" in notes[1]


def test_spans_of_picture_folders_and_of_files_by_split_are_read_too(tmp_path, images, write_idx, labels, ingest):
    for number in (1, 2):
        write_idx(tmp_path / f"idx-{number}", images(30, seed=number), labels(30))
        for name in split.SPLITS:
            (tmp_path / f"set-{number}").mkdir(exist_ok=True)
            (tmp_path / f"set-{number}" / f"{name}.csv").write_text("size,species\n" + f"{number},{name}\n" * 2)
    assert len(raw_files.files(DataConfig(format="idx", path=f"{tmp_path}/idx-{{SPAN}}/", window=2))) == 4
    files = SplitsConfig(files={name: f"{name}.csv" for name in split.SPLITS})
    assert species(ingest(f"{tmp_path}/set-{{SPAN}}", splits=files, window=2)) == {"train": 4, "eval": 4, "test": 4}
