"""One model's versions on disk, loaded and let go: with real SavedModels; only the clock is the test's."""

import shutil
import threading

import numpy as np
import pytest

from serving.errors import NotFoundError
from serving.server.model_config import VersionPolicy
from serving.server.saved_model import SavedModel
from serving.server.served_model import Retries, ServedModel
from serving.server.version_status import State

PIXELS = {"pixels": np.zeros((1, 28, 28, 1), np.uint8)}


class Clock:
    """Seconds that only the test moves."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def base(tmp_path):
    return tmp_path / "base"


@pytest.fixture
def events():
    return []


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def model(base, events, clock):
    return ServedModel("digits", base, report=events.append, clock=clock)


def answer(model, version=None):
    """(version, class) of a black image: the class is the version's constant."""
    with model.lease(version) as (number, loaded):
        return number, call(loaded)


def call(loaded):
    return int(loaded.run(loaded.signature("predict_pixels"), PIXELS)["classes"][0])


def told(events):
    return [(event.kind, event.version) for event in events]


def test_the_newest_by_number_is_served_not_the_last_by_name(model, base, write_version):
    write_version(base, 9, 1)
    write_version(base, "0010", 2)
    model.poll()
    assert answer(model) == (10, 2)


def test_a_missing_or_empty_base_path_waits_for_the_first_version(model, base, write_version):
    model.poll()
    with pytest.raises(NotFoundError, match=r"^Servable not found for request: Latest\(digits\)$"):
        answer(model)
    with pytest.raises(NotFoundError, match=r"^Could not find any versions of model digits$"):
        model.statuses()
    base.mkdir()
    model.poll()
    write_version(base, 1, 1)
    model.poll()
    assert answer(model) == (1, 1)


def test_a_request_in_flight_finishes_on_the_version_it_began_with(model, base, events, write_version):
    write_version(base, 1, 1)
    model.poll()
    with model.lease() as (number, loaded):
        write_version(base, 2, 2)
        model.poll()
        assert answer(model) == (2, 2)
        assert (number, call(loaded)) == (1, 1)
        assert [(status.version, status.state) for status in model.statuses()] == [(2, State.AVAILABLE), (1, State.UNLOADING)]
    assert [(status.version, status.state) for status in model.statuses()] == [(2, State.AVAILABLE), (1, State.END)]
    assert told(events) == [("available", 1), ("available", 2), ("unloaded", 1)]
    with pytest.raises(NotFoundError, match=r"^Servable not found for request: Specific\(digits, 1\)$"):
        answer(model, 1)


def test_a_corrupt_version_leaves_the_old_one_serving_and_is_reported_once(model, base, events, clock, write_version):
    write_version(base, 1, 1)
    model.poll()
    (base / "2").mkdir()
    (base / "2" / "saved_model.pb").write_bytes(b"not a model")
    for clock.now in (0.0, 100.0, 200.0):
        model.poll()
    assert answer(model) == (1, 1)
    assert told(events) == [("available", 1), ("failed", 2)]
    newest = model.statuses(2)[0]
    assert (newest.state, newest.error_code) == (State.END, "UNKNOWN")
    assert "saved_model.pb" in newest.error_message


def test_a_version_that_is_still_being_copied_is_tried_again_as_its_files_change(model, base, write_version, tmp_path):
    write_version(base, 1, 1)
    model.poll()
    whole = write_version(tmp_path / "elsewhere", 2, 2)
    (base / "2").mkdir()
    for part in ("saved_model.pb", "fingerprint.pb", "assets", "variables"):
        source = whole / part
        if source.is_dir():
            (base / "2" / part).mkdir()
        elif source.exists():
            shutil.copy(source, base / "2" / part)
        model.poll()
        assert answer(model) == (1, 1)
    for part in sorted((whole / "variables").iterdir()):
        target = base / "2" / "variables" / part.name
        target.write_bytes(part.read_bytes()[:-1])
        model.poll()
        assert answer(model) == (1, 1)
        target.write_bytes(part.read_bytes())
    model.poll()
    assert answer(model) == (2, 2)


def test_unchanged_files_that_failed_are_tried_again_after_one_then_two_then_four_seconds(base, clock):
    attempts = []

    def load(path):
        attempts.append(clock.now)
        raise OSError("no room")

    (base / "1").mkdir(parents=True)
    model = ServedModel("digits", base, load=load, clock=clock)
    for tenth in range(80):
        clock.now = tenth / 10
        model.poll()
    assert attempts == [0.0, 1.0, 3.0, 7.0]


def test_after_so_many_retries_only_a_change_of_the_files_is_tried_again(base, clock):
    attempts = []

    def load(path):
        attempts.append(clock.now)
        raise OSError("no room")

    (base / "1").mkdir(parents=True)
    model = ServedModel("digits", base, load=load, clock=clock, retries=Retries(most=2, interval=1.5))
    for clock.now in np.arange(0.0, 20.0, 0.5):
        model.poll()
    assert attempts == [0.0, 1.0, 2.5]
    (base / "1" / "late").touch()
    model.poll()
    assert attempts == [0.0, 1.0, 2.5, 19.5]


def test_a_failure_of_tensorflow_has_its_own_error_code(base):
    import tensorflow as tf

    def load(path):
        raise tf.errors.DataLossError(None, None, "checksum does not match")

    (base / "1").mkdir(parents=True)
    model = ServedModel("digits", base, load=load)
    model.poll()
    assert [(status.state, status.error_code, status.error_message) for status in model.statuses()] == [
        (State.END, "DATA_LOSS", "checksum does not match")
    ]


@pytest.mark.parametrize(
    ("policy", "served"),
    [
        (VersionPolicy("latest", 2), [3, 2]),
        (VersionPolicy("all"), [3, 2, 1]),
        (VersionPolicy("specific", versions=frozenset({1, 3, 9})), [3, 1]),
    ],
)
def test_the_policy_says_which_versions_are_served(base, write_version, policy, served):
    for number in (1, 2, 3):
        write_version(base, number, number)
    model = ServedModel("digits", base, policy)
    model.poll()
    assert [status.version for status in model.statuses() if status.state == State.AVAILABLE] == served
    assert answer(model) == (3, 3)
    assert [answer(model, number)[1] for number in served] == served


def test_a_policy_of_all_lets_a_removed_version_go_and_serves_the_next_newest(base, write_version):
    write_version(base, 1, 1)
    write_version(base, 2, 2)
    model = ServedModel("digits", base, VersionPolicy("all"))
    model.poll()
    shutil.rmtree(base / "2")
    model.poll()
    assert answer(model) == (1, 1)


def test_while_a_version_loads_the_others_wait_at_start_and_the_old_one_answers(base, write_version):
    seen = []

    class Loaded:
        def __init__(self, path):
            seen.append((int(path.name), [(status.version, status.state.name) for status in model.statuses()]))

        def close(self):
            pass

    model = ServedModel("digits", base, VersionPolicy("latest", 2), load=Loaded)
    for number in (1, 2, 3):
        (base / str(number)).mkdir(parents=True)
    model.poll()
    (base / "4").mkdir()
    model.poll()
    assert seen == [
        (3, [(3, "LOADING"), (2, "START")]),
        (2, [(3, "AVAILABLE"), (2, "LOADING")]),
        (4, [(4, "LOADING"), (3, "AVAILABLE"), (2, "AVAILABLE")]),
    ]


def test_while_versions_come_and_go_no_request_fails_or_goes_back_in_time(model, base, write_version):
    write_version(base, 1, 1)
    model.poll()
    done, answers, failures = threading.Event(), [[] for _ in range(4)], []

    def ask(mine):
        try:
            while not done.is_set():
                mine.append(answer(model))
        except Exception as error:  # noqa: BLE001 - whatever fails in a thread fails the test
            failures.append(error)

    callers = [threading.Thread(target=ask, args=(mine,)) for mine in answers]
    for caller in callers:
        caller.start()
    for number in (2, 3, 4, 5):
        write_version(base, number, number)
        if number == 4:
            (base / "4" / "saved_model.pb").write_bytes(b"corrupt")
        model.poll()
        shutil.rmtree(base / str(number - 1))
        model.poll()
    done.set()
    for caller in callers:
        caller.join()
    assert failures == []
    for mine in answers:
        assert mine == sorted(mine)
    assert answer(model) == (5, 5)


def test_a_version_that_is_wanted_again_while_a_request_holds_it_just_goes_on(model, base, events, write_version):
    write_version(base, 1, 1)
    model.poll()
    with model.lease() as (_, first):
        write_version(base, 2, 2)
        model.poll()
        shutil.rmtree(base / "2")
        model.poll()
        with model.lease() as (number, again):
            assert (number, again is first) == (1, True)
    assert answer(model) == (1, 1)
    assert told(events) == [("available", 1), ("available", 2), ("available", 1), ("unloaded", 2)]


def test_a_closed_model_answers_who_holds_it_and_nobody_else(model, base, write_version):
    write_version(base, 1, 1)
    model.poll()
    with model.lease() as (_, loaded):
        model.close()
        model.poll()
        with pytest.raises(NotFoundError, match="Latest"):
            answer(model)
        assert call(loaded) == 1
    assert [status.state for status in model.statuses()] == [State.END]


def test_a_version_is_warmed_up_before_it_serves_and_its_problem_is_told(base, events, write_version):
    states = []

    def warm_up(folder, loaded):
        states.append((folder, call(loaded), model.statuses()[0].state))
        return "it is odd"

    model = ServedModel("digits", base, warm_up=warm_up, report=events.append)
    folder = write_version(base, 1, 1)
    model.poll()
    assert states == [(folder, 1, State.LOADING)]
    assert [(event.kind, event.model, event.version, event.message) for event in events] == [
        ("warmup", "digits", 1, "it is odd"),
        ("available", "digits", 1, ""),
    ]


def test_a_warm_up_that_raises_is_told_once_and_the_version_serves(base, events, write_version):
    calls = []

    def warm_up(folder, loaded):
        calls.append(folder)
        raise RuntimeError("no room\nfor it")

    model = ServedModel("digits", base, warm_up=warm_up, report=events.append)
    folder = write_version(base, 1, 1)
    for _ in range(3):
        model.poll()
    assert answer(model) == (1, 1)
    assert calls == [folder]
    assert [(event.kind, event.message) for event in events] == [("warmup", "the warm-up fails: no room for it"), ("available", "")]


def test_removing_the_newest_rolls_back_and_removing_all_unloads(model, base, write_version):
    write_version(base, 1, 1)
    write_version(base, 2, 2)
    model.poll()
    shutil.rmtree(base / "2")
    model.poll()
    assert answer(model) == (1, 1)
    shutil.rmtree(base / "1")
    model.poll()
    with pytest.raises(NotFoundError, match="Latest"):
        answer(model)


def test_a_base_path_that_vanishes_keeps_what_is_loaded(model, base, write_version):
    write_version(base, 1, 1)
    model.poll()
    shutil.rmtree(base)
    model.poll()
    assert answer(model) == (1, 1)


def test_the_status_of_an_unknown_version_is_not_found(model, base, write_version):
    write_version(base, 1, 1)
    model.poll()
    with pytest.raises(NotFoundError, match=r"^Could not find version 5 of model digits$"):
        model.statuses(5)


def test_a_meta_graph_is_chosen_by_its_tags(tmp_path):
    import tensorflow as tf

    v1 = tf.compat.v1
    builder = v1.saved_model.Builder(str(tmp_path / "1"))
    for number, tags in enumerate((["serve"], ["serve", "gpu"])):
        with tf.Graph().as_default(), v1.Session() as session:
            x = v1.placeholder(tf.float32, [None])
            outputs = {"y": v1.saved_model.utils.build_tensor_info(x + float(number))}
            definition = v1.saved_model.signature_def_utils.build_signature_def({"x": v1.saved_model.utils.build_tensor_info(x)}, outputs)
            if number:
                builder.add_meta_graph(tags, {"serving_default": definition})
            else:
                builder.add_meta_graph_and_variables(session, tags, {"serving_default": definition})
    builder.save()
    for tags, answer in ((("serve",), 0.0), (("gpu", "serve"), 1.0)):
        model = SavedModel(tmp_path / "1", tags=tags)
        assert model.run(model.signature(""), {"x": np.float32([0])})["y"].tolist() == [answer]
        model.close()
