"""Which raw files a config names, and the digest that TFX's cache compares."""

import pytest

from components.example_gen import raw_files
from components.example_gen.config import DataConfig, SplitsConfig
from trainer.errors import ConfigError


@pytest.fixture
def folder(tmp_path, write_idx, images, labels):
    return write_idx(tmp_path / "idx", images(5), labels(5))


def config(folder):
    return DataConfig(format="idx", path=str(folder))


def test_the_fingerprint_changes_with_any_byte_and_with_nothing_else(folder):
    before = raw_files.fingerprint(config(folder))
    (folder / "notes.txt").write_text("not raw data")
    path = folder / "train-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes())
    assert raw_files.fingerprint(config(folder)) == before
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert raw_files.fingerprint(config(folder)) != before


def test_the_fingerprint_is_of_the_content_not_of_the_place(folder, tmp_path):
    before = raw_files.fingerprint(config(folder))
    assert raw_files.fingerprint(config(folder.rename(tmp_path / "elsewhere"))) == before


def test_bundled_data_has_no_files(tmp_path):
    assert raw_files.files(DataConfig(format="digits")) == []
    assert raw_files.fingerprint(DataConfig(format="digits")) == raw_files.fingerprint(DataConfig(format="digits"))


@pytest.mark.parametrize(("missing", "dims"), [("images", 3), ("labels", 1)])
@pytest.mark.parametrize("prefix", ["train", "t10k"])
def test_one_file_of_a_pair_without_the_other_is_refused_with_what_is_there(folder, write_idx, images, labels, prefix, missing, dims):
    write_idx(folder, images(2), labels(2), "t10k")
    (folder / f"{prefix}-{missing}-idx{dims}-ubyte").unlink()
    with pytest.raises(ConfigError) as caught:
        raw_files.files(config(folder))
    there = ", ".join(sorted(path.name for path in folder.iterdir()))
    assert str(caught.value) == (
        f"Expected `data.path` to hold {prefix}-{missing}-idx{dims}-ubyte, gzipped or not. Received: '{folder}' with {there}."
    )


def test_of_a_folder_with_many_other_files_six_are_named(tmp_path):
    for index in range(9):
        (tmp_path / f"{index}.txt").touch()
    with pytest.raises(ConfigError, match=r"with 0\.txt, 1\.txt, 2\.txt, 3\.txt, 4\.txt, 5\.txt and 3 more\.$"):
        raw_files.files(config(tmp_path))


def test_an_empty_folder_has_no_files(tmp_path):
    with pytest.raises(ConfigError, match=r"with no files\.$"):
        raw_files.files(config(tmp_path))


def test_a_folder_with_the_files_name_is_said_to_be_one_with_the_file_inside(folder):
    """As archives are unpacked, each into a folder of its own name."""
    for path in list(folder.iterdir()):
        content = path.read_bytes()
        path.unlink()
        path.mkdir()
        (path / path.name).write_bytes(content)
    name = "train-images-idx3-ubyte"
    with pytest.raises(ConfigError) as caught:
        raw_files.files(config(folder))
    assert str(caught.value) == (
        f"Expected `data.path` to hold {name}, gzipped or not. Received: '{folder}' where {name} is a folder, the file is inside it. "
        f"Put the files of such folders beside each other: {folder}/{name}/{name} and so on."
    )
    (folder / name / name).unlink()
    with pytest.raises(ConfigError, match=rf"where {name} is a folder without a file\. Put the file itself there\.$"):
        raw_files.files(config(folder))


@pytest.fixture
def tables(tmp_path):
    """A folder of CSV files."""
    for name in ("train-1.csv", "train-2.csv", "val.csv", "test.csv"):
        (tmp_path / name).write_text(f"a\n{name}\n")
    return tmp_path


def csv_files(path, **files):
    """The names of the files by the split that they are."""
    splits = SplitsConfig(files=files) if files else SplitsConfig()
    found = raw_files.csv_files(DataConfig(format="csv", path=str(path), splits=splits))
    return {split: [file.name for file in paths] for split, paths in found.items()}


def test_a_table_is_a_file_or_the_files_of_a_pattern_in_their_names_order(tables):
    assert csv_files(tables / "val.csv") == {None: ["val.csv"]}
    assert csv_files(tables / "train-*.csv") == {None: ["train-1.csv", "train-2.csv"]}
    (tables / "odd[1].csv").write_text("a\n1\n")
    assert csv_files(tables / "odd[1].csv") == {None: ["odd[1].csv"]}


def test_splits_with_files_of_their_own_are_those_and_train_is_divided_for_those_without(tables):
    assert csv_files(tables, train="train-*.csv", eval="val.csv", test="test.csv") == {
        "train": ["train-1.csv", "train-2.csv"],
        "eval": ["val.csv"],
        "test": ["test.csv"],
    }
    assert csv_files(tables, train="train-*.csv", test="test.csv") == {"test": ["test.csv"], None: ["train-1.csv", "train-2.csv"]}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tran-1.csv", "which is not there. Did you mean 'train-1.csv'?"),
        ("", "which is a folder. Name the files: {folder}/*.csv."),
        ("*.tsv", "which is not there."),
    ],
)
def test_a_path_without_a_file_is_refused_with_what_to_do(tables, name, said):
    with pytest.raises(ConfigError) as refused:
        csv_files(tables / name)
    path = str(tables / name)
    assert str(refused.value) == f"Expected a CSV file, or a pattern of some. Received: '{path}', {said.format(folder=tables)}"


def test_files_of_splits_without_the_train_splits_are_refused(tables):
    with pytest.raises(ConfigError, match=r"^Expected `data\.splits\.files` to name the train split's file\. Received: none\."):
        csv_files(tables, test="test.csv")


def test_the_fingerprint_of_a_table_changes_with_any_of_its_files(tables):
    config = DataConfig(format="csv", path=str(tables / "train-*.csv"))
    before = raw_files.fingerprint(config)
    (tables / "val.csv").write_text("other")
    assert raw_files.fingerprint(config) == before
    (tables / "train-2.csv").write_text("other")
    assert raw_files.fingerprint(config) != before
