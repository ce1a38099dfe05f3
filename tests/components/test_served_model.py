"""The look-up of the served model, on folders as the Pusher leaves them."""

import pytest
from tfx.types import standard_artifacts

from components.served_model import FOUND, VERSION, ServedModel, served_version


@pytest.fixture
def served(tmp_path):
    """served("7", "0000010"): a folder with such versions, each with a saved_model.pb that holds its name."""

    def make(*versions):
        for version in versions:
            (tmp_path / "served" / version).mkdir(parents=True)
            (tmp_path / "served" / version / "saved_model.pb").write_text(version)
        return str(tmp_path / "served")

    return make


def _look_up(path, tmp_path, drop=0.01):
    model = standard_artifacts.Model()
    model.uri = str(tmp_path / "model")
    component = ServedModel(serving_path=path)
    executor = component.executor_spec.executor_class()
    executor.Do({}, {"model": [model]}, {"serving_path": path, "max_accuracy_drop": drop})
    return model


def test_versions_are_numbers_and_the_highest_is_the_newest(served):
    assert served_version(served("9", "0000010", "8")) == "0000010"


def test_what_is_no_version_is_passed_over(served, tmp_path):
    path = served("3", ".incoming-host-1", "latest")
    (tmp_path / "served" / "4").mkdir()  # still being copied
    assert served_version(path) == "3"


@pytest.mark.parametrize(
    ("note", "version"),
    [
        ('{"stable": 7}', "0000007"),
        ('{"stable": 9}', "0000010"),  # removed since
        ('{"stable": 8}', "0000010"),  # not whole
        ('{"stable": "7"}', "0000010"),
        ("[]", "0000010"),
        ("", "0000010"),
        ("[" * 100_000, "0000010"),
        ("\xe9", "0000010"),  # in Latin-1 no UTF-8
    ],
    ids=lambda value: value[:20],
)
def test_what_a_release_made_stable_is_what_is_served_while_it_is_there(served, tmp_path, note, version):
    path = served("0000007", "0000010")
    (tmp_path / "served" / "8").mkdir()
    (tmp_path / "served" / "released.json").write_text(note, encoding="latin-1")
    assert served_version(path) == version


def test_a_folder_in_the_place_of_the_release_s_note_is_passed_over(served, tmp_path):
    path = served("0000007", "0000010")
    (tmp_path / "served" / "released.json").mkdir()
    assert served_version(path) == "0000010"


def test_a_drop_of_1_needs_no_baseline_and_so_none_is_copied(served, tmp_path):
    model = _look_up(served("1"), tmp_path, drop=1.0)
    assert model.get_int_custom_property(FOUND) == 0
    assert not (tmp_path / "model" / "Format-Serving").exists()


@pytest.mark.parametrize("path", ["nowhere", "a-file"])
def test_a_folder_that_is_not_there_has_no_version(tmp_path, path):
    (tmp_path / "a-file").write_text("")
    assert served_version(str(tmp_path / path)) is None


def test_the_served_version_becomes_the_artifact(served, tmp_path):
    model = _look_up(served("1", "2"), tmp_path)
    assert (tmp_path / "model" / "Format-Serving" / "saved_model.pb").read_text() == "2"
    assert model.get_string_custom_property(VERSION) == "2"
    assert model.get_int_custom_property(FOUND) == 1


def test_where_nothing_is_served_the_artifact_says_so_and_is_not_empty(tmp_path):
    model = _look_up(str(tmp_path / "nowhere"), tmp_path)
    assert model.get_int_custom_property(FOUND) == 0
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["served_version.txt"]
