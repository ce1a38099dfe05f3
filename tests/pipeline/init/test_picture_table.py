"""A table that names pictures, in a file or in the pictures' folder, gets a config of pictures that keeps its other columns."""

import io
import random

import pytest
from PIL import Image


@pytest.fixture
def photos(tmp_path):
    """photos(table, lines, below=""): 40 pictures, `0.png` and so on, in the folder `photos`, and a table beside them or above."""
    generator = random.Random(5)  # noqa: S311 - made-up pixels

    def make(table, header, row, below=""):
        folder = tmp_path / "photos"
        (folder / below).mkdir(parents=True)
        for number in range(40):
            file = io.BytesIO()
            Image.frombytes("RGB", (40, 30), generator.randbytes(3600)).save(file, "PNG")
            (folder / below / f"{number}.png").write_bytes(file.getvalue())
        lines = [header, *(row.format(number, ("cat", "dog")[number % 2], generator.uniform(0, 9)) for number in range(40))]
        (folder / table).write_text("\n".join(lines) + "\n", encoding="utf-8")
        return folder

    return make


def test_a_table_of_files_and_labels_gets_a_config_of_pictures(photos, init, tmp_path):
    photos("labels.csv", "file,label", "{0}.png,{1}")
    result = init("photos/labels.csv")
    assert (result.status, result.err) == (0, "")
    assert "Looked at 40: all 30 x 40 pixels; PNG 40; colour." in result.out
    written = result.config
    assert (written.data.format, written.data.path, written.data.pictures) == ("images", str(tmp_path / "photos/labels.csv"), None)
    picture = written.features["file"]
    assert (picture.kind, picture.size, picture.channels, picture.normalize) == ("image", (32, 40), 3, "standardize")
    assert (list(written.features), written.label, written.task.kind) == (["file"], "label", "binary")
    assert written.trainer.augment


def test_pictures_that_are_told_from_each_other_as_they_are_are_not_augmented(photos, init):
    folder = photos("labels.csv", "file,label", "{0}.png,{1}")
    for number in range(40):
        with Image.open(folder / f"{number}.png") as noise:
            noise.paste((0, 0, 0), (20 * (number % 2), 0, 20 * (number % 2) + 20, 30))
            noise.save(folder / f"{number}.png")
    assert init("photos/labels.csv").config.trainer.augment == []


def test_a_folder_with_a_table_of_its_pictures_is_read_by_it(photos, init, tmp_path):
    photos("metadata.csv", "file_name,label", "{0}.png,{1}")
    assert init("photos").config.data.path == str(tmp_path / "photos/metadata.csv")


def test_names_that_windows_has_written_are_pictures(photos, init):
    photos("labels.csv", "file,label", r"pics\{0}.png,{1}", below="pics")
    assert list(init("photos").config.features) == ["file"]


def test_names_may_lack_their_suffix_and_be_of_a_folder_below(photos, init):
    photos("train.csv", "id,target", "{0},{1}", below="train")
    result = init("photos")
    assert result.config.data.pictures == "train"
    assert list(result.config.features) == ["id"]


def test_other_columns_are_features_beside_the_picture(photos, init):
    photos("labels.csv", "file,weight,label,note", "{0}.png,{2:.3f},{1},same")
    result = init("photos/labels.csv")
    assert result.config.inputs.kinds == {"file": "image", "weight": "number"}
    assert "# note: category  # always the same value" in result.text


def test_a_number_can_be_learnt_from_pictures(photos, init):
    photos("labels.csv", "file,label,price", "{0}.png,{1},{2:.3f}")
    trainer = init("photos/labels.csv", "--label", "price").config.trainer
    assert (trainer.loss, trainer.label_smoothing) == ("auto", 0)


def test_a_picture_that_cannot_be_read_is_told(photos, init):
    folder = photos("labels.csv", "file,label", "{0}.png,{1}")
    (folder / "3.png").write_bytes(b"x")
    result = init("photos/labels.csv")
    assert "1 file cannot be read: 3.png:" in " ".join(result.out.split())
    assert "# max_unreadable: 0.01" in result.text


def test_a_table_that_names_other_files_is_none_of_pictures(photos, init, some, write):
    photos("labels.csv", "file,label", "a/{0}.png,{1}")
    result = init("photos/labels.csv")
    assert result.status == 2  # names of nothing are identifiers, and there is no other column
    assert result.text is None


@pytest.mark.parametrize(("label", "expected"), [("red,round", ("red", "round")), ("tags", "tags")])
def test_pictures_may_have_several_labels_in_columns_or_in_one(photos, init, label, expected):
    folder = photos("labels.csv", "file", "{0}.png")
    tags = ("a", "b", "a;b")
    rows = [f"{row}.png,{row % 2},{row // 2 % 2},{tags[row % 3]}" for row in range(40)]
    (folder / "labels.csv").write_text("\n".join(["file,red,round,tags", *rows]) + "\n")
    written = init("photos/labels.csv", "--label", label).config
    assert (written.data.format, written.label, written.task.kind, written.trainer.loss) == ("images", expected, "multilabel", "auto")
    assert written.columns.empty_label


def test_every_column_that_names_other_pictures_is_a_picture(photos, init):
    folder = photos("labels.csv", "front,back,same,label", "{0}.png,back{0}.png,{0},{1}")
    for number in range(40):
        (folder / f"back{number}.png").write_bytes((folder / f"{number}.png").read_bytes())
    result = init("photos/labels.csv")
    assert {name: feature.kind for name, feature in result.config.features.items()} == {"front": "image", "back": "image"}
    assert "Looked at 80" in result.out
