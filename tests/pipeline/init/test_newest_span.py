"""Of data in spans `tapeline init` looks at the newest; the config has the pattern, and reads the newest that is there."""

import pytest
from PIL import Image

from components.example_gen import raw_files


@pytest.mark.parametrize(
    ("pattern", "names", "name"),
    [
        ("data/day-{SPAN}/*.csv", ("data/day-9/a.csv", "data/day-10/a.csv"), "day"),
        ("./data/{YYYY}-{MM}-{DD}/", ("data/2026-01-09/a.csv", "data/2026-01-10/a.csv"), "data"),
        ("{SPAN}.csv", ("1.csv", "2.csv"), None),
        ("data/{SPAN}/v{VERSION}/a.csv", ("data/7/v2/a.csv", "data/8/v1/a.csv"), "data"),
    ],
)
def test_the_newest_span_is_looked_at_and_the_pattern_written(write, init, some, tmp_path, pattern, names, name):
    old, new = names
    write(old, x=some(), y=some("a", "b"))
    write(new, x=some(), z=some(), y=some("a", "b"))
    result = init(pattern, "--yes")
    assert result.status == 0, result.err
    assert result.out.startswith(f"Looked at '{new.partition('/a')[0]}")
    assert set(result.config.features) == {"x", "z"}
    assert [path.relative_to(tmp_path).as_posix() for path in raw_files.files(result.config.data)] == [new]
    assert name is None or result.config.name == name
    later = new.replace("10", "11").replace("8/v1", "8/v3").replace("2.csv", "3.csv")
    write(later, x=some(), z=some(), y=some("a", "b"))
    assert [path.relative_to(tmp_path).as_posix() for path in raw_files.files(result.config.data)] == [later]


def test_the_spans_of_a_folder_may_have_files_named_after_splits(write, init, some, tmp_path):
    for name in ("train", "test"):
        write(f"set-1/{name}.csv", x=some(), y=some("a", "b"))
    written = init("set-{SPAN}").config
    assert written.data.path == str(tmp_path / "set-{SPAN}")
    assert dict(written.data.splits.files) == {"train": "train.csv", "test": "test.csv"}


def test_pictures_may_come_in_spans_in_folders_and_by_a_table(init, tmp_path):
    for number in range(40):
        for place in (f"sets/1/{'ab'[number % 2]}", "lists/1/pictures"):
            path = tmp_path / place / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (8, 8), number).save(path)
    rows = "".join(f"pictures/{number}.png,{'ab'[number % 2]}\n" for number in range(40))
    (tmp_path / "lists" / "1" / "labels.csv").write_text("file,label\n" + rows)
    for place, beside in (("sets/{SPAN}", ""), ("lists/{SPAN}/", "/labels.csv")):
        result = init(place, output=f"{place[:4]}.yaml")
        assert result.status == 0, result.err
        assert (result.config.data.format, result.config.data.path) == ("images", str(tmp_path / place) + beside)
        assert len(raw_files.files(result.config.data)) == 40 + bool(beside)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (
            "data/day-{SPAN}.csv",
            "Expected files or folders that match 'data/day-{SPAN}.csv', digits in the place of each {}. Received: 'data' ",
        ),
        ("{SPAN}.tsv", "Expected files or folders that match '{SPAN}.tsv', digits in the place of each {}. Received: '.' with data"),
        ("data/{span}.csv", "Expected {SPAN}, {VERSION}, {YYYY}, {MM} and {DD} in capital letters. Received: 'data/{span}.csv'."),
        ("data/{YYYY}.csv", "Expected either {SPAN} or {YYYY}, {MM} and {DD}"),
    ],
)
def test_a_pattern_without_spans_or_that_is_none_is_one_line(write, init, some, pattern, said):
    write("data/day-x.csv", x=some())
    result = init(pattern)
    assert (result.status, result.text, result.err.count("\n")) == (2, None, 1)
    assert result.err.startswith(said)
