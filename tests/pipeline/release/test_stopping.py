"""A release that is stopped puts the config back, and whoever stops it twice does not stop that."""

import signal

import pytest

from pipeline.release.command import ended_like_ctrl_c


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
