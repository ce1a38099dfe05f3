"""Series in a config: what makes their lists, and what does not fit is one line before the run."""

import pytest
import yaml

from pipeline import config
from trainer.errors import ConfigError

TEXT = """
name: load
data: {format: csv, path: t.csv, series: {key: station, time: hour}, splits: {time: hour}}
task: regression
label: load
features:
  past: {kind: series, of: load, length: 48}
  heat: {kind: series, length: 48}
  station: category
"""


def loaded(tmp_path, **changes):
    values = yaml.safe_load(TEXT)
    for key, value in changes.items():
        section, _, name = key.partition("__")
        table = values[section] if name else values
        table[name or section] = value
        if value is None:
            del table[name or section]
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return config.load(tmp_path / "c.yaml")


def test_a_list_ends_with_its_row_and_the_labels_own_past_before_it(tmp_path):
    found = loaded(tmp_path)
    joined = found.columns.joined
    assert joined == found.problem.joined
    assert (joined.key, joined.time, joined.length) == (("station",), "hour", 48)
    assert joined.of == {"past": "load", "heat": "heat"}
    assert joined.before == {"past": 1, "heat": 0}


@pytest.mark.parametrize(("key", "keys"), [(["a", "b"], ("a", "b")), (None, ())])
def test_a_key_may_be_several_columns_or_none_and_a_forecast_ends_every_list_earlier(tmp_path, key, keys):
    found = loaded(tmp_path, data__series={"key": key, "time": "hour", "ahead": 24}).columns.joined
    assert found.key == keys
    assert found.before == {"past": 24, "heat": 24}


def test_what_is_read_of_the_table_are_its_columns_and_not_the_lists(tmp_path):
    types = {name: str(kind) for name, kind in loaded(tmp_path).columns.arrow_types(time="hour").items()}
    assert types == {"load": "double", "heat": "double", "hour": "string", "station": "string"}


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_lists_of_the_data_itself_need_no_other_rows(tmp_path, kind):
    features = {"heat": {"kind": "series"}}
    found = loaded(tmp_path, data={"format": kind, "path": f"t.{kind}"}, features=features).columns
    assert found.joined is None
    assert {name: str(each) for name, each in found.arrow_types().items()} == {"heat": "list<item: double>", "load": "double"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"data__series": None, "features": {"heat": "series"}},
            "features.heat: Expected `data.series` with the kind `series` and `data.format: csv`, which holds no lists. Received: none. "
            "Set `data.series: {key: COLUMN, time: COLUMN}`.",
        ),
        ({"data__series": None}, "features.past.of: Expected `data.series` with it, which makes lists of a column. Received: none. "),
        ({"features": {"station": "category"}}, "data.series: Expected a feature of the kind `series` with it. Received: none. "),
        (
            {"features__heat": "series"},
            "features: Expected one `length` of all series, which the model reads side by side. Received: 24 of 'heat', 48 of 'past'.",
        ),
        (
            {"features__load": {"kind": "series", "length": 48}},
            "features: Expected columns other than the label. Received: 'load'. Its past is `past_load: {kind: series, of: load}`, with ",
        ),
        ({"data__series": {"time": "load"}}, "data.series: Expected columns other than the label as `key` and `time`. Received: 'load'."),
        (
            {"data__series": {"time": "heat"}},
            "features.heat: Expected another name than that of a column of `data.series`. Rename it, and set `of: heat`.",
        ),
        ({"data__format": "tfrecord"}, "data.series: Expected `data.format` csv, parquet or jsonl with it. Received: tfrecord. Remove it."),
        ({"data__series": {"key": 3, "time": "t"}}, "data.series.key: Expected the name of a column, or a list of several. Received: 3."),
        ({"trainer": {"model": "tabular"}}, "trainer.model: Expected no series as features for `trainer.model: tabular`. Received: "),
        (
            {"crosses": [["station", "heat"]]},
            "crosses: Expected categories, or numbers with `buckets`. Received: 'heat', of the kind `series`.",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(tmp_path, changes, message):
    with pytest.raises(ConfigError) as refusal:
        loaded(tmp_path, **changes)
    [line] = str(refusal.value).splitlines()
    assert line.partition(": ")[2].startswith(message)
