"""A run's record: what it did, in one JSON file that whoever looks reads. Needs neither TFX nor TensorFlow.

what the runner has found, config, epochs -> RunRecord -> ROOT/records/RUN.json -> `--json`, the cache's answer, whoever reads it

RUN is the name of the run's log. docs/record.schema.json describes the file.
"""

import contextlib
import datetime
import importlib.metadata
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pydantic
from pydantic import Field

from components.anomaly import Anomaly, Shift
from components.bound import Bound
from pipeline import steps
from pipeline.config import PipelineConfig
from pipeline.runs.summary import Component, Outcome, Summary
from pipeline.runs.tuning import Tuning
from pipeline.workspace import Workspace
from trainer import environment, json_text
from trainer.exported import Exported

# Those that results depend on; the first ones are in the key of the cache's answer too.
COMPUTING_PACKAGES = ("tfx", "tensorflow", "keras", "tensorflow-transform", "tensorflow-model-analysis")
_PACKAGES = (*COMPUTING_PACKAGES, "tapeline")


class _Part(pydantic.BaseModel):
    """Frozen; what a later version of the file adds is passed over."""

    model_config = pydantic.ConfigDict(frozen=True)


class Duplicates(_Part):
    """Rows of one split that an earlier one has too."""

    same: int = Field(description="Rows that are equal to one of an earlier split in every feature and in the label.")
    relabelled: int = Field(description="Rows with the features of one in an earlier split, but never with this label.")
    dropped: int = Field(description="Rows that were dropped for it, by `data.splits.duplicates: drop`.")


class SpanRead(_Part):
    """One span that went in."""

    span: int = Field(description="Its number; of a date the days since 1970.")
    version: int | None = Field(description="Its version, null where `data.path` has no `{VERSION}`.")


class Data(_Part):
    """The rows that went in."""

    fingerprint: str = Field(description="Digest of the raw data's content.")
    rows: dict[str, int] = Field(description="Rows by split; empty where the run ended before the ingestion did.")
    spans: list[SpanRead] = Field([], description="The spans that were read, the oldest first; empty where `data.path` has none.")
    duplicates: dict[str, Duplicates] = Field(
        {}, description="What eval and test have of earlier splits; empty where that cannot be, as where shares divide all rows."
    )


class Gate(_Part):
    """What the Evaluator said of the model; empty where the run ended before it."""

    bounds: list[Bound] = Field(description="The rows of the gate's table.")
    reasons: list[str] = Field(description="Why the model was refused, a line each.")
    notes: list[str] = Field(description="What else a person should know, a line each.")


class Pushed(_Part):
    """The version that was pushed."""

    version: str = Field(description="Its number.")
    model_dir: str = Field(description="Its folder, relative to the root where it is below it.")


class RunRecord(_Part):
    """What one run did. Paths below the root are relative to it, so that the record holds wherever the root is moved."""

    version: Literal[1] = Field(1, description="Of this format; it changes where a field changes its meaning or goes.")
    run: str = Field(description="The run's name, which its log has too: the local time when it began.")
    name: str = Field(description="The pipeline's name.")
    started: datetime.datetime = Field(description="When it began.")
    ended: datetime.datetime = Field(description="When its outcome was clear.")
    seconds: float = Field(description="How long that took.")
    outcome: Outcome = Field(description="How it ended.")
    exit_status: int = Field(description="What the command ends with; 130, 143 or 129 after a signal.")
    failure: str | None = Field(description="Why it failed, in one line; null where it was pushed or refused.")
    answered_from: str | None = Field(description="The earlier run whose record answered this one, null where the pipeline was asked.")
    config: dict[str, Any] = Field(description="Every setting, defaults included, as `tapeline config show` has them.")
    data: Data = Field(description="The rows that went in.")
    components: list[Component] = Field(description="Each component that began: seconds, whether it was cached, its rows.")
    epochs: list[dict[str, float | None]] = Field(
        description="Each finished epoch of the model's training, in order: `epoch`, losses and metrics; null for what is no number. "
        "`resumed` is 1 where an earlier run has done the epoch, and this one has gone on from its checkpoint."
    )
    metrics: dict[str, Any] = Field(description="What the Evaluator measured on the test split.")
    anomalies: list[Anomaly] = Field([], description="What was wrong with the data, whether it stopped the run or was only warned of.")
    shifts: list[Shift] = Field([], description="How far distributions are from those accepted last (drift) and from train's (skew).")
    gate: Gate = Field(description="What the gate said.")
    tuning: Tuning | None = Field(None, description="What the search over settings has found, null where there was none.")
    exports: list[Exported] = Field([], description="What became of the files that `export` asks for beside the saved model.")
    pushed: Pushed | None = Field(description="What was pushed, null where nothing was.")
    packages: dict[str, str | None] = Field(description="Versions of Python and of the packages that results depend on.")
    environment: dict[str, str] = Field(description="The environment variables that count and may change results.")
    artifacts: dict[str, dict[str, str]] = Field(description="Where each component's outputs are: component, output, path.")
    log: str = Field(description="The log file.")

    def summary(self, workspace: Workspace) -> Summary:
        """What `--json` prints and a person reads of it, in the root of `workspace`."""
        return Summary(
            outcome=self.outcome,
            version=self.pushed.version if self.pushed else None,
            model_dir=workspace.place(self.pushed.model_dir) if self.pushed else None,
            metrics=self.metrics,
            anomalies=self.anomalies,
            shifts=self.shifts,
            reasons=self.failure.splitlines() if self.failure else self.gate.reasons,
            notes=self.gate.notes,
            components=self.components,
            seconds=self.seconds,
            bounds=self.gate.bounds,
            log=workspace.place(self.log),
            tuning=self.tuning,
            rows=self.data.rows,
            spans=[span.model_dump() for span in self.data.spans],
            duplicates={name: each.model_dump() for name, each in self.data.duplicates.items()},
            artifacts=self.artifacts,
            exports=self.exports,
            answered_from=self.run,
        )


def of(
    config: PipelineConfig, workspace: Workspace, fingerprint: str, started: datetime.datetime, summary: Summary, given: Mapping[str, str]
) -> RunRecord:
    """The record of a run that has ended with `summary`.

    Args:
      config: its settings.
      workspace: the root it ran in, held still: the file of its epochs is a temporary one.
      fingerprint: digest of the raw data.
      started: when it began, with its time zone.
      summary: what the runner has found.
      given: the run's environment variables.
    """
    log = Path(summary.log or "")
    pushed = summary.model_dir and Pushed(version=summary.version or "", model_dir=workspace.stored(summary.model_dir))
    return RunRecord(
        run=log.stem,
        name=config.name,
        started=started,
        ended=datetime.datetime.now().astimezone(),
        seconds=summary.seconds,
        outcome=summary.outcome,
        exit_status=summary.exit_status,
        failure=None if summary.is_decided else "\n".join(summary.reasons),
        answered_from=summary.answered_from,
        config=config.model_dump(mode="json", by_alias=True),
        data=Data(
            fingerprint=fingerprint,
            rows=summary.rows,
            spans=[SpanRead(**span) for span in summary.spans],
            duplicates={name: Duplicates(**each) for name, each in summary.duplicates.items()},
        ),
        components=summary.components,
        epochs=_epochs(workspace, summary),
        metrics=summary.metrics,
        anomalies=summary.anomalies,
        shifts=summary.shifts,
        gate=Gate(bounds=summary.bounds, reasons=summary.reasons if summary.is_decided else [], notes=summary.notes),
        tuning=summary.tuning,
        exports=summary.exports,
        pushed=pushed or None,
        packages={"python": platform.python_version()} | {package: _version(package) for package in _PACKAGES},
        environment=dict(setting.split("=", 1) for setting in environment.named(given)),
        artifacts=summary.artifacts,
        log=workspace.stored(str(log)),
    )


def write(workspace: Workspace, record: RunRecord) -> bool:
    """Keeps the record, whole or not at all, and says whether it could: a full disk must not make a pushed run a failed one."""
    # NaN is no JSON. Half a character of a path that is no text becomes what JSON escapes it by.
    values = json.loads(json.dumps(record.model_dump(mode="json")), parse_constant=lambda _: None)
    text = json.dumps(values, ensure_ascii=False, indent=2) + "\n"
    file = workspace.record(record.run)
    unfinished = file.with_suffix(".new")
    try:
        file.parent.mkdir(exist_ok=True)
        unfinished.write_bytes(text.encode("utf-8", "backslashreplace"))
        unfinished.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        return False
    return True


def read(workspace: Workspace, run: str) -> RunRecord:
    """The record of the run of that name.

    Raises:
      OSError: there is none. ValueError: it is broken, or of another version.
    """
    return RunRecord.model_validate_json(workspace.record(run).read_bytes())


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a record."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **RunRecord.model_json_schema(mode="serialization")}


def _epochs(workspace: Workspace, summary: Summary) -> list[dict[str, float | None]]:
    """The epochs of this run's training, or, where its model is an earlier run's, those of the training that made the model."""
    try:
        lines = workspace.epochs.read_text(encoding="utf-8").splitlines()
    except OSError:  # nothing was trained
        lines = []
    if all('"trial"' in line for line in lines):
        return _earlier_epochs(workspace, summary.artifacts.get(steps.TRAINER.id))
    epochs = []
    for line in lines:
        with contextlib.suppress(ValueError):  # half a line, of a run that was ended while it wrote
            epoch = json_text.loads(line)
            if "trial" not in epoch:  # of the search, which comes first
                epochs.append(epoch)
    return epochs


def _earlier_epochs(workspace: Workspace, model: dict[str, str] | None) -> list[dict[str, float | None]]:
    if model:
        for file in sorted(workspace.records.glob("*.json"), reverse=True):
            with contextlib.suppress(OSError, ValueError):
                earlier = read(workspace, file.stem)
                if earlier.epochs and earlier.artifacts.get(steps.TRAINER.id) == model:
                    return earlier.epochs
    return []


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # run out of a checkout
        return None
