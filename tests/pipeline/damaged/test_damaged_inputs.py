"""Every damaged input ends `tapeline init` and the ingestion with one clear line and the right status, or is taken for what it is.

`python -m tests.pipeline.damaged` prints them all, with the lines that users read.
"""

import re
from collections import Counter

import pytest

from tests.pipeline.damaged import given
from tests.pipeline.damaged.cases import CASES

_LONGEST = 900  # characters of a line, paths of pytest's included
_STATUSES = {1, 2}
_SECONDS = {"three thousand columns", "a thousand columns", "numbers of 5,000 digits", "tar.gz bomb", "one line of 80 MB"}

pytestmark = pytest.mark.timeout(60)  # a hang must fail


def _named(cases):
    return [
        pytest.param(case, id=f"{case.format}: {case.name}", marks=[pytest.mark.slow] if case.name in _SECONDS else []) for case in cases
    ]


def _check_line(answer, folder):
    """One line on stderr, in the house's style, which names the input unless the fault is on the command line."""
    line = answer.err.removesuffix("\n")
    assert "\n" not in line, line
    assert line.isprintable(), line
    assert re.match(r"Expected .+\. .+[.?]$", line), line
    assert "Traceback" not in line
    assert len(line) - line.count(str(folder)) * len(str(folder)) < _LONGEST


def test_there_are_200_and_each_has_a_name_of_its_own():
    counts = Counter(f"{case.format}: {case.name}" for case in CASES)
    assert len(counts) >= 200
    assert {name for name, count in counts.items() if count > 1} == set()


@pytest.mark.parametrize("case", _named(case for case in CASES if case.init))
def test_init_says_in_one_line_what_is_wrong_or_writes_a_config(case, tmp_path):
    status, _, words = case.init.partition(" ")
    answer = given.init(case, tmp_path)
    assert answer.status == int(status), answer
    assert words in " ".join((answer.err if answer.status else answer.out).split())
    assert answer.left == ([] if answer.status else ["work/mine.yaml"])
    if answer.status:
        assert answer.status in _STATUSES
        assert answer.out == ""
        _check_line(answer, tmp_path)
    else:
        assert answer.err == ""


@pytest.mark.slow
@pytest.mark.parametrize("case", _named(case for case in CASES if case.ingest))
def test_the_ingestion_says_in_one_line_what_is_wrong_or_counts_the_rows(case, tmp_path):
    status, _, words = case.ingest.partition(" ")
    answer = given.ingest(case, tmp_path)
    assert answer.status == int(status), answer
    assert answer.left == []
    if answer.status:
        assert answer.status in _STATUSES
        assert words in answer.err
        _check_line(answer, tmp_path)
    else:
        assert answer.out == words
