"""Which versions can be seen below a base path, and the note that one of them is stable."""

import json

import pytest
from tensorflow.io import gfile

from pipeline.release import pushed_versions
from trainer.errors import ConfigError


def test_what_is_stable_is_noted_in_a_bucket_as_in_a_folder(tmp_path):
    """`ram://` stands for `gs://`: the same calls, and no network."""
    gfile.makedirs("ram://noted/digits")
    assert pushed_versions.note_stable("ram://noted/digits/", 3) == ""
    assert pushed_versions.note_stable(f"file://{tmp_path}", 3) == ""
    with gfile.GFile("ram://noted/digits/released.json") as file:
        noted = file.read()
    assert json.loads(noted) == {"stable": 3}
    assert (tmp_path / "released.json").read_text() == noted


def test_a_bucket_that_cannot_be_written_is_said_in_one_line():
    assert "nowhere" in pushed_versions.note_stable("nosuchsystem://nowhere/digits", 3)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("latest", r"^Expected a version in .*digits\. Received: none\. Run `tapeline run` first: it pushes one\.$"),
        ("3", r"Received: 3\. There is none yet; `tapeline run` pushes one\.$"),
        ("newest", r"Received: 'newest'\. There is none yet; `tapeline run` pushes one\.$"),
    ],
)
def test_before_the_first_push_the_way_to_one_is_told(tmp_path, asked, said):
    (tmp_path / "digits").mkdir()
    with pytest.raises(ConfigError, match=said):
        pushed_versions.chosen(asked, pushed_versions.find(f"{tmp_path}/digits"))


def test_a_word_for_a_version_that_nobody_can_see_names_none(tmp_path):
    with pytest.raises(ConfigError, match=r"Received: 'newest'\.$"):
        pushed_versions.chosen("newest", pushed_versions.find(f"{tmp_path}/none"))
