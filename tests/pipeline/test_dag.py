"""Which nodes the pipeline has."""

import pytest

from pipeline import dag, steps
from pipeline.code_digest import code_digests


@pytest.mark.parametrize(("drop", "has_baseline"), [(None, False), (0.05, True)])
def test_a_baseline_is_looked_for_only_where_a_bound_needs_one(settings, drop, has_baseline):
    inputs = dag.Inputs("FINGERPRINT", None, "/serving/digits", code_digests())
    pipeline = dag.create_pipeline(settings(evaluator={"max_accuracy_drop": drop}), inputs, "root", None, [])
    assert (steps.BASELINE.id in [node.id for node in pipeline.components]) is has_baseline
