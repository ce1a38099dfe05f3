"""Version folders are integers compared as numbers, and a wrong base path is explained."""

import numpy as np
import pytest

from serving.client import Client
from serving.server.version_folders import find_versions, fingerprint, hint


def test_only_integers_are_versions_and_leading_zeros_do_not_count(tmp_path):
    for name in ("2", "0000010", "0", "tmp-3", "3.tmp", "-4", "٣", "beam-temp"):
        (tmp_path / name).mkdir()
    (tmp_path / "99").write_text("a file, no folder")
    assert sorted(find_versions(tmp_path)) == [0, 2, 10]
    assert find_versions(tmp_path)[10].name == "0000010"


def test_of_two_names_of_one_version_the_one_without_zeros_counts(tmp_path):
    for name in ("07", "7", "0000007"):
        (tmp_path / name).mkdir()
    assert find_versions(tmp_path) == {7: tmp_path / "7"}


def test_a_number_that_is_no_int64_is_no_version(tmp_path):
    (tmp_path / str(2**63)).mkdir()
    (tmp_path / str(2**63 - 1)).mkdir()
    assert sorted(find_versions(tmp_path)) == [2**63 - 1]


def test_a_link_to_a_folder_is_a_version(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "3").symlink_to(tmp_path / "elsewhere")
    assert sorted(find_versions(tmp_path)) == [3]


def test_a_missing_base_path_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        find_versions(tmp_path / "none")


def test_the_only_model_below_is_what_was_probably_meant(tmp_path):
    (tmp_path / "digits" / "1").mkdir(parents=True)
    (tmp_path / "logs").mkdir()
    assert hint(tmp_path) == f"did you mean --model_base_path {tmp_path}/digits?"
    assert hint(tmp_path, "base_path:") == f"did you mean base_path: {tmp_path}/digits?"


def test_several_models_below_are_named(tmp_path):
    (tmp_path / "digits" / "1").mkdir(parents=True)
    (tmp_path / "mnist" / "1").mkdir(parents=True)
    assert hint(tmp_path) == "it holds models: digits, mnist; name one of them in --model_base_path"


def test_a_version_itself_points_to_its_parent(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").touch()
    assert hint(tmp_path / "1") == f"it is a version itself; did you mean --model_base_path {tmp_path}?"


def test_missing_and_empty_folders_say_so(tmp_path):
    assert hint(tmp_path / "none") == "the folder does not exist yet"
    assert hint(tmp_path) == "it has no folder named by a number yet"


def test_a_fingerprint_changes_with_every_copied_byte(tmp_path):
    (tmp_path / "variables").mkdir()
    before = fingerprint(tmp_path)
    (tmp_path / "variables" / "data").write_bytes(b"1")
    first = fingerprint(tmp_path)
    (tmp_path / "variables" / "data").write_bytes(b"12")
    second = fingerprint(tmp_path)
    (tmp_path / "variables" / "data").chmod(0o600)
    assert len({before, first, second, fingerprint(tmp_path)}) == 4


def test_a_base_path_may_have_any_sign_that_tensorflow_takes_as_it_is(tmp_path, write_version, serve_here):
    base_path = tmp_path / "old]*?{a} #%20'é" / "digits"
    write_version(base_path, 7, 3)
    with Client(serve_here(base_path).grpc, model_name="digits") as client:
        assert client.predict({"a": np.float32([1]), "b": np.float32([2])}, "add")["sum"].tolist() == [3]
