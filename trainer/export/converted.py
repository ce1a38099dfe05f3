"""A trained model as files for other runtimes, each compared with the SavedModel on the test split.

function of numbers -> a file for each format -> rows of the test split through the file and the function -> size, time, metric, difference
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from trainer.export import litert, onnx, tfjs
from trainer.export.parity import rounding
from trainer.export.portable import Inputs, Portable, rows_of
from trainer.export.rows import raw_rows
from trainer.export.served import Served
from trainer.export_config import ExportConfig
from trainer.exported import FILE, FOLDER, Exported, to_text
from trainer.problem import Problem
from trainer.tasks import Regression, Task

_CALIBRATION = 200  # rows of the train split, from which int8 takes the ranges of activations
_COMPARED = 1000  # rows of the test split
_COMPARED_SLOWLY = 100  # the same of a runtime that may take half a second for a row
_AT_ONCE = 100  # rows whose features are held in memory
_TIMED = 50  # runs of one row
_PROBLEM = f"{FOLDER}/problem.json"  # names and order of the classes, for whoever reads the answers

Answer = Callable[[Inputs], np.ndarray]


class _Format(NamedTuple):
    name: str
    files: tuple[str, ...]  # below the Trainer's output; the first one is the model's
    convert: Callable[[], Sequence[bytes]]  # their contents
    runner: Callable[..., Answer]  # takes the contents
    is_exact: bool = True  # whether only the last digits may differ
    rows: int = _COMPARED


class _Converted(NamedTuple):
    format: _Format
    contents: Sequence[bytes]
    answer: Answer


class _Compared(NamedTuple):
    """Rows that were answered."""

    labels: np.ndarray
    saved_model: np.ndarray
    files: list[np.ndarray]  # each of the first of these rows
    row: Inputs  # the first one


def check(config: ExportConfig) -> None:
    """Raises ConfigError where something is missing that the formats need."""
    if config.onnx:
        onnx.check()
    if config.tfjs:
        tfjs.check()


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
    done, found = [], []
    for each in _formats(portable, config, calibration):
        try:
            contents = each.convert()
            runner = each.runner(*contents)
            runner({name: values[:1] for name, values in calibration.items()})
            done.append(_Converted(each, contents, runner))
        except ValueError as error:
            found.append(Exported(format=each.name, failure=str(error)))
    compared = _compare(portable, done, graph, problem, raw_rows(raw["test"], _COMPARED))
    limit = rounding(model, problem, compared.saved_model)
    for (each, contents, runner), answers in zip(done, compared.files, strict=True):
        labels, saved_model = compared.labels[: len(answers)], compared.saved_model[: len(answers)]
        difference = float(np.abs(answers - saved_model).max())
        metric, value = problem.task.score(tf.constant(answers), labels)
        wanted = problem.task.score(tf.constant(saved_model), labels)[1]
        failure = None
        if each.is_exact and not difference <= limit:
            failure = f"it answers otherwise than the SavedModel, by up to {difference:.3g} (at most {limit:.1g} is rounding)"
        elif not each.is_exact and not _loses(problem.task, value, wanted) <= config.may_lose:
            failure = f"its {metric} is {value:.4g}, and the SavedModel's {wanted:.4g} (`export.may_lose` allows {config.may_lose:.0%})"
        if failure:
            found.append(Exported(format=each.name, failure=failure))
            continue
        for file, content in zip(each.files, contents, strict=True):
            _write(os.path.join(folder, file), content)
        found.append(
            Exported(
                format=each.name,
                file=each.files[0],
                bytes=sum(map(len, contents)),
                milliseconds=_milliseconds(runner, compared.row),
                rows=len(answers),
                metric=metric,
                value=value,
                saved_model=wanted,
                difference=difference,
            )
        )
    _write(os.path.join(folder, _PROBLEM), problem.to_json().encode())
    _write(os.path.join(folder, FILE), to_text(found).encode())


def _loses(task: Task, value: float, wanted: float) -> float:
    """By what share of `wanted` the score `value` is worse; below 0 where it is better."""
    worse = value - wanted if isinstance(task, Regression) else wanted - value
    return worse / wanted if wanted else worse


def _formats(portable: Portable, config: ExportConfig, calibration: Inputs) -> list[_Format]:
    formats = [_litert(portable, precision, calibration) for precision in config.litert]
    if config.onnx:
        formats.append(_Format("onnx float32", (f"{FOLDER}/float32.onnx",), lambda: [onnx.convert(portable)], onnx.Runner))
    if config.tfjs:
        files = tuple(f"{FOLDER}/tfjs/{name}" for name in (tfjs.MODEL, tfjs.WEIGHTS))
        formats.append(_Format("tfjs float32", files, lambda: tfjs.convert(portable), tfjs.Runner, rows=_COMPARED_SLOWLY))
    return formats


def _litert(portable: Portable, precision: litert.Precision, calibration: Inputs) -> _Format:
    return _Format(
        f"litert {precision}",
        (f"{FOLDER}/{precision}.tflite",),
        lambda: [litert.convert(portable, precision, calibration)],
        litert.Runner,
        is_exact=precision == "float32",
    )


def _compare(portable: Portable, done: list[_Converted], graph: tft.TFTransformOutput, problem: Problem, raw: list[bytes]) -> _Compared:
    labels, parts, files = [], [], [[] for _ in done]
    for start in range(0, len(raw), _AT_ONCE):
        rows = rows_of(portable, graph, problem, raw[start : start + _AT_ONCE])
        if not len(rows.labels):
            continue
        row = {name: values[:1] for name, values in rows.inputs.items()}
        labels.append(rows.labels)
        parts.append(portable.predict(**{name: tf.constant(values) for name, values in rows.inputs.items()})[portable.output].numpy())
        for each, answers in zip(done, files, strict=True):
            if start < each.format.rows:
                answers.append(each.answer(rows.inputs))
    return _Compared(np.concatenate(labels), np.concatenate(parts), [np.concatenate(answers) for answers in files], row)


def _milliseconds(runner: Answer, row: Inputs) -> float:
    seconds = []
    for _ in range(_TIMED + 1):
        begin = time.perf_counter()
        runner(row)
        seconds.append(time.perf_counter() - begin)
    return float(np.median(seconds[1:])) * 1000  # the first one also makes ready


def _write(path: str, content: bytes) -> None:
    tf.io.gfile.makedirs(path.rpartition("/")[0])
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(content)
