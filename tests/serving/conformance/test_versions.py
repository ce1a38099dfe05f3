"""Versions: which folders count, which of them a policy serves, and what happens while they come and go."""

import threading

import pytest

from tests.serving.conformance.models import write_corrupt_version, write_version
from tests.serving.conformance.target import eventually, predict_request, refused

_AVAILABLE, _END = 30, 50


def _available(target, name):
    return [number for number, state in target.states(name).items() if state == _AVAILABLE]


def test_folder_names_are_compared_as_numbers(target):
    assert target.version("numbered") == 12


@pytest.mark.parametrize("number", [0, 1, 7, 12])
def test_every_integer_is_a_version(target, number):
    assert target.version("numbered", version=number) == number


def test_other_folders_are_ignored(target):
    assert sorted(target.states("numbered")) == [0, 1, 7, 12]


@pytest.mark.parametrize(("label", "number"), [("stable", 7), ("canary", 12)])
def test_a_label_stands_for_its_version(target, label, number):
    response = target.predict(predict_request("numbered", {"x": [1.0]}, label=label))
    assert list(response.outputs["version"].int64_val) == [number]
    assert (response.model_spec.version.value, response.model_spec.version_label) == (number, "")


@pytest.mark.parametrize(
    ("name", "served", "missing"),
    [("newest", [3], 2), ("two_newest", [3, 2], 1), ("specific", [2], 3), ("numbered", [12, 7, 1, 0], 99)],
    ids=["no policy: the latest", "latest 2", "specific", "all"],
)
def test_a_policy_says_what_is_served(target, name, served, missing):
    assert _available(target, name) == served
    assert target.version(name) == served[0]
    assert [target.version(name, version=number) for number in served] == served
    request = predict_request(name, {"x": [1.0]}, version=missing)
    assert refused(target.predict, request) == ("NOT_FOUND", f"Servable not found for request: Specific({name}, {missing})")


class _Caller:
    """Asks without a pause which version serves, and keeps every answer."""

    def __init__(self, target, name):
        self.versions, self.errors, self._stop = [], [], threading.Event()
        self._thread = threading.Thread(target=self._ask, args=(target, name))

    def _ask(self, target, name):
        while not self._stop.is_set():
            try:
                self.versions.append(target.version(name))
            except Exception as error:  # noqa: BLE001 - the test shows whatever it was
                self.errors.append(error)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._stop.set()
        self._thread.join()


@pytest.fixture
def changing(target, models):
    """The base path of `changing`, with version 1 alone before and after.

    A server remembers the others at their end, so a version that fails has a number of its own.
    """
    base_path = models / "changing"
    yield base_path
    for entry in base_path.iterdir():
        if entry.name != "1":
            _remove(entry)
    eventually(lambda: _available(target, "changing") == [1])


def _remove(version):
    """At once, as a push does: the name goes first."""
    doomed = version.rename(version.with_name(f"removed-{version.name}"))
    for path in sorted(doomed.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    doomed.rmdir()


def test_no_request_fails_or_goes_back_in_time_while_versions_come(target, changing):
    with _Caller(target, "changing") as caller:
        for number in (2, 3):
            eventually(lambda: caller.versions)
            write_version(changing, number)
            eventually(lambda number=number: caller.versions[-1] == number)
    assert caller.errors == []
    assert caller.versions == sorted(caller.versions)
    assert {*caller.versions} == {1, 2, 3}


def test_an_unloaded_version_ends_without_an_error(target, changing):
    write_version(changing, 2)
    eventually(lambda: _available(target, "changing") == [2] and target.states("changing")[1] == _END)
    version = next(entry for entry in target.get("/v1/models/changing").json["model_version_status"] if entry["version"] == "1")
    assert version == {"version": "1", "state": "END", "status": {"error_code": "OK", "error_message": ""}}
    request = predict_request("changing", {"x": [1.0]}, version=1)
    assert refused(target.predict, request) == ("NOT_FOUND", "Servable not found for request: Specific(changing, 1)")


def test_removing_the_newest_rolls_back(target, changing):
    write_version(changing, 2)
    eventually(lambda: _available(target, "changing") == [2])
    with _Caller(target, "changing") as caller:
        _remove(changing / "2")
        eventually(lambda: caller.versions and caller.versions[-1] == 1)
    assert caller.errors == []
    assert caller.versions == sorted(caller.versions, reverse=True)


def test_a_corrupt_version_leaves_the_old_one_serving(target, changing):
    with _Caller(target, "changing") as caller:
        write_corrupt_version(changing, 5)
        eventually(lambda: target.states("changing").get(5) == _END)
    assert (caller.errors, {*caller.versions}) == ([], {1})
    failed = next(entry for entry in target.get("/v1/models/changing").json["model_version_status"] if entry["version"] == "5")
    assert failed["status"]["error_code"] != "OK"
    assert failed["status"]["error_message"]


@pytest.mark.tapeline_only  # TensorFlow Serving tries again after a minute, and 5 times
def test_a_version_that_is_still_copied_is_tried_again(target, changing):
    whole = write_version(changing, "whole", 6)
    partial = changing / "6"
    partial.mkdir()
    eventually(lambda: target.states("changing").get(6) == _END)
    assert target.version("changing") == 1
    for path in sorted(whole.rglob("*")):
        copy = partial / path.relative_to(whole)
        copy.mkdir() if path.is_dir() else copy.write_bytes(path.read_bytes())
    eventually(lambda: target.version("changing") == 6)


def test_a_base_path_that_vanishes_keeps_what_is_loaded(target, changing):
    """Another model's switch shows that the server has looked at the files meanwhile."""
    hidden = changing.rename(changing.with_name("changing-hidden"))
    newer = write_version(changing.with_name("newest"), 4)
    try:
        eventually(lambda: target.version("newest") == 4)
        assert target.version("changing") == 1
    finally:
        hidden.rename(changing)
        _remove(newer)
        eventually(lambda: _available(target, "newest") == [3])
    assert target.version("changing") == 1
