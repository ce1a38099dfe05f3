"""The tests themselves, where a shell runs them in the background."""

import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
SENDING = [  # to a child, and to themselves
    "tests/pipeline/test_interruption.py",
    "tests/serving/loadtest/test_loadtest.py",
    "tests/pipeline/kubeflow/test_emulate.py",
]


@pytest.mark.timeout(100)  # without the mend it is theirs, 120 s each
def test_tests_that_send_a_signal_pass_where_the_shell_ignores_it():
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "first_signal or ctrl_c", *SENDING]
    done = subprocess.run(["sh", "-c", 'trap "" INT HUP; exec "$@"', "sh", *tests], cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
