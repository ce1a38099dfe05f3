"""What `tapeline serve` and `tapeline predict` take where no model is named: the one that was pushed last."""

import os

import pytest

from pipeline import pushed_models


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Two models below runs/; `digits` was pushed last."""
    monkeypatch.chdir(tmp_path)
    for age, place in enumerate(("digits/serving/digits/200", "mnist/serving/mnist/900", "digits/serving/digits/100")):
        folder = tmp_path / "runs" / place
        folder.mkdir(parents=True)
        os.utime(folder, (1_000_000 - age, 1_000_000 - age))
    return tmp_path / "runs"


def test_the_model_that_was_pushed_last_is_served_and_asked(runs):
    assert pushed_models.with_default_model(["--port=auto"]) == [
        "--port=auto",
        "--model_name=digits",
        f"--model_base_path={runs}/digits/serving/digits",
    ]
    assert pushed_models.names() == ["digits", "mnist"]


@pytest.mark.parametrize("arguments", [["--model_name=x", "--model_base_path=y"], ["--model_name=unknown"], ["-h"], ["--help"]])
def test_whoever_says_all_of_it_names_an_unknown_model_or_asks_for_help_gets_just_that(runs, arguments):
    assert pushed_models.with_default_model(arguments) == arguments


@pytest.mark.parametrize("arguments", [["--model_name", "mnist"], ["--model_name=mnist"]])
def test_a_name_alone_finds_the_models_folder(runs, arguments):
    received = pushed_models.with_default_model(arguments)
    assert received == [*arguments, f"--model_base_path={runs}/mnist/serving/mnist"]


@pytest.mark.parametrize("arguments", [["--model_base_path", "some/y"], ["--model_base_path=some/y"]])
def test_a_folder_alone_names_the_model(runs, arguments):
    assert pushed_models.with_default_model(arguments) == [*arguments, "--model_name=y"]


def test_a_version_is_the_newest_if_it_is_there_and_no_sibling_has_a_higher_number(runs):
    folder = runs / "digits" / "serving" / "digits"
    assert pushed_models.is_newest(str(folder / "200"))
    assert not pushed_models.is_newest(str(folder / "100"))
    assert not pushed_models.is_newest(str(folder / "300"))
    assert pushed_models.is_newest("gs://bucket/model/3")


def test_what_is_half_copied_is_no_version(runs):
    (runs / "new" / "serving" / "new" / ".incoming-host-1").mkdir(parents=True)
    assert pushed_models.newest_model(runs) == runs / "digits" / "serving" / "digits"


def test_where_nothing_was_pushed_nothing_is_added(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert pushed_models.newest_model(tmp_path / "runs") is None
    assert pushed_models.with_default_model(["--port=auto"]) == ["--port=auto"]
    assert pushed_models.names() == []
