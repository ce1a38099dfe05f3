"""A table through the ingestion component: which rows come out, in which split, and what is said of the others."""

import json
from pathlib import Path

import pytest
import tensorflow as tf
from tfx.types import standard_artifacts

from components.example_gen import executor, raw_files, split
from components.example_gen.columns import Columns
from components.example_gen.config import DataConfig, SeriesConfig, SplitsConfig
from trainer.errors import DataError
from trainer.problem import Joined

ROWS, SHORT, UNLABELLED = 60, 17, 31  # how many there are; which one cannot be read, and which one has no label
COLUMNS = Columns(kept={"都市": "string", "面積": "float", "日": "int", "価格": "float"}, label="価格", orders={"日": "day_first"})
THIRDS = SplitsConfig(train=1, eval=1, test=1)


def text(rows=ROWS):
    """The table, with a city or an area missing in some rows; `部` names a split, and `店` is one of seven shops."""
    lines = ["番号,都市,面積,日,価格,部,店"]
    for row in range(rows):
        city, area = "" if row % 5 == 0 else f"市{row % 3}", "NA" if row % 7 == 0 else f"{row}.5"
        price = "" if row == UNLABELLED else f"{row * 10}"
        part = ("train", "train", "val", "test")[row % 4]
        lines.append("壊れた行" if row == SHORT else f'{row},"{city}",{area},{row % 28 + 1}/2/2024,{price},{part},{row % 7}')
    return "\n".join(lines) + "\n"


@pytest.fixture
def ingest(beam_context, tmp_path):
    """ingest(**settings): the Examples artifact of the table, with settings of DataConfig."""
    (tmp_path / "家.csv").write_text(text(), encoding="utf-8")

    def run(columns=COLUMNS, **settings):
        data = DataConfig(**{"format": "csv", "path": str(tmp_path / "家.csv"), "splits": THIRDS, **settings})
        artifact = standard_artifacts.Examples()
        artifact.uri = str(tmp_path / "examples")
        executor.Executor(beam_context(tmp_path)).Do(
            {},
            {"examples": [artifact]},
            {"data": data.to_json(), "columns": columns.to_json(), "fingerprint": raw_files.fingerprint(data)},
        )
        return artifact

    return run


def rows_of(artifact, name):
    """Each row's features by name, of a split."""
    files = sorted(str(path) for path in Path(artifact.uri, f"Split-{name}").iterdir())
    rows = [tf.train.Example.FromString(record.numpy()).features.feature for record in tf.data.TFRecordDataset(files, "GZIP")]
    return [{name: list(getattr(each, each.WhichOneof("kind")).value) for name, each in row.items()} for row in rows]


def prices(artifact):
    """The numbers of the rows of each split, by which the table's prices are."""
    return {name: {round(row["価格"][0] / 10) for row in rows_of(artifact, name)} for name in split.SPLITS}


def test_every_readable_row_with_a_label_is_in_one_split_and_the_others_are_told(ingest):
    artifact = ingest(max_unreadable=0.02)
    found = prices(artifact)
    counts = {name: artifact.get_int_custom_property(f"rows_{name}") for name in split.SPLITS}
    assert counts == {name: len(rows) for name, rows in found.items()}
    assert sum(counts.values()) == ROWS - 2
    assert set().union(*found.values()) == set(range(ROWS)) - {SHORT, UNLABELLED}
    assert json.loads(artifact.get_string_custom_property("notes")) == [
        f"1 of {ROWS} rows could not be read and was left out: line {SHORT + 2} of 家.csv: 1 field instead of 7.",
        f"1 of {ROWS - 1} rows without '価格' was left out: line {UNLABELLED + 2} of 家.csv.",
    ]


def test_a_row_holds_the_kept_columns_under_their_own_names_and_nothing_where_a_value_is_missing(ingest):
    artifact = ingest(max_unreadable=0.02)
    rows = {round(row["価格"][0] / 10): row for name in split.SPLITS for row in rows_of(artifact, name)}
    february = 1_706_745_600  # 2024-02-01
    assert rows[8] == {"都市": ["市2".encode()], "面積": [8.5], "日": [february + 8 * 86_400], "価格": [80.0]}
    assert rows[35] == {"都市": [], "面積": [], "日": [february + 7 * 86_400], "価格": [350.0]}


def test_more_unreadable_rows_than_the_share_are_refused_in_one_line_that_names_file_and_line(ingest):
    with pytest.raises(DataError) as refused:
        ingest(max_unreadable=0.01)
    assert str(refused.value) == (
        f"Expected at most 1.00% unreadable rows (`data.max_unreadable`). Received: 1 of {ROWS} that cannot: "
        f"line {SHORT + 2} of 家.csv: 1 field instead of 7. Mend them, or leave them out with `data.max_unreadable: 0.02`."
    )


def test_a_column_may_name_each_rows_split(ingest):
    found = prices(ingest(max_unreadable=0.02, splits=SplitsConfig(column="部")))
    wanted = {
        name: {row for row in range(ROWS) if row % 4 in places} for name, places in (("train", (0, 1)), ("eval", (2,)), ("test", (3,)))
    }
    assert found == {name: rows - {SHORT, UNLABELLED} for name, rows in wanted.items()}


def test_a_word_that_names_no_split_is_refused_with_its_line(ingest):
    with pytest.raises(DataError) as refused:
        ingest(max_unreadable=0.02, splits=SplitsConfig(column="都市"))
    assert str(refused.value) == (
        "Expected train, eval or test in the column '都市' (`data.splits.column`). Received: no value in line 2 of '家.csv'."
    )


def weighted(weight):
    return COLUMNS.model_copy(update={"kept": COLUMNS.kept | {weight: "float"}, "weight": weight})


def test_a_row_without_a_weight_is_left_out_and_told_and_the_others_have_theirs(ingest):
    artifact = ingest(weighted("面積"), max_unreadable=0.02)
    rows = {round(row["価格"][0] / 10): row for name in split.SPLITS for row in rows_of(artifact, name)}
    assert set(rows) == {row for row in range(ROWS) if row % 7} - {SHORT, UNLABELLED}
    assert rows[8]["面積"] == [8.5]
    assert f"9 of {ROWS - 1} rows without '面積' were left out: line 2 of 家.csv; line 9 of 家.csv; line 16 of 家.csv and 6 more." in (
        json.loads(artifact.get_string_custom_property("notes"))
    )


def test_a_column_of_weights_moves_no_row_to_another_split(ingest):
    without = prices(ingest(max_unreadable=0.02))
    assert prices(ingest(weighted("番号"), max_unreadable=0.02)) == without


def test_rows_that_differ_in_their_weight_alone_are_the_same_row(ingest, tmp_path):
    lines = text().splitlines()
    for name, weight in (("train", 1), ("test", 2)):
        (tmp_path / f"{name}.csv").write_text(
            "\n".join([f"重み,{lines[0]}", *(f"{weight},{line}" for line in lines[1:41])]), encoding="utf-8"
        )
    splits = SplitsConfig(train=3, eval=1, files={"train": "train.csv", "test": "test.csv"}, duplicates="drop")
    with pytest.raises(DataError, match="Received none of 38 but 38 that are in an earlier split too"):
        ingest(weighted("重み"), path=str(tmp_path), max_unreadable=0.05, splits=splits)


@pytest.mark.parametrize(("weight", "shown"), [("-0.5", "-0.5"), ("1e39", "1e+39")])
def test_a_weight_that_can_be_none_ends_the_run_with_its_value_and_line(ingest, tmp_path, weight, shown):
    (tmp_path / "家.csv").write_text(text().replace('4,"市1",4.5', f'4,"市1",{weight}'), encoding="utf-8")
    with pytest.raises(DataError) as refused:
        ingest(weighted("面積"), max_unreadable=0.02)
    assert str(refused.value) == (
        "Expected finite numbers from 0 on in the column '面積' (`weight`), how much a row counts. "
        f"Received: {shown} in line 6 of '家.csv'. Mend the value, leave it empty, which leaves the row out, or name another column in "
        "`weight`."
    )


@pytest.mark.parametrize("empty", ["train", "val"])
def test_a_split_whose_rows_all_weigh_nothing_is_refused(ingest, tmp_path, empty):
    lines = [f"{line},{'重み' if not number else int(f',{empty},' not in line)}" for number, line in enumerate(text().splitlines())]
    (tmp_path / "家.csv").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError) as refused:
        ingest(weighted("重み"), max_unreadable=0.02, splits=SplitsConfig(column="部"))
    name, rows = ("train", 29) if empty == "train" else ("eval", 15)
    assert str(refused.value) == (
        f"Expected a weight above 0 in some row of the split '{name}', in the column '重み' (`weight`). Received: 0 in all {rows} rows. "
        "Give rows that count, or remove `weight`, and all rows count alike."
    )


def test_rows_of_one_group_stay_in_one_split(ingest):
    found = prices(ingest(max_unreadable=0.02, splits=SplitsConfig(train=1, eval=1, test=1, group="店")))
    shops = [{row % 7 for row in rows} for rows in found.values()]
    assert set().union(*shops) == set(range(7))
    assert sum(map(len, shops)) == 7


def test_splits_with_files_of_their_own_are_read_from_these(ingest, tmp_path):
    lines = text().splitlines()
    for name, rows in (("train", range(40)), ("test", range(40, ROWS))):
        (tmp_path / f"{name}.csv").write_text("\n".join([lines[0], *(lines[row + 1] for row in rows)]) + "\n", encoding="utf-8")
    files = {"train": "train.csv", "test": "test.csv"}
    found = prices(ingest(path=str(tmp_path), max_unreadable=0.02, splits=SplitsConfig(train=3, eval=1, files=files)))
    assert found["test"] == set(range(40, ROWS))
    assert found["train"] | found["eval"] == set(range(40)) - {SHORT, UNLABELLED}
    assert not found["train"] & found["eval"]


def test_rows_of_a_series_are_written_with_their_past_and_a_note_where_chance_divides_them(ingest):
    joined = Joined(key=("店",), time="番号", length=2, of={"前": "価格"}, before={"前": 1})
    columns = Columns(kept={"前": "floats", "価格": "float"}, label="価格", joined=joined)
    artifact = ingest(columns, max_unreadable=0.02, series=SeriesConfig(key="店", time="番号"))
    past = {round(row["価格"][0]): row["前"] for name in split.SPLITS for row in rows_of(artifact, name)}
    assert (past[0], past[70], past[140]) == ([], [0.0], [0.0, 70.0])  # the rows of a shop are seven apart
    *_, note = json.loads(artifact.get_string_custom_property("notes"))
    assert note.startswith("Neighbouring rows share their past") and note.endswith("Try `data.splits: {time: 番号}`.")
