"""A signal ends a command in order, wherever it meets it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


def process(body, number=signal.SIGTERM, options=""):
    """What a process does in which `body` sends itself the signal by `send()`: exit status, stdout, stderr."""
    code = f"""if True:
        import os, signal, sys, time, weakref
        from pipeline import interruption
        interruption.raise_on_signals({options})
        send = lambda: os.kill(os.getpid(), {int(number)})
        try:
            {body}
            print("went on")
        except BaseException as error:
            print("cleaned up after", type(error).__name__, flush=True)
            sys.exit(interruption.exit_status(error))
    """
    answer = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True)
    return answer.returncode, answer.stdout, answer.stderr


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_the_first_signal_is_an_exception_and_gives_the_status(number, status):
    assert process("send(); time.sleep(60)", number) == (status, "cleaned up after Interrupted\n", "")


def test_a_signal_that_meets_a_callback_whose_exceptions_are_dropped_comes_again():
    dropped = (
        "thing = type('Thing', (), {})(); reference = weakref.ref(thing, lambda _: (send(), time.sleep(0))); del thing; time.sleep(60)"
    )
    assert process(dropped) == (143, "cleaned up after Interrupted\n", "")


def test_a_signal_that_somebody_swallowed_is_raised_at_the_next_check():
    swallowed = "exec('try: send(); time.sleep(60)\\nexcept KeyboardInterrupt: pass'); interruption.check()"
    assert process(swallowed) == (143, "cleaned up after Interrupted\n", "")


def test_an_error_that_was_made_of_the_exception_counts_as_the_signal():
    turned = "exec('try: send(); time.sleep(60)\\nexcept KeyboardInterrupt: raise RuntimeError from None')"
    assert process(turned) == (143, "cleaned up after RuntimeError\n", "")


def test_the_second_signal_ends_the_process_at_once():
    hanging = "exec('try: send(); time.sleep(60)\\nfinally: send(); time.sleep(60)')"
    assert process(hanging) == (143, "", "")


def test_where_the_first_signal_may_come_twice_the_second_ends_nothing():
    putting_in_order = "exec('try: send(); time.sleep(60)\\nfinally: send(); print(1)')"
    assert process(putting_in_order, options="second_ends=False") == (143, "1\ncleaned up after Interrupted\n", "")


def test_once_the_work_is_done_the_first_signal_interrupts_nothing_and_the_second_ends_the_process():
    assert process("interruption.hold(); send()") == (0, "went on\n", "")
    assert process("interruption.hold(); send(); send(); time.sleep(60)") == (143, "", "")


def test_an_error_without_a_signal_has_no_status():
    status, _, err = process("raise ValueError")
    assert (status, err) == (0, "")


def test_a_signal_that_is_ignored_stays_so():
    code = (
        "import os, signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); from pipeline import interruption;"
        "interruption.raise_on_signals(); os.kill(os.getpid(), signal.SIGHUP)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT).returncode == 0
