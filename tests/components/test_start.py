"""Where the weights to start from are, and that their content is in the digest."""

import pytest
from tfx.types import standard_artifacts

from components.start import StartModel, find
from trainer.errors import ConfigError
from trainer.start import handed_on


def test_another_content_of_a_file_is_another_digest(tmp_path):
    file = tmp_path / "given.weights.h5"
    file.write_bytes(b"one")
    first = find(str(file), "/nowhere")
    assert find(str(file), "/nowhere") == first
    file.write_bytes(b"two")
    assert find(str(file), "/nowhere").digest != first.digest


def test_last_is_the_stable_version_or_else_the_newest_one_that_is_complete(tmp_path):
    assert find("last", str(tmp_path / "served")) is None
    for version in ("7", "8"):
        (tmp_path / "served" / version).mkdir(parents=True)
        (tmp_path / "served" / version / "saved_model.pb").write_text(version)
    (tmp_path / "served" / "9").mkdir()
    assert find("last", str(tmp_path / "served")).place == str(tmp_path / "served" / "8")
    (tmp_path / "served" / "released.json").write_text('{"stable": 7}')
    assert find("last", str(tmp_path / "served")).place == str(tmp_path / "served" / "7")


def test_what_is_not_there_or_is_no_model_is_said_with_the_nearest_name(tmp_path):
    (tmp_path / "given.weights.h5").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"Received: '.*gvien\.weights\.h5', which does not exist\. Did you mean 'given\.weights\.h5'\?"):
        find(str(tmp_path / "gvien.weights.h5"), "/nowhere")
    with pytest.raises(ConfigError, match=r"a file ending in \.weights\.h5 or \.keras, or the folder of a SavedModel.*which is neither\."):
        find(str(tmp_path), "/nowhere")


def handed(folder, start_from, served):
    """What the Trainer is handed by the step that finds it on a cluster."""
    model = standard_artifacts.Model()
    model.uri = str(folder / "model")
    StartModel.EXECUTOR_SPEC.executor_class().Do({}, {"model": [model]}, {"start_from": start_from, "serving_path": str(served)})
    return handed_on(f"{model.uri}/Format-Serving")


def test_on_a_cluster_a_step_hands_on_a_copy_of_what_is_served_or_of_a_file_and_nothing_before_the_first_push(tmp_path):
    served = tmp_path / "served"
    assert handed(tmp_path / "none", "last", served) is None
    (served / "8" / "variables").mkdir(parents=True)
    (served / "8" / "saved_model.pb").write_text("8")
    (served / "8" / "variables" / "variables.index").write_text("weights")
    found = handed(tmp_path / "last", "last", served)
    assert found.place == str(tmp_path / "last" / "model" / "Format-Serving")
    assert (tmp_path / "last/model/Format-Serving/variables/variables.index").read_text() == "weights"
    assert handed(tmp_path / "folder", str(served / "8"), tmp_path / "nowhere").place.endswith("folder/model/Format-Serving")
    (tmp_path / "given.weights.h5").write_bytes(b"one")
    file = handed(tmp_path / "file", str(tmp_path / "given.weights.h5"), served).place
    assert file.endswith("/Format-Serving/given.weights.h5")
    with pytest.raises(ConfigError, match=r"Received: '.*/gone\.keras', where there is none"):
        handed(tmp_path / "gone", str(tmp_path / "gone.keras"), served)
