"""The file that is written: complete, right, read back as it was found, and never half there or over another."""

import gzip
import subprocess
import sys

import pytest

from components.example_gen import raw_files, source
from pipeline import cli, config
from pipeline.init.defaults import for_table


def test_the_config_says_all_that_was_found_and_reads_the_data(write, init, some, tmp_path):
    write("data/my table-2.csv", x=some(), color=some("red", "blue"), day=["2024-01-02", "2024-02-03"] * 50, y=some("a", "b", "c"))
    result = init("data/my table-2.csv", output=None)
    written = config.load(tmp_path / "configs" / "my_table-2.yaml")
    assert (result.status, written.name, written.label, written.task.kind) == (0, "my_table-2", "y", "multiclass")
    assert {name: feature.kind for name, feature in written.features.items()} == {"x": "number", "color": "category", "day": "time"}
    assert written.data.csv.header is True
    with source.open_data(written.data, written.columns) as (parts, _):
        assert sum(len(rows.lines) for part in parts for rows in part.read(print)) == 100


def test_it_ends_with_the_command_that_comes_next(write, init, some):
    lines = init(write(x=some(), y=some("a", "b")), output="here/it's.yaml").out.splitlines()
    assert lines[-2] == "Wrote here/it's.yaml. Read it through: it says what was chosen, and why."
    assert lines[-1].endswith("""run 'here/it'"'"'s.yaml'""")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x;y\n1,5;a\n1,5;b\n2,5;b\n", {"delimiter": ";", "decimal": ","}),
        ("x\ty\n1\ta\n1\tb\n2\ta\n", {"delimiter": "\t"}),
        ("# made in 2024\n\nx,z,y\n1,2,a\n1,2,b\n2,3,b\n", {"skip": 2}),
        ("x,y\n?,a\n1,b\n1,a\n2,a\n", {"missing": "?"}),
    ],
)
def test_the_dialect_is_written_as_it_was_found(init, tmp_path, text, expected):
    lines = text.splitlines()
    (tmp_path / "table.csv").write_text("\n".join([*lines[:-3], *lines[-3:] * 30]) + "\n")
    found = init("table.csv", "--label", "y").config.data.csv.model_dump()
    for key, value in expected.items():
        assert value in found[key] if key == "missing" else found[key] == value


def test_a_file_without_a_header_gets_names_for_its_columns(init, tmp_path):
    (tmp_path / "table.tsv").write_text("ham\t1.5\nspam\t2.5\nham\t2.5\n" * 20)
    written = init("table.tsv", "--label", "column_1").config
    assert (written.data.csv.names, list(written.features), written.task.positive) == (("column_1", "column_2"), ["column_2"], "spam")


@pytest.mark.parametrize("name", ["発生日時　　分", "on", "null", "a: b # c", "- x", "tab\there", "x'y", "0o17", "no\xa0break"])
def test_a_columns_name_is_read_back_to_the_letter(init, tmp_path, some, name):
    rows = "".join(f"{value},{label}\n" for value, label in zip(some(), some("a", "b"), strict=True))
    (tmp_path / "table.csv").write_text(f'"{name}",y\n{rows}', encoding="utf-8")
    assert list(init("table.csv").config.features) == [name]


@pytest.mark.parametrize("positive", ["1e5", "yes", "0x1F", "1_000"])
def test_a_class_is_read_back_as_a_text(write, init, some, positive):
    assert init(write(x=some(), y=["other word"] * 60 + [positive] * 40)).config.task.positive == positive


def test_a_column_of_splits_is_taken(write, init, some):
    written = init(write(x=some(), split=["train", "train", "val", "test"] * 25, y=some("a", "b"))).config
    assert (written.data.splits.column, list(written.features)) == ("split", ["x"])


def test_rows_of_a_later_split_that_an_earlier_one_has_are_told_and_a_setting_is_proposed(write, init, some):
    x, labels = [row * 37 % 100 + 0.25 for row in range(100)], some("a", "b")
    for later, earlier in ((2, 0), (7, 1), (11, 6)):  # val has a row of train, test one of train and one of val
        x[later], labels[later] = x[earlier], labels[earlier]
    x[15], labels[15] = x[4], "b" if labels[4] == "a" else "a"  # another label is another row
    result = init(write(x=x, split=["train", "train", "val", "test"] * 25, y=labels))
    assert "Note: 3 rows of eval and test are exactly the same in an earlier split. The config has a setting for that.\n" in result.out
    assert "    # duplicates: drop  # 3 rows of eval and test are exactly the same in an earlier split\n" in result.text
    assert result.config.data.splits.duplicates == "keep"


def test_a_column_of_splits_that_lacks_one_is_named_but_not_taken(write, init, some):
    result = init(write(x=some(), split=["train", "test"] * 50, y=some("a", "b")))
    assert (result.config.data.splits.column, list(result.config.features)) == (None, ["x"])
    assert "Note: The column 'split' names splits, but has no rows of eval: it is not used.\n" in result.out


def test_a_column_of_splits_with_gaps_is_named_but_not_taken(write, init, some):
    result = init(write(x=some(), split=["train", "train", "val", "test", ""] * 20, y=some("a", "b")))
    assert (result.config.data.splits.column, list(result.config.features)) == (None, ["x"])
    assert "  #   column: split  # it has no value in 20 rows\n" in result.text


def test_a_column_called_split_with_other_values_is_a_feature(write, init, some):
    assert "split" in init(write(split=some("half", "third"), y=some("a", "b"))).config.features


def test_rows_that_cannot_be_read_are_counted(init, tmp_path, some):
    rows = [f"{value},{label}" for value, label in zip(some(), some("a", "b"), strict=True)]
    (tmp_path / "table.csv").write_text("\n".join(["x,y", *rows, "1,2,3"]) + "\n")
    result = init("table.csv")
    assert "1 of 101 rows cannot be read: line 102 of table.csv: 3 fields instead of 2." in result.out
    assert "# max_unreadable: 0.01" in result.text


def test_a_table_of_a_million_rows_is_seen_a_few_times_and_a_larger_one_once():
    assert [for_table(rows)["epochs"] for rows in (200_000, 1_000_000, 50_000_000)] == [20, 4, 1]


@pytest.mark.parametrize(
    ("rows", "batch_size", "epochs", "patience"), [(20, 16, 120, 48), (700, 64, 120, 48), (3000, 256, 120, 48), (20_000, 256, 42, 16)]
)
def test_few_rows_get_small_batches_and_many_epochs(write, init, rows, batch_size, epochs, patience):
    result = init(write(x=[number * 7 % 13 / 2 for number in range(rows)], y=["a", "b"] * (rows // 2)))
    trainer = result.config.trainer
    assert (trainer.batch_size, trainer.epochs, trainer.early_stopping.patience) == (batch_size, epochs, patience)


def test_numbers_are_learnt_by_batches_half_as_large_in_as_many_epochs():
    amounts, classes = for_table(20_000, is_regression=True), for_table(20_000)
    assert (amounts["batch_size"], classes["batch_size"]) == (128, 256)
    assert amounts["epochs"] == classes["epochs"]


def test_a_config_that_is_there_stays(write, init, some, tmp_path):
    (tmp_path / "mine.yaml").write_text("name: digits\ndata: {format: digits}\n")
    result = init(write(x=some(), y=some("a", "b")))
    assert (result.status, result.out) == (2, "")
    assert result.err == (
        "Expected no config yet at 'mine.yaml'. Received: one, which is left as it is. Give another with -o FILE or --name NAME, "
        "or move it away.\n"
    )
    assert (tmp_path / "mine.yaml").read_text() == "name: digits\ndata: {format: digits}\n"


@pytest.mark.parametrize("output", ["in-the-way/mine.yaml", "/proc/nowhere/mine.yaml", "folder"])
def test_a_place_that_cannot_be_written_is_refused_and_nothing_is_left(write, init, some, tmp_path, output):
    (tmp_path / "in-the-way").touch()
    (tmp_path / "folder").mkdir()
    table = write(x=some(), y=some("a", "b"))
    before = sorted(tmp_path.rglob("*"))
    assert cli.main(["init", str(table), "-o", output]) == 2
    assert sorted(tmp_path.rglob("*")) == before


def test_what_no_config_can_say_is_refused_and_nothing_is_left(write, init, some, tmp_path):
    result = init(write(**{"x" * 2000: some()}, y=some("a", "b")))
    assert (result.status, result.text, result.err.count("\n")) == (2, None, 1)
    assert result.err.startswith("Expected YAML in 'mine.yaml'.")
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


@pytest.mark.parametrize(("given", "name"), [("222127_accidents.csv", "accidents"), ("表.csv", "table"), ("a b!c.csv.gz", "a_b_c")])
def test_the_name_is_the_files_from_its_first_letter_on(init, tmp_path, some, given, name):
    text = "x,y\n" + "".join(f"{value},{label}\n" for value, label in zip(some(), some("a", "b"), strict=True))
    (tmp_path / given).write_bytes(gzip.compress(text.encode()) if given.endswith("gz") else text.encode())
    assert init(given, output=None).status == 0
    assert config.load(tmp_path / "configs" / f"{name}.yaml").name == name


def test_a_name_that_no_config_takes_is_refused(write, init, some):
    result = init(write(x=some(), y=some("a", "b")), "--name", "1 2")
    assert (result.status, result.text) == (2, None)
    assert result.err.startswith("Expected --name to be a letter")


def test_the_files_of_the_config_are_those_that_were_looked_at(write, init, some):
    for number in (1, 2):
        write(f"data/part{number}.csv", x=some(), y=some("a", "b"))
        write(f"data [{number}]/part1.csv", x=some(), y=some("a", "b"))
        write(f"data [{number}]/part2.csv", x=some(), y=some("a", "b"))
    for given in ("data", "data/*.csv", "data [1]"):
        result = init(given, output=f"for{len(given)}.yaml")
        assert "200 rows, 2 columns" in result.out
        assert [path.name for path in raw_files.files(result.config.data)] == ["part1.csv", "part2.csv"]


def test_files_named_after_splits_are_those_splits(write, init, some):
    for name in ("train", "test"):
        write(f"data/{name}.csv", x=some(), y=some("a", "b"))
    written = init("data").config
    assert dict(written.data.splits.files) == {"train": "train.csv", "test": "test.csv"}
    assert set(raw_files.csv_files(written.data)) == {None, "test"}


def test_files_of_different_headers_are_refused(write, init, some):
    write("data/one.csv", x=some(), y=some("a", "b"))
    write("data/two.csv", x=some(), z=some("a", "b"))
    result = init("data")
    assert (result.status, result.text) == (2, None)
    assert "Expected the column 'y' in 'data/two.csv'. Received: 'x', 'z'." in result.err


def test_init_needs_no_tensorflow(write, some, tmp_path):
    table = write(x=some(), y=some("a", "b"))
    code = f"import sys; from pipeline import cli; cli.main(['init', {str(table)!r}]); print('tensorflow' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert done.stdout.splitlines()[-1] == "False", done.stderr
