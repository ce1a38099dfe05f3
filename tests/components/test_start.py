"""Where the weights to start from are, and that their content is in the digest."""

import pytest

from components.start import find
from trainer.errors import ConfigError


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
