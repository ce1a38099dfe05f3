"""Pictures in class folders, or in an archive of them, get a config that says what was found, and what speaks against them is told."""

import random
import subprocess
import sys
import tarfile
import zipfile

import pytest
from PIL import Image

from pipeline.init import defaults


@pytest.fixture
def draw(tmp_path):
    """draw(name, size=(width, height), mode="RGB"): a picture of random pixels at `name` below the folder `photos`."""
    generator = random.Random(5)  # noqa: S311 - made-up pixels

    def make(name, size=(40, 30), mode="RGB"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.frombytes(mode, size, generator.randbytes(size[0] * size[1] * len(mode))).save(path)
        return path

    return make


def classes(draw, *names, prefix="", count=20, **settings):
    for name in names:
        for number in range(count):
            draw(f"{name}/{prefix}{number}.png", **settings)


def test_class_folders_get_a_config_of_their_pictures(draw, init, tmp_path):
    classes(draw, "cat", "dog")
    draw("dog/one_more.jpg")
    result = init("photos")
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith("41 pictures, 2 classes; no splits in the names of folders or files.\n")
    assert "Looked at 41: all 30 x 40 pixels; PNG 40, JPEG 1; colour." in result.out
    written = result.config
    assert (written.data.format, written.data.path, written.name) == ("images", str(tmp_path / "photos"), "photos")
    seen = written.preprocessing
    assert (seen.image_size, seen.channels, seen.normalize) == ((32, 40), 3, "standardize")
    trainer = written.trainer
    assert (trainer.epochs, trainer.batch_size, trainer.optimizer, trainer.schedule) == (100, 16, "adamw", "cosine")
    assert written.problem.task.kind == "multiclass"
    assert "metric: accuracy, min: 0.76}  # always dog reaches 0.51" in result.text
    assert "Note:" not in result.out


@pytest.mark.parametrize("size", [28, 100])
def test_pictures_that_are_told_from_each_other_as_they_are_are_not_augmented(draw, init, size):
    for name, side in (("left", 0), ("right", size // 2)):
        for number in range(20):
            path = draw(f"{name}/{number}.png", size=(size, size))
            with Image.open(path) as noise:
                Image.composite(Image.new("RGB", noise.size), noise, _half(size, side)).save(path)
    result = init("photos")
    assert result.config.trainer.augment == []
    assert "augment: []  # a class's pictures are alike as they are" in result.text


@pytest.mark.parametrize("size", [28, 100])
def test_pictures_whose_likest_other_is_often_of_another_class_are_augmented(draw, init, size):
    classes(draw, "a", "b", size=(size, size))
    assert init("photos").config.trainer.augment == ["flip", "crop", "rotate", "colour"]


def _half(size, left):
    mask = Image.new("L", (size, size), 0)
    mask.paste(255, (left, 0, left + size // 2, size))
    return mask


@pytest.mark.parametrize(
    ("size", "wanted"),
    [((28, 28), (28, 28)), ((8, 8), (28, 28)), ((33, 30), (32, 32)), ((400, 200), (48, 96)), ((100, 1000), (96, 28)), ((96, 96), (96, 96))],
)
def test_the_size_is_the_usual_one_within_bounds_and_in_steps_of_4(draw, init, size, wanted):
    classes(draw, "a", "b", count=2, size=size)
    assert init("photos").config.preprocessing.image_size == wanted


def test_one_odd_picture_does_not_change_the_size(draw, init):
    classes(draw, "a", "b", count=5, size=(32, 32))
    draw("a/huge.png", size=(900, 40))
    result = init("photos")
    assert result.config.preprocessing.image_size == (32, 32)
    assert "usually 32 x 32 pixels, heights 32 to 40, widths 32 to 900" in result.out


def test_only_where_all_are_grey_there_is_one_channel(draw, init, tmp_path):
    classes(draw, "a", "b", count=3, mode="L")
    Image.new("RGB", (40, 30), (7, 7, 7)).save(tmp_path / "photos" / "a" / "grey_too.png")
    result = init("photos", output="grey.yaml")
    assert result.config.preprocessing.channels == 1
    assert "; grey.\n" in result.out
    draw("a/colour.png")
    result = init("photos", output="colour.yaml")
    assert result.config.preprocessing.channels == 3
    assert "1 in colour, 7 grey" in result.out


def test_where_few_pictures_judge_an_epoch_the_last_weights_are_taken(draw, init):
    classes(draw, "a", "b", count=20)
    trainer = init("photos").config.trainer
    assert (trainer.weights, trainer.early_stopping) == ("last", None)
    recipe = defaults.for_picture_files(train=24_000, judged=3000, are_aligned=False)
    assert (recipe["weights"], recipe["epochs"], recipe["early_stopping"]) == ("best", 10, {"patience": 30})


def test_folders_of_splits_need_no_setting(draw, init):
    for split in ("train", "val", "test"):
        classes(draw, f"{split}/a", f"{split}/b", count=2)
    result = init("photos")
    assert "12 pictures, 2 classes; splits by the names of folders: train, eval, test." in result.out
    assert result.config.data.splits.prefixes is False
    assert "\n  splits:" not in result.text


def test_a_split_without_a_folder_is_divided_off(draw, init):
    for split in ("train", "test"):
        classes(draw, f"{split}/a", f"{split}/b", count=2)
    assert "# shares of `train` become eval," in init("photos").text


def test_splits_in_the_names_of_files_are_said_to_be_there(draw, init):
    for split in ("train_", "val_", "test_"):
        classes(draw, "a", "b", prefix=split, count=2)
    result = init("photos")
    assert result.config.data.splits.prefixes is True
    assert "splits by the names of files: train, eval, test." in result.out


@pytest.mark.parametrize("name", ["photos.zip", "photos.tar.gz"])
def test_an_archive_is_read_as_its_folder_is(draw, init, tmp_path, name):
    classes(draw, "a", "b", count=3)
    folder = tmp_path / "photos"
    if name.endswith(".zip"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for path in sorted(folder.rglob("*.png")):
                archive.write(path, path.relative_to(tmp_path))
    else:
        with tarfile.open(tmp_path / name, "w:gz") as archive:
            archive.add(folder, "photos")
    result = init(name)
    assert "6 pictures, 2 classes" in result.out
    assert "Looked at 6: all 30 x 40 pixels; PNG 6; colour." in result.out
    assert result.config.data.path == str(tmp_path / name)


def test_what_cannot_be_read_or_is_no_picture_is_counted(draw, init, tmp_path):
    classes(draw, "a", "b")
    draw("a/half.png").write_bytes((tmp_path / "photos/a/0.png").read_bytes()[:200])
    (tmp_path / "photos" / "a" / "notes.txt").touch()
    draw("loose.png")
    result = init("photos")
    assert "Left out: 1 .txt, 1 outside of a class folder." in result.out
    assert "1 file cannot be read: a/half.png: truncated" in " ".join(result.out.split())
    assert "# max_unreadable: 0.01" in result.text


def test_classes_with_few_pictures_and_unbalanced_ones_are_named(draw, init):
    classes(draw, "many", count=60)
    classes(draw, "some", count=30)
    classes(draw, "few", count=5)
    said = " ".join(init("photos").out.split())
    assert "Classes with fewer than 20 pictures, of which hardly any are tested: 'few' 5." in said
    assert "Classes are unbalanced: 60 pictures are of 'many', 5 of 'few'." in said


def test_where_nearly_all_are_of_one_class_other_bounds_are_proposed(draw, init):
    classes(draw, "many", count=90)
    classes(draw, "other", count=20)
    result = init("photos")
    assert "always answering 'many' reaches an accuracy of 0.82" in " ".join(result.out.split())
    assert "{metric: mcc, min: 0.3}" in result.text


def test_a_class_that_only_the_test_split_has_is_named(draw, init):
    for folder in ("train/a", "train/b", "test/a", "test/c"):
        classes(draw, folder)
    assert "Classes without a picture in the train split, which cannot be learnt: 'c'." in " ".join(init("photos").out.split())


def test_of_two_classes_one_can_be_looked_for(draw, init):
    classes(draw, "good", count=4)
    classes(draw, "defect", count=2)
    assert init("photos", "--task", "binary").config.task.positive == "defect"


def test_one_class_alone_is_refused(draw, init):
    classes(draw, "cat", count=3)
    result = init("photos")
    assert (result.status, result.text, result.err.count("\n")) == (2, None, 1)
    assert "Received: 3 pictures of one, 'cat'." in result.err


@pytest.mark.parametrize(
    ("given", "arguments", "status", "said"),
    [
        ("photos", ("--label", "x"), 2, "Expected no --label with pictures"),
        ("photos", ("--task", "regression"), 2, "Expected no --task regression with pictures"),
        ("photos/1.png", (), 2, "Received: 'photos/1.png', one picture."),
        ("photos", (), 1, "Received: 1 outside of a class folder."),
        ("rows.zip", (), 1, "which is another file."),
    ],
)
def test_what_is_not_laid_out_in_classes_is_refused_in_one_line(draw, init, tmp_path, given, arguments, status, said):
    draw("1.png")
    (tmp_path / "rows.zip").write_bytes(b"x")
    result = init(given, *arguments)
    assert (result.status, result.text, result.err.count("\n")) == (status, None, 1)
    assert said in result.err


def test_a_picture_among_tables_does_not_make_them_pictures(draw, write, init, some):
    for name in ("photos/one.csv", "photos/two.csv"):
        write(name, x=some(), y=some("a", "b"))
    draw("plot.png")
    assert init("photos", "--label", "y").config.data.format == "csv"


def test_tensorflow_is_not_imported(draw, tmp_path):
    classes(draw, "a", "b", count=2)
    code = "import sys; from pipeline import cli; status = cli.main(['init', 'photos']); sys.exit(status or 'tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)


def test_a_folder_of_photographs_in_another_format_alone_says_which(init, tmp_path):
    for name in ("cat/1.tif", "cat/2.tif", "dog/1.tif"):
        (tmp_path / "raw" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "raw" / name).write_bytes(b"II*\0" + bytes(20))
    result = init("raw")
    assert (result.status, result.text) == (1, None)
    assert result.err.startswith("Expected pictures that can be read in 'raw'. Received: cat/1.tif: a TIFF picture, not JPEG, PNG")
