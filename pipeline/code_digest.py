"""Digests of the project's own source, which TFX's cache does not see behind an import path: edited code must run again."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

_PROJECT = Path(__file__).resolve().parent.parent
_SOURCES = {
    "ingestion": ["components/example_gen", "trainer/features.py"],
    "preprocessing": ["trainer/preprocessing.py", "trainer/features.py"],
    "training": ["trainer"],
    "gate": ["components/data_gate.py"],
    "evaluation": [
        "components/macro_metrics.py",
        "components/evaluator.py",
        "components/baseline_check.py",
        "components/absent_classes.py",
    ],
}


def code_digests() -> dict[str, str]:
    """A digest for each of `ingestion`, `preprocessing`, `training`, `gate` and `evaluation`."""
    return {name: _digest(_PROJECT / place for place in places) for name, places in _SOURCES.items()}


def project_digest() -> str:
    """A digest of all code that a run executes."""
    return _digest(_PROJECT / folder for folder in ("pipeline", "components", "trainer"))


def _digest(places: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for place in places:
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(path.relative_to(_PROJECT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]
