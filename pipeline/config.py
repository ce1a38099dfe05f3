"""The whole configuration of a use case.

YAML file + `--set KEY=VALUE`s -> one frozen, checked PipelineConfig with absolute paths, or ConfigErrors that name the key
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Self, get_args, get_origin

import pydantic
import yaml
from pydantic import Field
from pydantic.fields import FieldInfo

from components.config import EvaluatorConfig, PusherConfig, SchemaConfig
from components.example_gen.columns import LABELS, Columns
from components.example_gen.config import DataConfig
from components.example_gen.image_columns import PICTURE, PICTURE_LABEL
from components.place import is_bucket
from pipeline import config_rules, user_files
from pipeline.accelerator import AcceleratorConfig
from pipeline.kubeflow.config import KubeflowConfig
from pipeline.yaml_text import NotYaml, from_yaml
from trainer.config import LAST, PreprocessingConfig, TrainerConfig
from trainer.errors import ConfigError, did_you_mean
from trainer.export_config import ExportConfig
from trainer.features import KINDS, Feature, Features, names
from trainer.features.cross import Crosses
from trainer.features.image import ImageFeature
from trainer.problem import Joined, Problem, Written
from trainer.search import TunerConfig
from trainer.settings import FOUND, Settings
from trainer.tasks import TASKS, Multiclass, Multilabel, Task

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$")]


class PipelineConfig(Settings):
    """Everything that can be set of one use case."""

    name: Name = Field(description="Name of the pipeline and of the served model: a letter, then letters, digits, `-`, `_`.")
    data: DataConfig = Field(description="Where the raw rows come from.")
    schema_: SchemaConfig = Field(SchemaConfig(), alias="schema", description="What the data must look like.")
    preprocessing: PreprocessingConfig = Field(
        PreprocessingConfig(), description="How Transform turns raw features into what the model sees."
    )
    task: Task | None = Field(
        None,
        description="What is predicted of rows with columns: `binary`, `multiclass`, `multilabel` or `regression`, or a mapping with its "
        "settings.",
    )
    label: str | tuple[str, ...] | None = Field(
        None,
        description="The column that is predicted; for `multilabel` also a list of several columns of 0 and 1, whose names are the labels.",
    )
    weight: str | None = Field(
        None,
        description="The column that says how much each row counts in the loss, a number from 0 on. It is no feature: whoever asks the "
        "model does not send it, and metrics count rows alike.",
    )
    features: dict[str, Feature] = Field(
        {},
        description="The columns that the model is given, each with its kind (`image`, `number`, `category`, `time`, `text`, `series`) "
        "or a mapping with `kind` and its settings. Columns that are not named are not used.",
    )
    crosses: Crosses = Field(
        [],
        description="What several features say together, as one more category of hash buckets: a list of the features' names, such as "
        "`[colour, shape]`, or a mapping with `of` and `buckets`, for each. They are categories, or numbers with `buckets`.",
    )
    trainer: TrainerConfig = Field(TrainerConfig(), description="What is trained, by which loop, for how long.")
    tuner: TunerConfig | None = Field(
        None, description="Settings of `trainer` that are searched before the training, which takes the best that were found."
    )
    export: ExportConfig = Field(ExportConfig(), description="What goes with the saved model.")
    evaluator: EvaluatorConfig = Field(EvaluatorConfig(), description="The gate: what a model must reach to be pushed.")
    pusher: PusherConfig = Field(PusherConfig(), description="Where accepted models go.")
    accelerator: AcceleratorConfig = Field(
        AcceleratorConfig(), description="What the Trainer runs on, on Kubeflow: `cpu`, a `gpu` or a `tpu`."
    )
    kubeflow: KubeflowConfig = Field(KubeflowConfig(), description="How the pipeline runs on Kubeflow Pipelines.")

    @property
    def has_columns(self) -> bool:
        """Whether rows have columns that the config names; pictures in numbered classes have none."""
        return self.data.format not in _NUMBERED_PICTURES

    @property
    def inputs(self) -> Features:
        """The features that the model is given."""
        if self.features:
            return Features(by_name=self.features, crosses=self.crosses)
        picture = self.preprocessing
        image = ImageFeature(size=picture.image_size, fit=picture.fit, channels=picture.channels, normalize=picture.normalize)
        return Features(by_name={PICTURE if self.data.format == "images" else names.IMAGE: image})

    @property
    def problem(self) -> Problem:
        """What is to be learnt."""
        if self.has_columns:
            task = self.task or Multiclass()
            label = LABELS if isinstance(self.label, tuple) else self.label or PICTURE_LABEL
            csv = self.data.csv if self.data.table_format == "csv" else None
            written = Written(**csv.model_dump(include=set(Written.model_fields))) if csv else None
            inputs = self.inputs
            return Problem(
                features=inputs.kinds,
                orders=inputs.orders,
                written=written,
                joined=self._joined,
                label=label,
                task=task,
                weight=self.weight,
            )
        return Problem(features=self.inputs.kinds, label=names.IMAGE_LABEL, task=Multiclass(classes=self.trainer.classes))

    @property
    def _joined(self) -> Joined | None:
        """Which rows make a row's series; None where it holds lists itself, or has none."""
        series, features = self.data.series, self.inputs.series
        if series is None or not features:
            return None
        labels = self.label if isinstance(self.label, tuple) else (self.label,)
        of = {name: feature.of or name for name, feature in features.items()}
        before = {name: max(series.ahead, int(column in labels)) for name, column in of.items()}
        length = next(iter(features.values())).length
        return Joined(key=series.keys, time=series.time, length=length, of=of, before=before)

    @property
    def columns(self) -> Columns:
        """The columns that are read."""
        if not self.has_columns:
            return Columns()
        kept = {name: feature.raw_type for name, feature in self.inputs.by_name.items()} | {self.problem.label: self.problem.task.raw_type}
        if self.weight:
            kept[self.weight] = "float"
        return Columns(
            kept=kept,
            label=self.problem.label,
            weight=self.weight,
            separator=getattr(self.task, "separator", None),
            marks=self.label if isinstance(self.label, tuple) else (),
            empty_label=isinstance(self.task, Multilabel) and self.data.table_format == "csv",
            joined=self.problem.joined,
            orders=self.inputs.orders,
        )

    @property
    def gate(self) -> EvaluatorConfig:
        """The gate with the bounds that the kind of data has by itself."""
        given = self.evaluator
        is_of_loss = self.trainer.loss in _COMPARED_LOSSES and self.trainer.best_by == "loss" and not self.trainer.label_smoothing
        found = {
            "min_accuracy": None if self.has_columns else _LEAST_ACCURACY,
            "linear_baseline": self.has_columns and is_of_loss and not self.weight,
        }
        return given.model_copy(update={name: value for name, value in found.items() if getattr(given, name) is None})

    @pydantic.field_validator("label", mode="before")
    @classmethod
    def _is_one_column_or_several(cls, label: Any) -> Any:
        names = label if isinstance(label, list) else []
        if label is None or isinstance(label, str):
            return label
        if len(names) > 1 and all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
            return tuple(names)
        received = json.dumps(label, ensure_ascii=False)
        raise ValueError(f"label: Expected the name of a column, or a list of several different ones. Received: {received}.")

    @pydantic.model_validator(mode="after")
    def _fits_together(self) -> Self:
        if fault := config_rules.fault(self):
            raise ValueError(fault)
        return self


_NUMBERED_PICTURES = ("digits", "idx")
_LEAST_ACCURACY = 0.9  # of numbered pictures, where nothing is said
_COMPARED_LOSSES = ("auto", "sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy", "mean_squared_error")


def load(path: str | Path, overrides: Iterable[str] = ()) -> PipelineConfig:
    """The configuration in the file `path` with `overrides` (`KEY=VALUE`, the value read as YAML) applied.

    Relative paths in the file are relative to the file; in overrides, to the working directory.

    Raises:
      ConfigError: one line a mistake, each with the key's path, what was expected and the nearest right name.
    """
    file = Path(path)
    values, base = _read(file), file.resolve().parent
    _absolute_paths(values, base)
    for override in overrides:
        _override(values, override, base)
    try:
        user_files.add_code(values, base)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from None
    return check(values, str(file))


def check(values: Mapping[str, Any], origin: str) -> PipelineConfig:
    """The checked configuration of plain `values`; `origin` is what an error calls them."""
    try:
        text = json.dumps(values, default=str)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{origin}: Expected plain values. Received: {error}.") from None
    try:
        return PipelineConfig.model_validate_json(text)
    except pydantic.ValidationError as error:
        raise ConfigError("\n".join(_sentence(origin, details) for details in error.errors())) from None


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a config file, which editors complete from."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **PipelineConfig.model_json_schema(by_alias=True)}


def to_yaml(config: PipelineConfig) -> str:
    """Every setting, defaults included, as YAML that `load` reads back from the same folder."""
    values = config.model_dump(mode="json", by_alias=True, exclude={"trainer": {"code"}})
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def field_paths(model: type[Settings] = PipelineConfig, prefix: str = "") -> list[str]:
    """The dotted key of every setting, sections' own keys left out."""
    paths: list[str] = []
    for name, field in _fields(model).items():
        key = prefix + name
        section = None if get_origin(field.annotation) is tuple else _section(field.annotation)
        paths += field_paths(section, f"{key}.") if section else [key]
    return paths


def _section(annotation: Any) -> type[Settings] | None:
    """The section that a field is; None where it is a plain value, or one of several sections by its `kind`."""
    sections = [each for each in (annotation, *get_args(annotation)) if isinstance(each, type) and issubclass(each, Settings)]
    return sections[0] if len(sections) == 1 else None


def _read(file: Path) -> dict[str, Any]:
    try:
        values = from_yaml(file.read_text(encoding="utf-8-sig"), str(file))
    except FileNotFoundError:
        near = did_you_mean(file.name, [path.name for path in _yaml_files(file.parent)])
        raise ConfigError(f"Expected a config file. Received: '{file}', which does not exist.{near} See configs/ for examples.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"Expected a readable YAML file. Received: '{file}': {error}.") from None
    except NotYaml as error:
        raise ConfigError(f"Expected YAML in '{file}'. Received: {error}.") from None
    if not isinstance(values, dict):
        raise ConfigError(
            f"Expected a mapping with the keys {', '.join(_keys(PipelineConfig))} in '{file}'. Received: {type(values).__name__}."
        )
    return values


def _yaml_files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix in (".yaml", ".yml")] if folder.is_dir() else []


_PATH_KEYS = (
    ("data", "path"),
    ("schema", "path"),
    ("pusher", "base_path"),
    ("trainer", "step", "teacher"),
    ("trainer", "start_from"),
    ("trainer", "backbone", "path"),
)
_WORDS = {("trainer", "start_from"): LAST}  # which are no paths


def _absolute_paths(values: dict[str, Any], base: Path) -> None:
    for *sections, key in _PATH_KEYS:
        table: Any = values
        for section in sections:
            table = table.get(section) if isinstance(table, dict) else None
        if isinstance(table, dict) and isinstance(table.get(key), str) and table[key] != _WORDS.get((*sections, key)):
            table[key] = _absolute(table[key], base)


def _absolute(path: str, base: Path) -> str:
    if "://" in path or is_bucket(path):
        return path
    try:
        return str((base / Path(path).expanduser()).resolve())
    except (RuntimeError, ValueError, OSError) as error:
        raise ConfigError(f"Expected a path. Received: {path!r}: {error}.") from None


def _override(values: dict[str, Any], override: str, base: Path) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"Expected --set KEY=VALUE, like --set trainer.epochs=3. Received: '{override}'.")
    *sections, name = key.split(".")
    table: Any = values
    for section in sections:
        if table.get(section) is None:
            table[section] = {}
        table = table[section]
        if not isinstance(table, dict):
            near = _elsewhere(name, key.rpartition(".")[0])
            raise ConfigError(f"--set {key}: Expected a key of a section. Received: '{section}', which is a value.{near}")
    try:
        value = from_yaml(text, f"--set {override}")
    except NotYaml:
        value = text
    if tuple(key.split(".")) in _PATH_KEYS and isinstance(value, str) and value != _WORDS.get(tuple(key.split("."))):
        value = _absolute(value, Path.cwd())
    table[name] = user_files.moved(key, value, Path.cwd(), base)


def _sentence(origin: str, details: Mapping[str, Any]) -> str:
    """One pydantic error as one line: where, what was expected, what was received, the nearest right thing."""
    location = [str(part) for part in details["loc"]]
    key, kind, context = ".".join(_without_tag(location)), details["type"], details.get("ctx", {})
    if kind == "value_error":
        where = f"{key}: " if location[:1] == ["features"] else ""  # a feature's settings do not know its name
        return f"{origin}: {where}{context['error']}"
    if kind == "extra_forbidden":
        known = _keys_at(location[:-1])
        near = did_you_mean(location[-1], known) if _tag_place(location) else ""
        near = near or _elsewhere(location[-1], ".".join(location[:-1])) or did_you_mean(location[-1], known)
        return f"{origin}: {key}: Expected one of the keys {', '.join(known)}. Received: '{location[-1]}'.{near}"
    if kind == "missing":
        return f"{origin}: {key}: Expected a value. Received: none. Add the key `{key}`."
    if kind == "union_tag_invalid":
        near = did_you_mean(context["tag"], re.findall(r"'([^']*)'", context["expected_tags"]))
        return f"{origin}: {key}: Expected one of {context['expected_tags']}. Received: '{context['tag']}'.{near}"
    received = json.dumps(details["input"], ensure_ascii=False, default=str)
    near = ""
    if kind == "literal_error" and isinstance(details["input"], str):
        near = did_you_mean(details["input"], re.findall(r"'([^']*)'", context["expected"]))
    expected = context["expected"] if kind == "literal_error" else _lower_first(details["msg"].removeprefix("Input should be "))
    return f"{origin}: {key}: Expected {expected}. Received: {received}.{near}"


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _elsewhere(name: str, section: str) -> str:
    """Where the key `name` does belong, for one that stands in `section` (empty: at the top) and should not."""
    paths = [path for path in field_paths() if path.rpartition(".")[2] == name]
    below = [path for path in paths if not section or path.startswith(f"{section}.")]
    if below:
        return f" Did you mean '{below[0]}'?"
    owners = " or ".join(f"`{owner}`" if owner else "the top level" for owner in (path.rpartition(".")[0] for path in paths))
    return f" `{name}` belongs to {owners}." if paths else ""


def _keys(model: type[Settings]) -> list[str]:
    return list(_fields(model))


def _fields(model: type[Settings]) -> dict[str, FieldInfo]:
    """The fields that somebody can set, by their keys."""
    return {field.alias or name: field for name, field in model.model_fields.items() if field.json_schema_extra != FOUND}


def _tag_place(location: list[str]) -> int | None:
    """Where pydantic puts the kind of a feature or of the task between the keys, None where it does not."""
    place = {"features": 2, "task": 1}.get(location[0]) if location else None
    return place if place is not None and len(location) > place else None


def _without_tag(location: list[str]) -> list[str]:
    place = _tag_place(location)
    return location if place is None else location[:place] + location[place + 1 :]


def _keys_at(location: list[str]) -> list[str]:
    place = _tag_place(location)
    if place is not None:
        kinds = {kind.model_fields["kind"].default: kind for kind in (KINDS if location[0] == "features" else TASKS.values())}
        return _keys(kinds[location[place]])
    model: type[Settings] = PipelineConfig
    for part in location:
        fields = _fields(model)
        if part in fields and (section := _section(fields[part].annotation)):
            model = section
    return _keys(model)
