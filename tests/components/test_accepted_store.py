"""The statistics of the data accepted last, where Kubeflow's steps share them."""

from pathlib import Path

import pytest
from tfx.types import standard_artifacts

from components import accepted_store


@pytest.fixture
def place(tmp_path):
    return str(tmp_path / "root" / "digits" / "accepted")


def compared_with(place, fingerprint):
    folder = accepted_store.folder(place, fingerprint)
    return Path(folder, "Split-train", "FeatureStats.pb").read_bytes() if folder else None


def test_the_first_data_is_compared_with_nothing(place):
    assert accepted_store.folder(place, "a") == ""


def test_other_data_is_compared_with_that_accepted_last_and_the_same_as_it_was_before(place):
    accepted_store.remember(place, "a", b"of a")
    assert [compared_with(place, name) for name in "ab"] == [None, b"of a"]
    accepted_store.remember(place, "b", b"of b")
    assert [compared_with(place, name) for name in "abc"] == [b"of b", b"of a", b"of b"]


def test_a_step_that_is_tried_again_accepts_the_same_and_leaves_no_unfinished_file(place):
    for fingerprint in "abb":
        accepted_store.remember(place, fingerprint, fingerprint.encode())
    assert [compared_with(place, name) for name in "bc"] == [b"a", b"b"]
    assert sorted(path.name for path in Path(place).rglob("*") if path.is_file()) == ["FeatureStats.pb", "FeatureStats.pb", "last.json"]


def test_another_runs_statistics_stay_until_it_has_read_them(place):
    accepted_store.remember(place, "a", b"of a")
    folder = accepted_store.folder(place, "z")
    for fingerprint in "bcd":
        accepted_store.remember(place, fingerprint, fingerprint.encode())
    assert Path(folder, "Split-train", "FeatureStats.pb").read_bytes() == b"of a"


def test_a_broken_pointer_or_statistics_that_are_gone_compare_nothing(place):
    accepted_store.remember(place, "a", b"of a")
    Path(place, "last.json").write_text("{", encoding="utf-8")
    assert accepted_store.folder(place, "b") == ""
    accepted_store.remember(place, "a", b"of a")
    Path(accepted_store.folder(place, "b"), "Split-train", "FeatureStats.pb").unlink()
    assert accepted_store.folder(place, "b") == ""


def test_what_the_gate_wrote_is_accepted_under_the_data_that_it_names(place, tmp_path):
    found = standard_artifacts.ExampleAnomalies()
    found.uri = str(tmp_path / "found")
    found.set_string_custom_property(accepted_store.FINGERPRINT, "a")
    Path(found.uri, "Split-train").mkdir(parents=True)
    Path(found.uri, "Split-train", "FeatureStats.pb").write_bytes(b"of a")
    accepted_store.accept(place, found)
    assert [compared_with(place, name) for name in "ab"] == [None, b"of a"]
