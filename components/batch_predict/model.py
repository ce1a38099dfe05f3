"""The exported model as RunInference's: rows in, the same rows with predictions out.

The graph runs in a session, as TensorFlow Serving's own binary runs it: then inputs go by the names in the signature, the user's own.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from apache_beam.ml.inference.base import ModelHandler

from components.example_gen.readers.rows import Reject
from components.predicted_rows import Rows
from serving import versions
from serving.refusals import in_parts
from trainer.cause import one_line
from trainer.errors import ConfigError
from trainer.export import exported_problem
from trainer.export.columns import SIGNATURE as COLUMNS
from trainer.export.picture import SIGNATURE as PICTURE
from trainer.export.picture import is_picture
from trainer.features.time import MISSING
from trainer.problem import Problem

_AT_ONCE = {COLUMNS: 4096, PICTURE: 64}  # rows of one call


@dataclasses.dataclass(frozen=True)
class Exported:
    """A version's folder and what it has learnt."""

    folder: str
    problem: Problem

    @property
    def signature(self) -> str:
        """The one that is asked."""
        return PICTURE if is_picture(self.problem) else COLUMNS

    @property
    def classes(self) -> list[str] | None:
        """The names of the classes in the order of their probabilities, None of a regression."""
        task = self.problem.task
        if task.PREDICTIONS == "values":
            return None
        return list(task.names) if task.names else [str(number) for number in range(task.outputs)]

    @classmethod
    def at(cls, folder: Path) -> "Exported":
        """Of a version's folder, or of the newest version in a model's. Raises ConfigError."""
        version = _version(folder)
        problem = exported_problem(str(version)) if version else None
        if problem is None:
            received = "which is not there" if not folder.is_dir() else "another folder" if version is None else "a model of another make"
            raise ConfigError(
                f"Expected --model_dir to be a model's folder, or a version's, that a run has pushed. Received: '{folder}', {received}. "
                "`tapeline run` prints where it has pushed a model."
            )
        return cls(str(version), problem)


def _version(folder: Path) -> Path | None:
    if (folder / "saved_model.pb").is_file():
        return folder
    names = [path.parent.name for path in folder.glob("*/saved_model.pb")]
    numbers = versions.by_number(names)
    return folder / numbers[max(numbers)] if numbers else None


class Work(NamedTuple):
    """A batch of rows, with a name that is in their order."""

    name: str
    rows: Rows


class Answered(NamedTuple):
    """The rows of a batch with their predictions, and those that the model refuses."""

    name: str
    batch: pa.RecordBatch
    rejects: list[Reject]


class _Loaded:
    """A signature, called with arrays by the inputs' names."""

    def __init__(self, folder: str, name: str) -> None:
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            signature = tf.compat.v1.saved_model.load(self._session, ["serve"], folder).signature_def[name]
        self._inputs = {key: info.name for key, info in signature.inputs.items()}
        self._outputs = {key: info.name for key, info in signature.outputs.items()}

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """(n, ...) of each output. Raises tf.errors.InvalidArgumentError."""
        given = arrays if arrays.keys() == self._inputs.keys() else dict(zip(self._inputs, arrays.values(), strict=True))
        return self._session.run(self._outputs, {self._inputs[key]: array for key, array in given.items()})


class SignatureHandler(ModelHandler[Work, Answered, Any]):
    """Calls the model's signature for batches of rows; a row that it refuses is set aside alone."""

    def __init__(self, exported: Exported) -> None:
        super().__init__()
        self._exported = exported

    def load_model(self) -> Any:
        """See the base class."""
        return _Loaded(self._exported.folder, self._exported.signature)

    def batch_elements_kwargs(self) -> Mapping[str, Any]:
        """One at a time, for each is a batch itself."""
        return {"min_batch_size": 1, "max_batch_size": 1}

    def run_inference(self, batch: Sequence[Work], model: Any, inference_args: dict[str, Any] | None = None) -> Iterable[Answered]:
        """See the base class."""
        del inference_args
        return [self._answered(work, model) for work in batch]

    def _answered(self, work: Work, model: Any) -> Answered:
        arrays = {name: _array(column) for name, column in zip(work.rows.features.schema.names, work.rows.features.columns, strict=True)}
        good: list[int] = []
        answers: list[dict[str, np.ndarray]] = []
        rejects = []
        for rows, answer in self._asked(arrays, len(work.rows.places), model):
            if isinstance(answer, Exception):
                rejects.append(Reject(*work.rows.places[rows[0]], one_line(answer)))
            else:
                good += rows
                answers.append(answer)
        return Answered(work.name, self._joined(work.rows, good, answers), rejects)

    def _asked(self, arrays: Mapping[str, np.ndarray], count: int, model: Any) -> Iterator[tuple[Sequence[int], Any]]:
        def ask(rows: Sequence[int]) -> dict[str, np.ndarray]:
            return model({name: array[rows[0] : rows[-1] + 1] for name, array in arrays.items()})

        at_once = _AT_ONCE[self._exported.signature]
        for start in range(0, count, at_once):
            yield from in_parts(range(start, min(start + at_once, count)), ask, tf.errors.InvalidArgumentError)

    def _joined(self, rows: Rows, good: list[int], answers: list[dict[str, np.ndarray]]) -> pa.RecordBatch:
        places = [rows.places[row] for row in good]
        columns: dict[str, pa.Array] = {}
        for name, values in zip(rows.shown.schema.names, rows.shown.columns, strict=True):
            columns[name] = values.take(pa.array(good, pa.int64()))
        own: dict[str, pa.Array] = {"file": pa.array([file for file, _ in places], pa.string())}
        if any(line for _, line in rows.places):
            own["line"] = pa.array([line for _, line in places], pa.int64())
        predicted = self._predicted({name: np.concatenate([each[name] for each in answers]) for name in answers[0]}) if answers else {}
        taken = set(columns)
        front, back = ({_free(name, taken): array for name, array in each.items()} for each in (own, predicted))
        return pa.RecordBatch.from_arrays(*_flat(front | columns | back))

    def _predicted(self, outputs: Mapping[str, np.ndarray]) -> dict[str, pa.Array]:
        names = self._exported.classes
        if names is None:
            return {"value": pa.array(outputs["values"], pa.float32())}
        classes = [each.decode() if isinstance(each, bytes) else str(each) for each in outputs["classes"].tolist()]
        probabilities = {f"probability_{name}": pa.array(outputs["probabilities"][:, number]) for number, name in enumerate(names)}
        own_name = "classes" if "predicted" in outputs else "class"  # several of them in one text
        return {own_name: pa.array(classes, pa.string())} | probabilities


def _flat(columns: Mapping[str, pa.Array]) -> tuple[list[pa.Array], list[str]]:
    return list(columns.values()), list(columns)


def _free(name: str, taken: set[str]) -> str:
    """The name, with as many `_` behind it as make it another than the input's own columns."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _array(column: pa.Array) -> np.ndarray:
    """As `predict_columns` takes it: (n,), NaN, empty and `MISSING` where a value is missing; (n, m) of lists, NaN before shorter ones."""
    if pa.types.is_list(column.type):
        return _padded(column)
    if pa.types.is_floating(column.type):
        return column.to_numpy(zero_copy_only=False).astype(np.float32)
    if pa.types.is_integer(column.type):
        return pc.fill_null(column, MISSING).to_numpy(zero_copy_only=False)
    return np.array(pc.fill_null(column.cast(pa.binary()), b"").to_pylist(), object)


def _padded(column: pa.Array) -> np.ndarray:
    """float32 (n, m) of lists of numbers."""
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    width = max(1, int(lengths.max(initial=0)))
    found = np.full((len(column), width), np.nan, np.float32)
    found[np.arange(width) >= width - lengths[:, np.newaxis]] = column.flatten().to_numpy(zero_copy_only=False)
    return found
