"""What became of each file that a trained model was converted to, in a file that the Trainer leaves and the run's record takes over."""

import dataclasses
import json
from pathlib import Path
from typing import Any

FOLDER = "converted"  # below the Trainer's output `model`
FILE = f"{FOLDER}/measured.json"


@dataclasses.dataclass(frozen=True)
class Exported:
    """One conversion. Where it failed, `failure` says why, and there is nothing else.

    Attributes:
      format: `litert`, `onnx` or `tfjs`, and the precision of its weights.
      file: the file, below the Trainer's output `model`; of several, the one that names the others.
      bytes: their size.
      milliseconds: the median time for one row on one core.
      rows: how many rows of the test split were compared.
      metric: what was measured of them.
      value: the file's.
      saved_model: the SavedModel's.
      difference: the largest difference between an answer of the file and the SavedModel's.
      failure: why there is no file.
    """

    format: str
    file: str | None = None
    bytes: int | None = None
    milliseconds: float | None = None
    rows: int | None = None
    metric: str | None = None
    value: float | None = None
    saved_model: float | None = None
    difference: float | None = None
    failure: str | None = None

    @property
    def line(self) -> str:
        """For a person."""
        if self.failure:
            return f"no {self.format}: {self.failure}"
        return (
            f"{self.format}: {self.bytes:,} bytes, {self.milliseconds:.3g} ms a row, {self.metric} {self.value:.4g} "
            f"(SavedModel: {self.saved_model:.4g}), answers up to {self.difference:.2g} apart on {self.rows:,} test rows"
        )


def to_text(exported: list[Exported]) -> str:
    """What FILE holds."""
    return json.dumps([dataclasses.asdict(each) for each in exported], indent=2) + "\n"


def read(model: str) -> list[Exported]:
    """What the Trainer left in its output `model`, a local folder; nothing where it converted nothing."""
    try:
        values: list[dict[str, Any]] = json.loads(Path(model, FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    return [Exported(**each) for each in values]
