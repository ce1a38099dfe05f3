"""The rules by which the parts of a config fit together, each a function from a config to what is wrong with it.

rows of columns, or pictures in numbered classes? -> that kind's rules -> is the model for such features? (`model_rules`)
-> do the loss, the step, the metrics and the search fit the task? -> do the lists of anomalies name what there is? -> the first
fault's sentence, or None
"""

from typing import TYPE_CHECKING

from components import metric_names
from components.anomaly import KINDS as KINDS_OF_ANOMALIES
from components.example_gen.columns import LABELS
from pipeline.model_rules import model_fault
from trainer import search, watched
from trainer.config import BACKBONE
from trainer.errors import did_you_mean
from trainer.features.cross import cross_fault
from trainer.reference import is_reference
from trainer.tasks import Multilabel

if TYPE_CHECKING:
    from pipeline.config import PipelineConfig  # not at run time: it asks these rules


def fault(config: "PipelineConfig") -> str | None:
    """The first thing that does not fit, in a sentence that begins with its key; None where all of it fits together."""
    of_kind = _column_fault(config) if config.has_columns else _picture_fault(config)
    rules = (
        _model_fault,
        _loss_fault,
        _shown_metrics_fault,
        _step_fault,
        _metric_fault,
        _wrong_pictures_fault,
        _tuner_fault,
        _severity_fault,
        _bound_fault,
    )
    return of_kind or next((fault for rule in rules if (fault := rule(config))), None)


def _model_fault(config: "PipelineConfig") -> str | None:
    return model_fault(BACKBONE if config.trainer.backbone else config.trainer.model, config.inputs)


def _picture_fault(config: "PipelineConfig") -> str | None:
    """What does not fit together in a config of pictures in numbered classes."""
    data = config.data
    for key, given in (
        ("features", config.features),
        ("crosses", config.crosses),
        ("label", config.label),
        ("weight", config.weight),
        ("task", config.task),
        ("data.csv", data.csv),
    ):
        if given:
            return f"{key}: Expected none with `data.format: {data.format}`, whose rows are a picture and a number. Remove it."
    if data.format == "digits" and (data.path or data.download):
        return (
            "data.path: Expected no `data.path` and no `data.download` with `data.format: digits`, which is bundled. "
            "For files of your own use `data.format: idx`."
        )
    if data.format == "idx" and not (data.path or data.download):
        return "data.path: Expected the folder of the IDX files, or `data.download` with the name of a public data set. Received: neither."
    for label in config.evaluator.class_min_accuracy:
        if not label.isdecimal() or int(label) >= config.trainer.classes:
            return (
                f"evaluator.class_min_accuracy: Expected labels from 0 to {config.trainer.classes - 1} (`trainer.classes`). "
                f"Received: {label}."
            )
    return None


def _column_fault(config: "PipelineConfig") -> str | None:
    """What does not fit together in a config of rows with columns."""
    has_names = config.data.format == "images" and not config.data.is_list  # its columns have names that nobody has to give
    if config.data.pictures and not config.data.is_list:
        return "data.pictures: Expected none where `data.path` is no table that names pictures. Remove it."
    for key, given in (("data.path", config.data.path), ("label", config.label), ("task", config.task), ("features", config.features)):
        if not given and not (has_names and key != "data.path"):
            return (
                f"{key}: Expected a value with `data.format: {config.data.format}`. Received: none. "
                "`tapeline init PATH` writes a config from the data."
            )
    if config.data.is_list and "image" not in config.inputs.kinds.values():
        return "features: Expected the column that names the pictures, with the kind `image`. Received: none of that kind."
    for name, feature in config.features.items():
        if feature.kind == "image" and config.data.format == "csv":
            return f"features.{name}: Expected another kind than `image` with `data.format: csv`, which holds no pictures. Try `images`."
    if getattr(config.task, "classes", None) is not None:
        return "task.classes: Expected none with columns, whose classes are the label's values. Remove it."
    several = config.label if isinstance(config.label, tuple) else ()
    for name in several or (config.label,):
        if name in config.features:
            if config.features[name].kind == "series":
                step = f"Its past is `past_{name}: {{kind: series, of: {name}}}`, with `data.series`."
            else:
                step = "Remove it from `features`."
            return f"features: Expected columns other than the label. Received: '{name}'. {step}"
    if fault := _weight_fault(config):
        return fault
    if several and LABELS in config.features:
        return f"features: Expected no '{LABELS}' beside several columns in `label`, which are called so together. Rename that column."
    if several and not isinstance(config.task, Multilabel):
        kind = config.task.kind if config.task else "none"
        return f"task: Expected `multilabel` with several columns in `label`. Received: {kind}."
    if config.trainer.augment and "image" not in config.inputs.kinds.values():
        return "trainer.augment: Expected none where the model is given no picture. Remove it."
    if fault := cross_fault(config.crosses, config.inputs.by_name) or _series_fault(config):
        return fault
    if config.data.download:
        return f"data.download: Expected none with `data.format: {config.data.format}`. Remove it, and name the file in `data.path`."
    return _multilabel_fault(config, config.task) if isinstance(config.task, Multilabel) else None


def _weight_fault(config: "PipelineConfig") -> str | None:
    """What cannot be with a column of weights."""
    weight, step = config.weight, config.trainer.step
    if weight is None:
        return None
    if config.data.format == "images" and not config.data.is_list:
        return "weight: Expected none with `data.format: images`, where a row is a picture in a folder. Remove it, or list them in a table."
    labels = config.label if isinstance(config.label, tuple) else (config.label,)
    if weight in labels or (weight == LABELS and len(labels) > 1):
        return f"weight: Expected a column other than the label. Received: '{weight}'. Name another one, or remove it."
    if weight in config.features:
        return f"weight: Expected a column that is no feature. Received: '{weight}'. Remove it from `features`, or `weight`."
    if step.NO_WEIGHTS:
        return f"weight: Expected none with `trainer.step: {step.kind}`, {step.NO_WEIGHTS}. Remove it, or set `trainer.step: standard`."
    return None


def _series_fault(config: "PipelineConfig") -> str | None:
    """What does not fit to lists of numbers in the order of time."""
    features, series = config.inputs.series, config.data.series
    if not features:
        return (
            series
            and "data.series: Expected a feature of the kind `series` with it. Received: none. Set `kind: series` of one, or remove it."
        )
    first = next(iter(features))
    if len({feature.length for feature in features.values()}) > 1:
        received = ", ".join(f"{feature.length} of '{name}'" for name, feature in features.items())
        return f"features: Expected one `length` of all series, which the model reads side by side. Received: {received}."
    if series is None:
        if of := next((name for name, feature in features.items() if feature.of), None):
            return (
                f"features.{of}.of: Expected `data.series` with it, which makes lists of a column. Received: none. Set it, or remove `of`."
            )
        if config.data.table_format == "csv":
            return (
                f"features.{first}: Expected `data.series` with the kind `series` and `data.format: csv`, which holds no lists. "
                "Received: none. Set `data.series: {key: COLUMN, time: COLUMN}`."
            )
        return None
    if config.data.format not in ("csv", "parquet", "jsonl"):
        return f"data.series: Expected `data.format` csv, parquet or jsonl with it. Received: {config.data.format}. Remove it."
    labels = config.label if isinstance(config.label, tuple) else (config.label,)
    for name in (*series.keys, series.time):
        if name in labels:
            return f"data.series: Expected columns other than the label as `key` and `time`. Received: '{name}'. Name another one."
        if name in features:
            of = features[name].of or name
            return f"features.{name}: Expected another name than that of a column of `data.series`. Rename it, and set `of: {of}`."
    return None


def _multilabel_fault(config: "PipelineConfig", task: Multilabel) -> str | None:
    """What does not fit to several labels for a row."""
    if config.data.format == "images" and not config.data.is_list:
        return "task: Expected another than `multilabel` with `data.format: images`, where a picture is in one folder. Try `multiclass`."
    if isinstance(config.label, tuple) and task.separator is not None:
        return "task.separator: Expected none with several columns of 0 and 1 in `label`. Remove it."
    if config.data.table_format == "csv" and task.separator is None and isinstance(config.label, str):
        return (
            "task.separator: Expected what stands between the labels of a cell, with `data.format: csv`. Received: none. "
            'Set `task: {kind: multilabel, separator: ";"}`, or list several columns of 0 and 1 in `label`.'
        )
    for key, given in (
        ("min_class_accuracy", config.evaluator.min_class_accuracy),
        ("class_min_accuracy", config.evaluator.class_min_accuracy),
    ):
        if given:
            return f"evaluator.{key}: Expected none with `task: multilabel`. Remove it; `evaluator.bounds` takes `recall` and `f1`."
    return None


def _loss_fault(config: "PipelineConfig") -> str | None:
    """That the loss is another task's."""
    task, loss = config.problem.task, config.trainer.loss
    if loss in task.LOSSES or is_reference(loss):
        return None
    return f"trainer.loss: Expected one of {', '.join(task.LOSSES)} for `task: {task.kind}`. Received: '{loss}'. Try `auto`."


def _shown_metrics_fault(config: "PipelineConfig") -> str | None:
    """That a metric of each epoch is another task's."""
    task = config.problem.task
    others = [name for name in config.trainer.metrics or [] if name not in task.METRICS and not is_reference(name)]
    if not others:
        return None
    known = ", ".join(task.METRICS)
    return f"trainer.metrics: Expected some of {known} for `task: {task.kind}`, or your own. Received: '{others[0]}'. Remove it."


def _step_fault(config: "PipelineConfig") -> str | None:
    """What the training's step cannot do with this task."""
    return config.trainer.step.fault(config.problem.task, config.trainer.loss)


def _metric_fault(config: "PipelineConfig") -> str | None:
    """That a metric is watched which is not computed, or of which nobody knows where it is better."""
    return watched.fault(config.trainer, config.problem.task.metric_names(config.trainer))


def _wrong_pictures_fault(config: "PipelineConfig") -> str | None:
    """That there is no picture to show, or no class to be wrong about."""
    task, kinds = config.problem.task, config.inputs.kinds.values()
    if not config.trainer.tensorboard.wrong_pictures or (task.kind in ("binary", "multiclass") and "image" in kinds):
        return None
    return (
        "trainer.tensorboard.wrong_pictures: Expected 0 without pictures among the features and a task of classes, `binary` or "
        f"`multiclass`. Received: {config.trainer.tensorboard.wrong_pictures}, with `task: {task.kind}` and features of the kinds "
        f"{', '.join(sorted(set(kinds)))}. Leave it out."
    )


def _tuner_fault(config: "PipelineConfig") -> str | None:
    """What cannot be searched, or a metric that does not say which of two trials is the better one."""
    if config.tuner is None:
        return None
    by = config.trainer.model_copy(update={"best_by": config.tuner.metric})
    wrong = watched.fault(by, config.problem.task.metric_names(by))
    return search.fault(config.tuner, config.trainer) or (wrong and wrong.replace("trainer.best_by:", "tuner.metric:"))


def _severity_fault(config: "PipelineConfig") -> str | None:
    """What `schema.warn` or `schema.stop` names that is neither a column nor a kind of anomaly."""
    columns = [*config.problem.features, config.problem.label, *([config.weight] if config.weight else [])]
    for key in ("warn", "stop"):
        for name in getattr(config.schema_, key):
            if name not in columns and name not in KINDS_OF_ANOMALIES:
                near = did_you_mean(name, [*columns, *KINDS_OF_ANOMALIES])
                kinds = ", ".join(KINDS_OF_ANOMALIES)
                return f"schema.{key}: Expected a column of the config, or one of {kinds}. Received: '{name}'.{near}"
    return None


def _bound_fault(config: "PipelineConfig") -> str | None:
    """A metric that is not measured, or a slice of a column that is not kept: either would refuse the model after all the training."""
    problem, columns = config.problem, [*config.columns.kept]
    known = metric_names.of(problem.task)
    for bound in config.evaluator.bounds:
        if bound.metric not in known:
            near, listed = did_you_mean(bound.metric, known), ", ".join(known)
            return f"evaluator.bounds: Expected a metric of `task: {problem.task.kind}`: {listed}. Received: '{bound.metric}'.{near}"
        for name in bound.slice or ():
            if columns and name not in columns:
                near, listed = did_you_mean(name, columns), ", ".join(columns)
                return f"evaluator.bounds: Expected a slice of features or of the label: {listed:.300}. Received: '{name}'.{near}"
    return None
