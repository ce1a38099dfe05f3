"""Digests of the project's own source, which TFX's cache does not see behind an import path: edited code must run again."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline import steps

_PROJECT = Path(__file__).resolve().parent.parent
_SOURCES = {
    "ingestion": ["components/example_gen", "trainer/features/names.py"],
    "preprocessing": ["trainer/preprocessing.py", "trainer/problem.py", "trainer/features", "trainer/tasks", "trainer/lazy.py"],
    "training": [
        "components/trainer.py",
        "components/extra_workers.py",
        "components/worker_jobset.py",
        "components/worker_jobset.yaml",
        "trainer",
    ],
    "teacher": ["components/teacher.py", "components/start.py", "components/served_model.py"],
    "gate": [
        "components/data_gate.py",
        "components/data_found.py",
        "components/anomaly.py",
        "components/schema_anomalies.py",
        "components/wrong_rows.py",
        "components/accepted_store.py",
        "components/accepted_pointer.py",
        "components/domains.py",
        "components/drift.py",
        "components/drift_thresholds.py",
        "components/picture_statistics.py",
        "components/example_rows.py",
        "components/number_bounds.py",
        "components/unfit_columns.py",
        "components/giveaway.py",
        "trainer/tasks",
    ],
    "evaluation": [
        "components/evaluator.py",
        "components/evaluation.py",
        "components/macro_metrics.py",
        "components/multilabel_metrics.py",
        "components/regression_metrics.py",
        "components/bound_metric.py",
        "components/naive.py",
        "components/calibration.py",
        "components/linear_baseline.py",
        "components/linear_model.py",
        "components/labelled_rows.py",
        "components/floor.py",
        "components/baseline_check.py",
        "components/absent_classes.py",
        "trainer/tasks",
        "components/evaluation_notes.py",
        "components/verdict.py",
        "components/gate_verdict.py",
        "components/bound.py",
    ],
    "push": [
        "components/pusher.py",
        "components/contents.py",
        "components/served_model.py",
        "components/accepted_store.py",
        "components/accepted_pointer.py",
    ],
    "step": ["pipeline/kubeflow/executor_input.py", "pipeline/kubeflow/package_parameters.py", "pipeline/kubeflow/step.py"],
}
_COMPUTING = (steps.TRANSFORM.code, steps.TRAINER.code, steps.EVALUATOR.code)


def code_digests() -> dict[str, str]:
    """A digest for each part of the code that gives results: `ingestion`, `preprocessing`, `training` and the others above."""
    return {name: _digest(_PROJECT / place for place in places) for name, places in _SOURCES.items()}


def under_settings(digests: Mapping[str, str], settings: Sequence[str]) -> dict[str, str]:
    """`digests` with the environment's `settings` in those of the parts that compute with TensorFlow: answers of others are not taken."""
    suffix = "".join(f" {setting}" for setting in settings)
    return {name: digest + (suffix if name in _COMPUTING else "") for name, digest in digests.items()}


def step_digests(node: str, digests: Mapping[str, str]) -> dict[str, str]:
    """Those of `digests` that a step of Kubeflow Pipelines runs: the entry point's, and its component's where that is our own."""
    own = steps.BY_ID[node].code
    return {name: digests[name] for name in (own, "step") if name}


def project_digest() -> str:
    """A digest of all code that a run executes."""
    return _digest(_PROJECT / place for place in ("pipeline", "components", "trainer", "serving/versions.py"))


def _digest(places: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for place in places:
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(path.relative_to(_PROJECT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]
