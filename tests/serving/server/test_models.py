"""The set of models: replaced as a whole or not at all, versions asked for by number or label, with real SavedModels."""

import shutil
import threading

import numpy as np
import pytest
from google.protobuf import text_format
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.errors import FailedPreconditionError, InvalidArgumentError, NotFoundError, ServingError
from serving.server.config_file import ConfigFile
from serving.server.logged_requests import read_request_log
from serving.server.logging_config import read_logging_configs
from serving.server.model_spec import ModelSpec
from serving.server.models import Models
from serving.server.record_files import RecordFiles, Rotation
from serving.server.request_log import RequestLog
from serving.server.saved_model import SavedModel
from serving.server.version_status import State

PIXELS = {"pixels": np.zeros((1, 28, 28, 1), np.uint8)}


def entry(name, base_path, rest=""):
    return f'config {{ name: "{name}" base_path: "{base_path}" model_platform: "tensorflow" {rest} }}'


def text(*entries):
    return f"model_config_list {{ {' '.join(entries)} }}"


def config(*entries):
    return text_format.Parse(text(*entries), ModelServerConfig())


def labels(**versions):
    return " ".join(f'version_labels {{ key: "{label}" value: {version} }}' for label, version in versions.items())


def answer(models, name="digits", version=None, label=""):
    """(version, class) of a black image: the class is the version's constant."""
    with models.lease(ModelSpec(name, version, version_label=label)) as (number, loaded):
        return number, call(loaded)


def call(loaded):
    return int(loaded.run(loaded.signature("predict_pixels"), PIXELS)["classes"][0])


def states(models, name="digits"):
    return [(status.version, status.state.name) for status in models.statuses(ModelSpec(name))]


ALL = "model_version_policy { all {} }"


@pytest.fixture
def base(tmp_path, write_version):
    """Base paths: `digits` has version 1, `more` has versions 1 and 2 (constants 4 and 5), `bad` a corrupt one, `empty` none."""
    write_version(tmp_path / "digits", 1, 1)
    write_version(tmp_path / "more", 1, 4)
    write_version(tmp_path / "more", 2, 5)
    (tmp_path / "bad" / "3").mkdir(parents=True)
    (tmp_path / "bad" / "3" / "saved_model.pb").write_bytes(b"no model")
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.fixture
def make(base):
    """Called with options it gives a set that serves `digits`."""

    def make_models(*more, **options):
        models = Models(**options)
        models.start(config(entry("digits", base / "digits"), *more))
        models.poll()
        return models

    return make_models


@pytest.fixture
def models(make):
    return make()


def test_several_models_are_served_side_by_side(make, base):
    models = make(entry("more", base / "more", ALL))
    assert (answer(models), answer(models, "more"), answer(models, "more", 1)) == ((1, 1), (2, 5), (1, 4))


def test_what_is_not_served_is_not_found_by_its_name(models):
    for version, wanted in ((None, r"Latest\(nobody\)"), (3, r"Specific\(nobody, 3\)")):
        with pytest.raises(NotFoundError, match=rf"^Servable not found for request: {wanted}$"):
            models.lease(ModelSpec("nobody", version))
    with pytest.raises(NotFoundError, match=r"^Could not find any versions of model nobody$"):
        models.statuses(ModelSpec("nobody"))
    with pytest.raises(NotFoundError, match=r"^Could not find version 3 of model nobody$"):
        models.statuses(ModelSpec("nobody", 3))


def test_a_request_names_its_model(models):
    with pytest.raises(InvalidArgumentError, match=r"^ModelSpec has no name specified\.$"):
        models.lease(ModelSpec(""))


def test_a_reload_replaces_the_whole_set_and_has_it_available_when_it_returns(models, base):
    with models.lease(ModelSpec("digits")) as (_, held):
        models.reload(config(entry("more", base / "more")))
        assert answer(models, "more") == (2, 5)
        with pytest.raises(NotFoundError, match=r"Latest\(digits\)"):
            answer(models)
        assert call(held) == 1
    assert states(models) == [(1, "END")]


def test_a_model_that_stays_is_not_loaded_again(make, base):
    loaded = []

    def load(path):
        loaded.append(path.parent.name)
        return SavedModel(path)

    models = make(load=load)
    models.reload(config(entry("digits", base / "digits"), entry("more", base / "more")))
    assert loaded == ["digits", "more"]


def test_a_model_may_move_to_another_folder(models, base):
    models.reload(config(entry("digits", base / "more")))
    assert answer(models) == (2, 5)


def test_a_reload_may_change_the_policy_of_a_model_that_is_served(make, base):
    models = make(entry("more", base / "more"))
    one = "model_version_policy { specific { versions: 1 } }"
    models.reload(config(entry("digits", base / "digits"), entry("more", base / "more", one)))
    assert answer(models, "more") == (1, 4)
    assert states(models, "more") == [(2, "END"), (1, "AVAILABLE")]


@pytest.mark.parametrize(
    ("entries", "error", "match"),
    [
        ((("digits", "more"), ("digits", "more")), InvalidArgumentError, "^Illegal to list model digits multiple times in config list$"),
        ((("digits", "more", "", "models/more"),), InvalidArgumentError, "to have an absolute path or URI; got base_path"),
        (
            (("more", "more", labels(stable=2)),),
            FailedPreconditionError,
            "^Request to assign label to version 2 of model more, which is not",
        ),
    ],
)
def test_what_is_refused_leaves_the_old_set_serving(models, base, entries, error, match):
    written = [entry(name, path or base / folder, rest) for name, folder, rest, path in (((*given, "", "")[:4]) for given in entries)]
    with pytest.raises(error, match=match):
        models.reload(config(*written))
    assert answer(models) == (1, 1)
    assert [model.name for model in models.served()] == ["digits"]


def test_a_changed_platform_is_refused_and_another_platform_as_well(models, base):
    caffe = entry("digits", base / "digits").replace('"tensorflow"', '"caffe"')
    with pytest.raises(InvalidArgumentError, match=r"^Illegal to change a model's platform\. For model digits platform was tensorflow"):
        models.reload(config(caffe))
    with pytest.raises(InvalidArgumentError, match=r"^Model new requests unsupported platform caffe$"):
        models.reload(config(caffe.replace("digits", "new", 1)))
    assert answer(models) == (1, 1)


def test_a_model_that_cannot_be_loaded_fails_the_reload_and_the_old_set_keeps_serving(make, base):
    events = []
    models = make(report=events.append)
    with pytest.raises(
        ServingError, match=r"^1 model\(s\) did not become available: \{\{\{name: bad version: 3\} due to error: UNKNOWN: "
    ) as raised:
        models.reload(config(entry("more", base / "more"), entry("bad", base / "bad")))
    assert raised.value.code == "UNKNOWN"
    assert answer(models) == (1, 1)
    with pytest.raises(NotFoundError):
        answer(models, "more")
    assert (states(models, "more"), states(models, "bad")) == ([(2, "END")], [(3, "END")])
    assert [event.model for event in events if event.kind == "failed"] == []


def test_a_new_policy_that_finds_nothing_fails_the_reload_and_the_old_one_stays(models, base):
    nine = "model_version_policy { specific { versions: 9 } }"
    with pytest.raises(ServingError, match="Unable to find a version to serve at: "):
        models.reload(config(entry("digits", base / "digits", nine)), patience=0)
    models.poll()
    assert answer(models) == (1, 1)


def test_a_reload_waits_for_the_first_version_of_a_new_model(make, base, write_version):
    models = make(patience=60.0)
    reload = threading.Thread(target=models.reload, args=(config(entry("empty", base / "empty")),))
    reload.start()
    write_version(base / "empty", 8, 8)
    reload.join()
    assert answer(models, "empty") == (8, 8)


def test_a_missing_folder_fails_the_reload_when_patience_ends(make, base):
    models = make(patience=0.0)
    with pytest.raises(ServingError, match=r"\{name: none\} due to error: NOT_FOUND: Unable to find a version to serve at: .*/none"):
        models.reload(config(entry("none", base / "none")))
    assert answer(models) == (1, 1)


def test_an_empty_list_serves_nothing_and_a_later_one_does_again(models, base):
    models.reload(config())
    with pytest.raises(NotFoundError):
        answer(models)
    models.reload(config(entry("digits", base / "digits")))
    assert answer(models) == (1, 1)


@pytest.mark.parametrize("kind", ["nothing", "custom"])
def test_only_a_list_replaces_a_list(models, kind):
    other = ModelServerConfig()
    if kind == "custom":
        other.custom_model_config.SetInParent()
    with pytest.raises(
        InvalidArgumentError, match=r"^ServerModelConfig type not supported by HandleReloadConfigRequest\. Only ModelConfigList"
    ):
        models.reload(other)
    assert answer(models) == (1, 1)


def test_a_label_points_at_an_available_version(make, base):
    models = make(entry("more", base / "more", ALL))
    models.reload(config(entry("more", base / "more", ALL + labels(stable=1, canary=2))))
    assert (answer(models, "more", label="stable"), answer(models, "more", label="canary")) == ((1, 4), (2, 5))
    assert [status.version for status in models.statuses(ModelSpec("more", version_label="stable"))] == [1]
    with pytest.raises(InvalidArgumentError, match=r"^Unrecognized servable version label: other$"):
        answer(models, "more", label="other")
    with pytest.raises(InvalidArgumentError, match=r"^Unrecognized servable version label: stable$"):
        answer(models, "nobody", label="stable")


def test_a_label_may_not_move_to_a_version_that_is_not_there(make, base):
    models = make(entry("more", base / "more", ALL))
    models.reload(config(entry("more", base / "more", ALL + labels(stable=1))))
    with pytest.raises(FailedPreconditionError, match="Request to assign label to version 7 of model more"):
        models.reload(config(entry("more", base / "more", ALL + labels(stable=7))))
    assert answer(models, "more", label="stable") == (1, 4)


def test_where_it_is_allowed_a_new_label_may_wait_for_its_version_but_not_move_there(make, base, write_version):
    models = make(entry("more", base / "more", ALL + labels(stable=1, next=3)), allow_version_labels_for_unavailable_models=True)
    assert answer(models, "more", label="stable") == (1, 4)
    with pytest.raises(NotFoundError, match=r"^Servable not found for request: Specific\(more, 3\)$"):
        answer(models, "more", label="next")
    with pytest.raises(FailedPreconditionError, match="Request to assign label to version 9 of model more"):
        models.reload(config(entry("more", base / "more", ALL + labels(stable=9))))
    write_version(base / "more", 3, 6)
    models.poll()
    assert answer(models, "more", label="next") == (3, 6)


def test_where_every_label_is_allowed_one_may_move_to_a_version_that_is_to_come(make, base, write_version):
    models = make(entry("more", base / "more", ALL + labels(stable=1)), force_allow_any_version_labels_for_unavailable_models=True)
    models.reload(config(entry("digits", base / "digits"), entry("more", base / "more", ALL + labels(stable=3))))
    write_version(base / "more", 3, 6)
    models.poll()
    assert answer(models, "more", label="stable") == (3, 6)


def test_without_leave_no_label_can_be_there_from_the_start(base):
    with pytest.raises(FailedPreconditionError, match="which is not currently available for inference"):
        Models().start(config(entry("digits", base / "digits", labels(stable=1))))


def test_a_switch_while_a_reload_waits_goes_on(make, base, write_version):
    models = make(patience=60.0)
    reload = threading.Thread(target=models.reload, args=(config(entry("digits", base / "digits"), entry("empty", base / "empty")),))
    reload.start()
    write_version(base / "digits", 2, 2)
    models.poll()
    assert answer(models) == (2, 2)
    write_version(base / "empty", 1, 7)
    reload.join()
    assert (answer(models), answer(models, "empty")) == ((2, 2), (1, 7))


def test_an_edit_of_the_config_file_is_served_and_a_bad_one_is_told_once(models, base, tmp_path):
    told = []
    path = tmp_path / "models.config"
    path.write_text(text(entry("more", base / "more")))
    file = ConfigFile(path, models, told.append)
    file.poll()
    assert answer(models, "more") == (2, 5)
    for bad, reason in (
        ("model_config_list {", "Invalid protobuf file"),
        ("", "Only ModelConfigList is currently supported"),
        (text(entry("more", base / "more"), entry("bad", base / "bad")), "1 model(s) did not become available"),
        (text(entry("more", base / "none")), "Unable to find a version to serve"),
    ):
        path.write_text(bad)
        file.poll()
        file.poll()
        assert reason in told.pop()
        assert told == []
        assert answer(models, "more") == (2, 5)
    path.unlink()
    file.poll()
    assert "cannot be read" in told.pop()
    path.write_text(text(entry("digits", base / "digits")))
    file.poll()
    assert (answer(models), told) == ((1, 1), [])


def test_a_bad_logging_config_leaves_models_and_log_as_they_are_and_a_good_one_changes_both(models, base, tmp_path):
    """Also one that could not be applied only after the models had been replaced: its folder belongs to another server."""
    told = []
    log = RequestLog(None)
    taken = RecordFiles(tmp_path / "taken", Rotation())
    path = tmp_path / "models.config"
    file = ConfigFile(path, models, told.append, lambda config: log.updated(read_logging_configs(config, tmp_path)))

    def write(name, rate, prefix):
        sampling, collector = f"sampling_config {{ sampling_rate: {rate} }}", f'log_collector_config {{ filename_prefix: "{prefix}" }}'
        path.write_text(text(entry(name, base / name, f"logging_config {{ {sampling} {collector} }}")))

    for rate, prefix, reason in ((2.0, "more", "Expected sampling_rate"), (1.0, "taken", "Another server writes the request log")):
        write("more", rate, prefix)
        file.poll()
        assert reason in told.pop()
        assert answer(models) == (1, 1)
        with pytest.raises(NotFoundError):
            answer(models, "more")
    write("none", 1.0, "unused")  # it has no version: the log's new files are given back with the models' old set
    file.poll()
    assert "Unable to find a version to serve" in told.pop()
    RecordFiles(tmp_path / "unused", Rotation()).close()
    write("more", 1.0, "more")
    file.poll()
    assert (answer(models, "more"), told) == ((2, 5), [])
    log.offer("more", lambda: ("predict_log", PredictRequest(), PredictResponse()))
    log.close()
    taken.close()
    assert len(list(read_request_log(tmp_path / "more-00001.tfrecord"))) == 1


def test_a_model_added_to_the_config_file_is_served_as_soon_as_it_has_a_version(models, base, tmp_path, write_version):
    path = tmp_path / "models.config"
    path.write_text(text(entry("digits", base / "digits"), entry("empty", base / "empty")))
    file = ConfigFile(path, models, lambda line: None)
    file.poll()
    assert answer(models) == (1, 1)
    write_version(base / "empty", 1, 7)
    file.poll()
    assert answer(models, "empty") == (1, 7)


def test_every_model_follows_its_own_folder(make, base, write_version):
    models = make(entry("more", base / "more"))
    write_version(base / "digits", 2, 2)
    shutil.rmtree(base / "more" / "2")
    models.poll()
    assert (answer(models), answer(models, "more")) == ((2, 2), (1, 4))
    assert all(status.state != State.LOADING for status in models.statuses(ModelSpec("more")))
