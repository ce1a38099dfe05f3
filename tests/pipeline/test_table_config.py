"""The configuration of a table: its columns, kinds, label and task."""

import jsonschema
import pytest
import yaml

from pipeline import config
from trainer.errors import ConfigError

TABLE = """
name: houses
data: {format: csv, path: houses.csv}
task: regression
label: 価格
features:
  面積: number
  都市: category
  売れた日: {kind: time, order: day_first}
  部屋: {kind: number, missing: 0.0}
evaluator: {bounds: [{metric: rmse, max: 9.5}, {metric: mae, max: 5.0, slice: {都市: 札幌}}]}
"""


@pytest.fixture
def file(tmp_path):
    """file(text): a config file with that text."""

    def write(text, name="houses.yaml"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return write


def test_a_table_with_kinds_in_short_and_in_full_loads_is_valid_by_the_json_schema_and_reads_back_equal(file):
    settings = config.load(file(TABLE))
    assert settings.problem.features == {"面積": "number", "都市": "category", "売れた日": "time", "部屋": "number"}
    assert (settings.problem.label, settings.problem.task.kind, settings.gate.min_accuracy) == ("価格", "regression", None)
    shown = config.to_yaml(settings)
    assert config.load(file(shown, "shown.yaml")) == settings
    for text in (TABLE, shown):
        jsonschema.validate(yaml.safe_load(text), config.json_schema(), jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "label=null",
            "label: Expected a value with `data.format: csv`. Received: none. `tapeline init PATH` writes a config from the data.",
        ),
        (
            "features={}",
            "features: Expected a value with `data.format: csv`. Received: none. `tapeline init PATH` writes a config from the data.",
        ),
        ("label=都市", "features: Expected columns other than the label. Received: '都市'. Remove it from `features`."),
        ("data.download=mnist", "data.download: Expected none with `data.format: csv`. Remove it, and name the file in `data.path`."),
        (
            "data.splits={group: 都市, column: 部}",
            "data.splits: Expected one of column, files, group and time. Received: column and group.",
        ),
        (
            "evaluator.bounds=[{metric: rsme, max: 1.0}]",
            "evaluator.bounds: Expected a metric of `task: regression`: rmse, mae, r2, quantile_loss. Received: 'rsme'. "
            "Did you mean 'rmse'?",
        ),
        (
            "evaluator.bounds=[{metric: rmse, max: 1.0, slice: {都市名: 札幌}}]",
            "evaluator.bounds: Expected a slice of features or of the label: 面積, 都市, 売れた日, 部屋, 価格. Received: '都市名'. "
            "Did you mean '都市'?",
        ),
        (
            "evaluator.bounds=[{metric: rmse}]",
            "evaluator.bounds: Expected one of min and max for the metric 'rmse'. Received: neither.",
        ),
        (
            "evaluator.bounds=[{metric: rmse, min: 1.0, max: 2.0}]",
            "evaluator.bounds: Expected one of min and max for the metric 'rmse'. Received: both.",
        ),
        (
            "features.面積=numbr",
            "features.面積: Expected one of 'image', 'number', 'category', 'time', 'text', 'series'. Received: 'numbr'. "
            "Did you mean 'number'?",
        ),
        (
            "features.面積={kind: number, lok: true}",
            "features.面積.lok: Expected one of the keys kind, missing, log, clip, scale, buckets. Received: 'lok'. Did you mean 'log'?",
        ),
        (
            "features.面積={kind: time, order: day}",
            "features.面積.order: Expected 'year_first', 'day_first' or 'month_first'. Received: \"day\".",
        ),
        (
            "task={kind: binary, positiv: spam}",
            "task.positiv: Expected one of the keys kind, classes, class_weights, threshold, positive. "
            "Received: 'positiv'. Did you mean 'positive'?",
        ),
        (
            "evaluator.bounds=[{metrc: rmse, max: 1.0, metric: rmse}]",
            "evaluator.bounds.0.metrc: Expected one of the keys metric, min, max, slice, quantile. Received: 'metrc'. "
            "Did you mean 'metric'?",
        ),
        ("weight=価格", "weight: Expected a column other than the label. Received: '価格'. Name another one, or remove it."),
        (
            "weight=面積",
            "weight: Expected a column that is no feature. Received: '面積'. Remove it from `features`, or `weight`.",
        ),
        ("weight=3", "weight: Expected a valid string. Received: 3."),
        (
            'label=["red", "round"]',
            "task: Expected `multilabel` with several columns in `label`. Received: regression.",
        ),
        (
            'label=["red", "red"]',
            'label: Expected the name of a column, or a list of several different ones. Received: ["red", "red"].',
        ),
        ("label=3", "label: Expected the name of a column, or a list of several different ones. Received: 3."),
        (
            "task=multilabel",
            "task.separator: Expected what stands between the labels of a cell, with `data.format: csv`. Received: none. "
            'Set `task: {kind: multilabel, separator: ";"}`, or list several columns of 0 and 1 in `label`.',
        ),
        (
            "trainer.loss=categorical_crossentropy",
            "trainer.loss: Expected one of auto, mean_squared_error, mean_absolute_error, huber for `task: regression`. "
            "Received: 'categorical_crossentropy'. Try `auto`.",
        ),
        (
            "trainer.metrics=[mae, accuracy]",
            "trainer.metrics: Expected some of mae for `task: regression`, or your own. Received: 'accuracy'. Remove it.",
        ),
        (
            "trainer.early_stopping.metric=acuracy",
            "trainer.early_stopping.metric: Expected one of loss, mae, which are shown for every epoch. Received: 'acuracy'. "
            "`trainer.metrics` adds others.",
        ),
        (
            "trainer.tensorboard.wrong_pictures=8",
            "trainer.tensorboard.wrong_pictures: Expected 0 without pictures among the features and a task of classes, `binary` or "
            "`multiclass`. Received: 8, with `task: regression` and features of the kinds category, number, time. Leave it out.",
        ),
        (
            "task=binry",
            "task: Expected one of 'binary', 'multiclass', 'multilabel', 'regression'. Received: 'binry'. Did you mean 'binary'?",
        ),
    ],
)
def test_a_mistake_in_a_table_is_one_line_too(file, override, message):
    path = file(TABLE)
    with pytest.raises(ConfigError) as refused:
        config.load(path, [override])
    assert str(refused.value) == f"{path}: {message}"


def test_several_columns_of_0_and_1_are_one_label_called_labels(file):
    several = ["label=[red, round]", "task=multilabel", "evaluator.bounds=[]"]
    settings = config.load(file(TABLE), several)
    assert settings.problem.label == "labels"
    assert (settings.columns.marks, settings.columns.separator, settings.columns.empty_label) == (("red", "round"), None, True)
    assert {"red", "round"} <= settings.columns.arrow_types().keys()
    assert "labels" not in settings.columns.arrow_types()
    assert config.check(yaml.safe_load(config.to_yaml(settings)), "again") == settings
    for more, message in (
        ("label=[red, 都市]", "features: Expected columns other than the label. Received: '都市'. Remove it from `features`."),
        ("task={kind: multilabel, separator: ;}", "task.separator: Expected none with several columns of 0 and 1 in `label`. Remove it."),
        ("features={labels: number}", "features: Expected no 'labels' beside several columns in `label`, which are called so together."),
    ):
        with pytest.raises(ConfigError) as refused:
            config.load(file(TABLE), [*several, more])
        assert message in str(refused.value)


def test_several_labels_are_no_rows_of_one_class_each(file):
    several = ["task={kind: multilabel, separator: ;}", "evaluator.bounds=[]"]
    columns = config.load(file(TABLE), several).columns
    assert (columns.kept["価格"], columns.separator, columns.empty_label) == ("strings", ";", True)
    lists = config.load(file(TABLE), ["task=multilabel", "data.format=jsonl", "evaluator.bounds=[]"]).columns
    assert (lists.separator, lists.empty_label) == (None, False)
    for more, message in (
        ("evaluator.min_class_accuracy=0.5", "evaluator.min_class_accuracy: Expected none with `task: multilabel`. Remove it; "),
        ("data={format: images, path: pictures}", "task: Expected another than `multilabel` with `data.format: images`, where a picture "),
    ):
        with pytest.raises(ConfigError) as refused:
            config.load(file(TABLE), [*several, more])
        assert message in str(refused.value)


def test_a_bound_is_no_key_of_its_own_for_it_is_one_of_a_list():
    assert "evaluator.bounds" in config.field_paths()
    assert not [path for path in config.field_paths() if path.startswith("evaluator.bounds.")]


@pytest.mark.parametrize(
    ("overrides", "compared"),
    [
        ([], True),
        (["trainer.loss=mean_squared_error"], True),
        (["trainer.loss=mean_absolute_error"], False),  # its best model need not have the least squared error
        (["trainer.loss=huber", "evaluator.linear_baseline=true"], True),
        (["trainer.best_by=mae"], False),
        (["evaluator.linear_baseline=false"], False),
        (["task=multiclass", "trainer.loss=categorical_crossentropy"], True),
        (["task=multiclass", "trainer.loss=categorical_crossentropy", "trainer.label_smoothing=0.1"], False),
        (["task=multiclass", "trainer.loss=categorical_focal_crossentropy"], False),
    ],
)
def test_a_table_is_compared_with_a_linear_model_by_what_it_is_trained_by_unless_it_says_otherwise(file, overrides, compared):
    assert config.load(file(TABLE), ["evaluator.bounds=[]", *overrides]).gate.linear_baseline is compared


def test_numbered_pictures_are_not_compared_with_a_linear_model():
    assert config.check({"name": "digits", "data": {"format": "digits"}}, "digits.yaml").gate.linear_baseline is False


def test_a_quantile_belongs_to_the_quantile_loss(file):
    bounds = config.load(file(TABLE), ["evaluator.bounds=[{metric: quantile_loss, quantile: 0.9, max: 2}]"]).gate.bounds
    assert [bound.measured for bound in bounds] == ["quantile_loss_0.9"]
    with pytest.raises(ConfigError) as refused:
        config.load(file(TABLE), ["evaluator.bounds=[{metric: mae, quantile: 0.9, max: 2}]"])
    assert "Expected `quantile` with the metric 'quantile_loss' alone. Received: 'mae'. Remove `quantile`." in str(refused.value)


def test_a_column_of_weights_is_read_and_is_no_feature_and_without_one_nothing_speaks_of_weights(file):
    settings = config.load(file(TABLE), ["weight=重み"])
    assert (settings.columns.kept["重み"], settings.columns.weight, settings.problem.weight) == ("float", "重み", "重み")
    assert "重み" not in settings.problem.features
    assert config.load(file(config.to_yaml(settings), "shown.yaml")) == settings
    plain = config.load(file(TABLE))
    assert "weight" not in plain.problem.to_json() + plain.columns.to_json()
    assert (plain.gate.linear_baseline, settings.gate.linear_baseline) == (True, False)
    assert config.load(file(TABLE), ["weight=重み", "evaluator.linear_baseline=true", "schema.warn=[重み]"]).gate.linear_baseline
