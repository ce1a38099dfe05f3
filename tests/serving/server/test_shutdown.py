"""Signals to the server: one asks for its end, and any number of others, whenever they come, change nothing about that."""

import subprocess
import sys

import pytest

_SECONDS = 60  # a hang ends the test, nothing else comes near it

# Another SIGTERM at every line that the main thread runs in the waiting, in the handler and in what they call.
_AT_EVERY_LINE = """
import signal, sys, threading
from serving.server import shutdown

def another(frame, event, argument):
    if frame.f_code.co_filename in (shutdown.__file__, threading.__file__) and not sent_within:
        sent_within.append(True)
        signal.raise_signal(signal.SIGTERM)
        sent.append(frame.f_lineno)
        sent_within.pop()
    return another

sent, sent_within = [], []
ending = shutdown.Shutdown()
ending.serving()
sys.settrace(another)
signal.raise_signal(signal.SIGTERM)
ending.wait()
sys.settrace(None)
print(ending.asked.is_set(), len(sent) > 5)
"""

_BEFORE_IT_SERVES = """
import signal
from serving.server.shutdown import Shutdown

Shutdown()
try:
    signal.raise_signal(signal.SIGINT)
except BaseException:  # as code that loads a model might swallow it
    pass
print("goes on")
"""


@pytest.mark.parametrize(
    ("code", "said"),
    [(_AT_EVERY_LINE, "True True\n"), (_BEFORE_IT_SERVES, "")],
    ids=["at every line", "before it serves"],
)
def test_a_signal_that_comes_in_the_middle_neither_hangs_nor_is_lost(code, said):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")
