"""What the gate says stays of a bounded size, whatever the number of classes."""

import json

from components.bound import Bound
from components.gate_verdict import MOST_BOUNDS, Verdict


def bounds(missed, passed):
    return [Bound(f"accuracy (class {index})", 0.5, 0.75, True) for index in range(passed)] + [
        Bound(f"accuracy (class {index})", 0.5, 0.25, False) for index in range(passed, passed + missed)
    ]


def test_few_bounds_are_all_there_in_their_order():
    every = bounds(missed=1, passed=2)
    verdict = Verdict.of({}, every, ["a note"])
    assert verdict == Verdict({}, every, ["accuracy (class 2) is 0.2500, which is 0.2500 below the bound of 0.5000"], ["a note"])


def test_of_100000_bounds_the_missed_ones_come_first_and_the_rest_is_counted():
    verdict = Verdict.of({}, bounds(missed=30, passed=99_970), [])
    assert [bound.passed for bound in verdict.bounds] == [False] * 30 + [True] * (MOST_BOUNDS - 30)
    assert len(verdict.reasons) == 21
    assert verdict.reasons[-1] == "and 10 more of 100,000 bounds were missed"
    assert verdict.notes == ["the gate has 100,000 bounds, of which 30 were missed; 100 of them are shown"]
    assert len(verdict.to_json()) < 20_000


def test_a_verdict_crosses_a_log_and_comes_back():
    verdict = Verdict.of({"accuracy": 0.5}, bounds(missed=1, passed=1), ["a note"])
    assert Verdict.from_json(verdict.to_json()) == verdict


def test_a_verdict_of_an_older_package_has_its_reasons_from_its_bounds():
    [missed] = bounds(missed=1, passed=0)
    old = json.loads(Verdict.of({}, [missed], []).to_json())
    del old["reasons"], old["notes"]
    assert Verdict.from_values(old).reasons == [missed.reason]
