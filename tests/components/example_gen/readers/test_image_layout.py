"""Labels and splits from the names of files alone."""

import unicodedata

import pytest

from components.example_gen.readers.image_layout import has_split_prefixes, lay_out
from trainer.errors import DataError


def laid_out(names, **options):
    return [(picture.name, picture.label, picture.split) for picture in lay_out(names, **options).pictures]


@pytest.mark.parametrize("around", ["", "data/", "data/photos/"])
def test_the_label_is_the_class_folder_whatever_is_around_all_of_them(around):
    names = [f"{around}{name}" for name in ("cat/1.jpg", "cat/2.JPG", "犬/deep/3.png", "Vine-Tomato/4.webp")]
    assert [label for _, label, _ in laid_out(names)] == ["cat", "cat", "犬", "Vine-Tomato"]


@pytest.mark.parametrize("around", ["", "data/"])
@pytest.mark.parametrize(
    ("word", "split"), [("val", "eval"), ("Valid", "eval"), ("validation", "eval"), ("eval", "eval"), ("Testing", "test")]
)
def test_folders_named_as_splits_are_splits_of_class_folders(around, word, split):
    names = [f"{around}{name}" for name in ("Train/cat/1.jpg", "Train/dog/2.jpg", f"{word}/cat/1.jpg")]
    assert laid_out(names) == [(names[0], "cat", "train"), (names[1], "dog", "train"), (names[2], "cat", split)]


def test_one_folder_named_as_a_split_is_one_too():
    assert laid_out(["training/cat/1.jpg", "training/dog/1.jpg"]) == [
        ("training/cat/1.jpg", "cat", "train"),
        ("training/dog/1.jpg", "dog", "train"),
    ]


def test_a_class_may_be_called_like_a_split():
    assert laid_out(["train/1.jpg", "car/2.jpg", "bus/3.jpg"]) == [
        ("train/1.jpg", "train", None),
        ("car/2.jpg", "car", None),
        ("bus/3.jpg", "bus", None),
    ]


def test_what_stands_beside_the_splits_is_left_out_and_counted():
    layout = lay_out(["train/cat/1.jpg", "test/cat/2.jpg", "samples/3.jpg", "test/4.jpg", "cover.png"])
    assert [picture.name for picture in layout.pictures] == ["train/cat/1.jpg", "test/cat/2.jpg"]
    assert layout.left_out == {"outside of the split's class folders": 3}


def test_hidden_files_litter_and_what_is_no_picture_are_left_out_and_counted():
    litter = [".DS_Store", "cat/._1.jpg", "__MACOSX/cat/1.jpg", "cat/Thumbs.db", "cat/desktop.ini"]
    layout = lay_out(["cat/1.jpg", "cat/2.jpg", "3.jpg", "README.txt", "cat/notes.TXT", "cat/LICENSE", "cat/4.mov", *litter])
    assert [picture.name for picture in layout.pictures] == ["cat/1.jpg", "cat/2.jpg"]
    assert layout.left_out == {
        "outside of a class folder": 1,
        ".txt": 2,
        "without a suffix": 1,
        ".mov": 1,
        "hidden": 5,
    }


def test_a_photograph_in_a_format_that_is_not_read_is_a_picture_and_not_left_out():
    """It is refused with its name and reason then, as a damaged one is: half of a phone's pictures may be such."""
    layout = lay_out(["cat/1.jpg", "dog/2.HEIC", "dog/3.tiff"])
    assert [picture.name for picture in layout.pictures] == ["cat/1.jpg", "dog/2.HEIC", "dog/3.tiff"]
    assert layout.left_out == {}


def test_one_name_written_in_two_ways_of_unicode_is_one_class():
    composed, decomposed = (unicodedata.normalize(form, "ガラス") for form in ("NFC", "NFD"))  # the latter on a Mac
    assert composed != decomposed
    assert {label for _, label, _ in laid_out([f"{composed}/1.jpg", f"{decomposed}/2.jpg"])} == {composed}


def test_a_class_with_one_picture_and_a_class_alone_are_classes():
    assert laid_out(["cat/1.jpg"]) == [("cat/1.jpg", "cat", None)]


def test_prefixes_of_names_are_splits_where_that_is_asked_for():
    names = ["all/cat/train_1.jpg", "all/cat/Test-2.jpg", "all/dog/val.3.jpg", "all/dog/training_4.jpg"]
    assert [split for _, _, split in laid_out(names, split_prefixes=True)] == ["train", "test", "eval", "train"]
    assert [split for _, _, split in laid_out(names)] == [None] * 4
    with pytest.raises(
        DataError, match=r"^Expected names of pictures that begin with their split, like train_7\.jpg\. Received: 'a/9\.jpg'"
    ):
        lay_out(["a/9.jpg", *names], split_prefixes=True)


@pytest.mark.parametrize(
    ("names", "seems"),
    [
        (["a/train_1.jpg", "b/test_1.jpg", "README.txt"], True),
        (["a/train_1.jpg", "b/train_2.jpg"], False),
        (["a/train_1.jpg", "b/test_1.jpg", "b/7.jpg"], False),
        (["a/trainer_1.jpg", "b/test_1.jpg"], False),
        (["a/test_1.jpg", "b/val_1.jpg"], False),
        ([], False),
    ],
)
def test_whether_names_begin_with_splits_is_seen(names, seems):
    assert has_split_prefixes(names) == seems


@pytest.mark.parametrize(
    ("names", "received"),
    [
        ([], "no files."),
        (["a.txt", "b/c.txt", "b/d.csv"], "2 .txt, 1 .csv."),
        (["1.jpg", "2.jpg"], "2 outside of a class folder."),
    ],
)
def test_a_folder_without_pictures_in_class_folders_is_told_with_what_is_there(names, received):
    with pytest.raises(DataError) as caught:
        lay_out(names)
    assert str(caught.value) == f"Expected pictures in a folder for each class, CLASS/NAME.jpg. Received: {received}"


def test_splits_without_class_folders_are_not_taken_for_classes():
    with pytest.raises(DataError, match=r"^Expected class folders inside of 'train', SPLIT/CLASS/NAME\.jpg\. Received: pictures, like"):
        lay_out(["train/1.jpg", "test/2.jpg"])
