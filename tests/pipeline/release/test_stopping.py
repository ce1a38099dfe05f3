"""A release that is stopped puts the config back, and whoever stops it twice does not stop that."""

import signal
import threading

import pytest

from pipeline.interruption import Told
from pipeline.release.command import ended_like_ctrl_c
from pipeline.release.config_file import ConfigFile
from pipeline.release.errors import ReleaseError
from pipeline.release.plan import moved
from pipeline.release.served_config import ServedConfig
from pipeline.release.steps import Move, Way, carry_out


@pytest.fixture
def move():
    """move(place, model, version): a move of `stable` that begins now."""

    def begin(place, model, version):
        snapshot = place.read()
        config = ServedConfig(snapshot.text, place.name)
        before = config.model(model)
        return Move(config, snapshot, before, moved(before, "stable", version), "stable")

    return begin


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_ends_like_ctrl_c_and_the_next_ones_change_nothing(first):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    done = []
    with pytest.raises(KeyboardInterrupt), ended_like_ctrl_c():
        try:
            signal.raise_signal(first)
        finally:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)
            done.append("put back")
    assert done == ["put back"]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_where_ctrl_c_is_ignored_it_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as of what a shell runs in the background
    try:
        with ended_like_ctrl_c():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread_which_may_set_no_handlers_the_signals_stay_as_they_are():
    seen = []

    def work():
        before = signal.getsignal(signal.SIGTERM)
        with ended_like_ctrl_c():
            seen.append(signal.getsignal(signal.SIGTERM) is before)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [True]


def test_whoever_stops_while_the_config_is_written_is_told_to_look_at_it(move, config_file):
    """Nobody knows then whether the write has come through."""

    class Stopped(ConfigFile):
        def write(self, text, after):
            super().write(text, after)
            raise KeyboardInterrupt

    place, told = Stopped(config_file), []
    with pytest.raises(Told):
        carry_out(move(place, "digits", 3), Way(place, [], 1, told.append))
    assert told == [
        f"Stopped while {config_file} was being written. See what it says now: tapeline release status --model_config_file {config_file}"
    ]


def test_a_version_that_was_listed_before_and_does_not_load_leaves_nothing_to_put_back(move, running, tmp_path):
    model = running.add_one_more(1, 2)  # `latest` has loaded 2 alone
    copy = tmp_path / "nobody-polls-this.config"
    copy.write_text(running.config.read_text())
    place = ConfigFile(copy)
    begun = move(place, model, 1)
    place.write(begun.config.text_with(begun.after).replace('key: "stable"', 'key: "beta"'), begun.snapshot)
    before = copy.read_text()
    with pytest.raises(ReleaseError, match=r"within 0\.1 s\. .* The config was not changed: there is no label stable\.$"):
        carry_out(move(place, model, 1), Way(place, [running.target.address], 0.1, lambda line: None))
    assert copy.read_text() == before


def test_what_somebody_else_writes_while_a_version_is_waited_for_is_not_put_back(move, running, tmp_path):
    model = running.add_one_more(1, 2)
    copy = tmp_path / "nobody-polls-this.config"
    copy.write_text(running.config.read_text())
    place = ConfigFile(copy)

    def tell(line):
        if line.startswith("Listed"):
            copy.write_text("theirs")

    with pytest.raises(
        ReleaseError, match="changed by somebody else meanwhile: what they wrote is left as it is, and stable was not moved"
    ):
        carry_out(move(place, model, 1), Way(place, [running.target.address], 0.1, tell))
    assert copy.read_text() == "theirs"
