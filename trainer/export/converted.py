"""A trained model as files for other runtimes, each compared with the SavedModel on the test split.

function of numbers -> a file for each format -> rows of the test split through the file and the function -> size, time, metric, difference
"""

import os
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from trainer.export import litert, onnx
from trainer.export.parity import rounding
from trainer.export.portable import Inputs, Portable, rows_of
from trainer.export.rows import raw_rows
from trainer.export.served import Served
from trainer.export_config import ExportConfig
from trainer.exported import FILE, FOLDER, Exported, to_text
from trainer.problem import Problem

_CALIBRATION = 200  # rows of the train split, from which int8 takes the ranges of activations
_COMPARED = 1000  # rows of the test split
_AT_ONCE = 100  # rows whose features are held in memory
_TIMED = 50  # runs of one row
_PROBLEM = f"{FOLDER}/problem.json"  # names and order of the classes, for whoever reads the answers

Answer = Callable[[Inputs], np.ndarray]


class _Format(NamedTuple):
    name: str
    file: str  # below the Trainer's output
    convert: Callable[[], bytes]
    runner: Callable[[bytes], Answer]
    is_exact: bool  # whether only the last digits may differ


class _Compared(NamedTuple):
    """Rows that were answered."""

    labels: np.ndarray
    saved_model: np.ndarray
    files: list[np.ndarray]
    row: Inputs  # the first one


def convert(
    served: Served,
    model: keras.Model,
    graph: tft.TFTransformOutput,
    problem: Problem,
    config: ExportConfig,
    raw: Mapping[str, str],
    folder: str,
) -> None:
    """Writes the files that `config` asks for below `folder`, with FILE, which says how they do; a format that cannot be is said there.

    Args:
      served: what was saved.
      model: logits from transformed features.
      graph: Transform's output.
      problem: what was learnt.
      config: the formats.
      raw: the pattern of the raw rows' files by split.
      folder: the Trainer's output `model`.
    """
    portable = Portable(served, model, graph, problem)
    calibration = rows_of(portable, graph, problem, raw_rows(raw["train"], _CALIBRATION)).inputs
    formats = [
        *(_litert(portable, precision, calibration) for precision in config.litert),
        *([_Format("onnx float32", f"{FOLDER}/float32.onnx", lambda: onnx.convert(portable), onnx.Runner, True)] if config.onnx else []),
    ]
    contents, failures = {}, {}
    for each in formats:
        try:
            contents[each] = each.convert()
        except ValueError as error:
            failures[each] = str(error)
    runners = [each.runner(content) for each, content in contents.items()]
    compared = _compare(portable, runners, graph, problem, raw_rows(raw["test"], _COMPARED))
    limit = rounding(model, problem, compared.saved_model)
    metric, of_saved_model = problem.task.score(tf.constant(compared.saved_model), compared.labels)
    tf.io.gfile.makedirs(os.path.join(folder, FOLDER))
    found = [Exported(format=each.name, failure=failure) for each, failure in failures.items()]
    for (each, content), runner, answers in zip(contents.items(), runners, compared.files, strict=True):
        difference = float(np.abs(answers - compared.saved_model).max())
        if each.is_exact and not difference <= limit:
            failure = f"it answers otherwise than the SavedModel, by up to {difference:.3g} (at most {limit:.1g} is rounding)"
            found.append(Exported(format=each.name, failure=failure))
            continue
        _write(os.path.join(folder, each.file), content)
        found.append(
            Exported(
                format=each.name,
                file=each.file,
                bytes=len(content),
                milliseconds=_milliseconds(runner, compared.row),
                rows=len(answers),
                metric=metric,
                value=problem.task.score(tf.constant(answers), compared.labels)[1],
                saved_model=of_saved_model,
                difference=difference,
            )
        )
    _write(os.path.join(folder, _PROBLEM), problem.to_json().encode())
    _write(os.path.join(folder, FILE), to_text(found).encode())


def _litert(portable: Portable, precision: litert.Precision, calibration: Inputs) -> _Format:
    return _Format(
        f"litert {precision}",
        f"{FOLDER}/{precision}.tflite",
        lambda: litert.convert(portable, precision, calibration),
        litert.Runner,
        precision == "float32",
    )


def _compare(portable: Portable, runners: list[Answer], graph: tft.TFTransformOutput, problem: Problem, raw: list[bytes]) -> _Compared:
    labels, parts = [], []
    for start in range(0, len(raw), _AT_ONCE):
        rows = rows_of(portable, graph, problem, raw[start : start + _AT_ONCE])
        if not len(rows.labels):
            continue
        row = {name: values[:1] for name, values in rows.inputs.items()}
        saved_model = portable.predict(**{name: tf.constant(values) for name, values in rows.inputs.items()})[portable.output].numpy()
        labels.append(rows.labels)
        parts.append([saved_model, *(runner(rows.inputs) for runner in runners)])
    saved_model, *files = (np.concatenate(answers) for answers in zip(*parts, strict=True))
    return _Compared(np.concatenate(labels), saved_model, files, row)


def _milliseconds(runner: Answer, row: Inputs) -> float:
    seconds = []
    for _ in range(_TIMED + 1):
        begin = time.perf_counter()
        runner(row)
        seconds.append(time.perf_counter() - begin)
    return float(np.median(seconds[1:])) * 1000  # the first one also makes ready


def _write(path: str, content: bytes) -> None:
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(content)
