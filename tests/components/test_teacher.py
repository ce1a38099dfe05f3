"""The look-up of the model to learn from, on folders as the Pusher leaves them."""

import pytest
from tfx.types import standard_artifacts

from components.teacher import TeacherModel, find, fingerprint_of
from trainer.errors import ConfigError
from trainer.export import DISTILLED


@pytest.fixture
def pushed(tmp_path):
    """pushed("7"): the folder of the versions, with one more; `distilled` is one that learnt from another."""

    def make(*versions, distilled=()):
        for version in (*versions, *distilled):
            (tmp_path / "served" / version / "assets.extra").mkdir(parents=True)
            (tmp_path / "served" / version / "saved_model.pb").write_text(version)
        for version in distilled:
            (tmp_path / "served" / version / DISTILLED).write_text("so")
        return str(tmp_path / "served")

    return make


def test_it_is_the_last_version_that_was_not_distilled_itself(pushed):
    path = pushed("7", "8", distilled=["9"])
    assert find("", path) == f"{path}/8"


def test_it_is_the_stable_version_where_that_was_not_distilled(pushed, tmp_path):
    path = pushed("7", "8", distilled=["9"])
    note = tmp_path / "served" / "released.json"
    note.write_text('{"stable": 7}')
    assert find("", path) == f"{path}/7"
    note.write_text('{"stable": 9}')
    assert find("", path) == f"{path}/8"


def test_a_folder_that_is_named_is_a_model_or_has_versions_distilled_or_not(pushed):
    path = pushed("7", distilled=["9"])
    assert find(f"{path}/9", "/nowhere") == find(path, "/nowhere") == f"{path}/9"


def test_where_there_is_none_one_line_says_what_to_do(pushed, tmp_path):
    with pytest.raises(ConfigError, match=r"Received: none in .*Run with `trainer\.step: standard` first, or give .*teacher: FOLDER"):
        find("", pushed(distilled=["9"]))
    with pytest.raises(ConfigError, match=r"`trainer\.step\.teacher`\. Received: '.*gone', which has no saved_model\.pb"):
        find(str(tmp_path / "gone"), "/nowhere")


def test_the_step_hands_on_a_copy(pushed, tmp_path):
    path, model = pushed("7"), standard_artifacts.Model()
    model.uri = str(tmp_path / "model")
    given = {"teacher": "", "serving_path": path, "fingerprint": ""}
    TeacherModel(**given).executor_spec.executor_class().Do({}, {"model": [model]}, given)
    assert (tmp_path / "model" / "Format-Serving" / "saved_model.pb").read_text() == "7"


def test_a_copy_has_the_same_fingerprint_and_an_edited_model_another(pushed, tmp_path):
    path = pushed("7", "8")
    (tmp_path / "served" / "8" / "saved_model.pb").write_text("7")
    assert fingerprint_of(f"{path}/7") == fingerprint_of(f"{path}/8")
    (tmp_path / "served" / "8" / "saved_model.pb").write_text("8")
    assert fingerprint_of(f"{path}/7") != fingerprint_of(f"{path}/8")
