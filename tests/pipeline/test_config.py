"""The configuration: what is read, what is refused, and in which words."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from pipeline import config, yaml_text
from trainer.errors import ConfigError

CONFIGS = sorted((Path(__file__).resolve().parents[2] / "configs").glob("*.yaml"))
MINIMAL = "name: mine\ndata: {format: digits}\n"
TRAINER_KEYS = (
    "loop, model, step, without_gradient, classes, epochs, minutes, batch_size, seed, precision, jit_compile, optimizer, "
    "learning_rate, schedule, warmup, weight_decay, clip_norm, clip_each_norm, clip_value, accumulate, ema, loss, "
    "label_smoothing, metrics, dropout, augment, early_stopping, weights, best_by, metric_modes, must_learn, checkpoints, "
    "tensorboard, strategy, workers_minutes, workers, cache, start_from, start_without, backbone, freeze, thaw_after, start_rate"
)
TOP_KEYS = (
    "name, data, schema, preprocessing, task, label, weight, features, crosses, trainer, tuner, export, evaluator, pusher, "
    "accelerator, kubeflow"
)


@pytest.fixture
def file(tmp_path):
    """file(text): a config file with that text."""

    def write(text, name="mine.yaml"):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def refusal(path, *overrides):
    """The message of the refusal without the file's own path."""
    with pytest.raises(ConfigError) as caught:
        config.load(path, overrides)
    assert caught.value.exit_status == 2
    return str(caught.value).replace(f"{path}: ", "").replace(str(path), "FILE")


def test_a_minimal_file_gets_the_documented_defaults(file):
    settings = config.load(file(MINIMAL))
    assert (settings.trainer.loop, settings.trainer.model, settings.trainer.epochs, settings.trainer.batch_size) == ("fit", "auto", 10, 64)
    assert (settings.data.splits.train, settings.gate.min_accuracy, settings.pusher.base_path, settings.schema_.path) == (
        8,
        0.9,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "trainer: {lop: fit}",
            f"trainer.lop: Expected one of the keys {TRAINER_KEYS}. Received: 'lop'. Did you mean 'loop'?",
        ),
        ("trainr: {}", f"trainr: Expected one of the keys {TOP_KEYS}. Received: 'trainr'. Did you mean 'trainer'?"),
        (
            "data: {format: digits, epochs: 3}",
            "data.epochs: Expected one of the keys format, path, pictures, span, window, download, max_image_pixels, csv, "
            "max_unreadable, series, splits. "
            "Received: 'epochs'. `epochs` belongs to `trainer` or `trainer.checkpoints`.",
        ),
        (
            "trainer: {path: x}",
            f"trainer.path: Expected one of the keys {TRAINER_KEYS}. Received: 'path'. Did you mean 'trainer.backbone.path'?",
        ),
        ("pusher: {epoch: 3}", "pusher.epoch: Expected one of the keys base_path. Received: 'epoch'."),
        ("epochs: 3", f"epochs: Expected one of the keys {TOP_KEYS}. Received: 'epochs'. Did you mean 'trainer.epochs'?"),
        (
            "data: {format: digits, splits: {validation: 1}}",
            "data.splits.validation: Expected one of the keys train, eval, test, column, files, prefixes, group, time, duplicates. "
            "Received: 'validation'.",
        ),
        (
            "data: {format: digits, splits: {train: 0.8}}",
            "data.splits.train: Expected a whole number of shares, as in `train: 80`, `eval: 10`, `test: 10`. Received: 0.8. Give all "
            "three in percent, this one as 80.",
        ),
        (
            "trainer: {loop: gradient_tap}",
            "trainer.loop: Expected 'fit' or 'gradient_tape'. Received: \"gradient_tap\". Did you mean 'gradient_tape'?",
        ),
        (
            "trainer: {model: CNN}",
            "trainer.model: Expected 'auto', 'mlp', 'cnn', 'resnet', 'vit', 'backbone', 'tabular', 'linear', 'wide_deep', 'text', "
            "'embedding_bag', 'conv', 'lstm' or 'transformer'. Received: \"CNN\".",
        ),
        ("trainer: {epochs: ten}", 'trainer.epochs: Expected a valid integer. Received: "ten".'),
        ("trainer: {epochs: 2.5}", "trainer.epochs: Expected a valid integer. Received: 2.5."),
        ("trainer: {epochs: true}", "trainer.epochs: Expected a valid integer. Received: true."),
        ("trainer: {epochs: '3'}", 'trainer.epochs: Expected a valid integer. Received: "3".'),
        ("trainer: {epochs: 0}", "trainer.epochs: Expected greater than or equal to 1. Received: 0."),
        ("trainer: {epochs: }", "trainer.epochs: Expected a valid integer. Received: null."),
        ("trainer: {learning_rate: 0}", "trainer.learning_rate: Expected greater than 0. Received: 0."),
        ("trainer: {learning_rate: fast}", 'trainer.learning_rate: Expected a valid number. Received: "fast".'),
        ("evaluator: {min_accuracy: 97.5}", "evaluator.min_accuracy: Expected less than or equal to 1. Received: 97.5."),
        ("evaluator: {min_accuracy: .nan}", "evaluator.min_accuracy: Expected less than or equal to 1. Received: NaN."),
        ("evaluator: {class_min_accuracy: {ten: 0.5}}", None),
        (
            "evaluator: {class_min_accuracy: {10: 0.5}}",
            "evaluator.class_min_accuracy: Expected labels from 0 to 9 (`trainer.classes`). Received: 10.",
        ),
        ("preprocessing: {channels: 2}", "preprocessing.channels: Expected 1 or 3. Received: 2."),
        ("preprocessing: {image_size: [28]}", None),
        ("preprocessing: {image_size: 28}", None),
        ("schema: schema.pbtxt", None),
        ("data: {path: x}", "data.format: Expected a value. Received: none. Add the key `data.format`."),
        (
            "data: {format: cvs}",
            "data.format: Expected 'digits', 'idx', 'images', 'csv', 'parquet', 'jsonl' or 'tfrecord'. Received: \"cvs\". "
            "Did you mean 'csv'?",
        ),
        (
            "features: {age: number}",
            "features: Expected none with `data.format: digits`, whose rows are a picture and a number. Remove it.",
        ),
        (
            "data: {format: digits, path: x}",
            "data.path: Expected no `data.path` and no `data.download` with `data.format: digits`, which is bundled. "
            "For files of your own use `data.format: idx`.",
        ),
        (
            "data: {format: idx}",
            "data.path: Expected the folder of the IDX files, or `data.download` with the name of a public data set. Received: neither.",
        ),
        (
            "data: {format: idx, download: minst}",
            "data.download: Expected 'mnist' or 'fashion_mnist'. Received: \"minst\". Did you mean 'mnist'?",
        ),
        ("name: 1st", "name: Expected"),
    ],
)
def test_a_mistake_is_one_line_with_its_key_what_was_expected_what_was_received_and_the_nearest_right_name(file, text, message):
    received = refusal(file(yaml.safe_dump(yaml.safe_load(MINIMAL) | yaml.safe_load(text))))
    assert "\n" not in received
    if message is None:  # the words are the library's; the key must be there
        key = text.split(":")[0]
        assert received.startswith(key)
        assert ": Expected " in received or ": String should" in received
    elif message.endswith("Expected"):
        assert received.startswith(message)
    else:
        assert received == message


def test_every_mistake_gets_its_own_line(file):
    received = refusal(file(MINIMAL + "trainer: {epochs: ten, lop: fit}\n"))
    assert [line.split(": Expected")[0] for line in received.splitlines()] == ["trainer.epochs", "trainer.lop"]


@pytest.mark.parametrize(("text", "value"), [("1e-3", 0.001), ("1.5e2", 150.0), ("2E-4", 0.0002), (".5", 0.5), ("1", 1.0)])
def test_numbers_are_read_as_people_write_them(file, text, value):
    path = file(f"{MINIMAL}trainer: {{learning_rate: {text}}}\n" if value <= 10 else MINIMAL)
    if value <= 10:
        assert config.load(path).trainer.learning_rate == value
    assert yaml_text.from_yaml(text, "text") == value


@pytest.mark.parametrize("text", ["1e", "e3", "1.2.3", "0x1F", "12ab", "mnist-1e3"])
def test_what_only_looks_like_a_number_is_none(text):
    assert not isinstance(yaml_text.from_yaml(text, "text"), float)


def test_a_key_that_stands_twice_is_refused_with_its_line(file):
    path = file(MINIMAL + "trainer:\n  epochs: 3\n  loop: fit\n  epochs: 4\n")
    assert refusal(path) == "FILE:6: Expected each key once. Received: 'epochs' twice."


@pytest.mark.parametrize("text", ["name: {{ name }}\ndata: {format: digits}\n", "? [a, b]\n: 1\n", "? {a: b}\n: 1\n"])
def test_a_key_that_is_no_plain_value_is_refused_like_a_template_that_nobody_filled_in(file, text):
    received = refusal(file(text))
    assert "\n" not in received
    assert "Expected each key to be a plain value" in received


@pytest.mark.parametrize("text", ["2020-01-01: x\n", "1: x\n", "true: x\n", "null: x\n"])
def test_a_key_that_is_no_text_is_an_unknown_key(file, text):
    assert "Expected one of the keys name, " in refusal(file(MINIMAL + text))


def test_a_byte_order_mark_is_no_part_of_the_first_key(file):
    assert config.load(file(b"\xef\xbb\xbf" + MINIMAL.encode())).name == "mine"


@pytest.mark.parametrize(
    ("text", "kind"), [("", "NoneType"), ("# nothing yet\n", "NoneType"), ("- name\n", "list"), ("just words\n", "str"), ("3\n", "int")]
)
def test_anything_but_a_mapping_is_refused(file, text, kind):
    assert refusal(file(text)) == f"Expected a mapping with the keys {TOP_KEYS} in 'FILE'. Received: {kind}."


def test_broken_yaml_is_one_line_with_line_and_column(file):
    received = refusal(file("name: mine\ndata: {format: digits\n"))
    assert "\n" not in received
    assert received.startswith("Expected YAML in 'FILE'. Received: ")
    assert "line 3, column 1" in received


def test_bytes_that_are_no_utf_8_are_refused(file):
    assert refusal(file(b"name: caf\xe9\n")).startswith("Expected a readable YAML file. Received: 'FILE': 'utf-8' codec can't decode")


def test_a_missing_file_is_told_with_the_nearest_name(file, tmp_path):
    file(MINIMAL, "digits.yaml")
    assert refusal(tmp_path / "digit.yaml") == (
        "Expected a config file. Received: 'FILE', which does not exist. Did you mean 'digits.yaml'? See configs/ for examples."
    )
    assert (
        refusal(tmp_path / "nowhere" / "x.yaml")
        == "Expected a config file. Received: 'FILE', which does not exist. See configs/ for examples."
    )


def test_a_folder_is_no_config_file(tmp_path):
    assert refusal(tmp_path).startswith("Expected a readable YAML file. Received: 'FILE': ")


def test_overrides_win_over_the_file_and_over_earlier_ones(file):
    path = file(MINIMAL + "trainer: {epochs: 3}\n")
    settings = config.load(path, ["trainer.epochs=4", "trainer.loop=gradient_tape", "trainer.epochs=5", "trainer.learning_rate=1e-2"])
    assert (settings.trainer.epochs, settings.trainer.loop, settings.trainer.learning_rate) == (5, "gradient_tape", 0.01)


def test_an_override_may_be_a_list_a_mapping_null_or_a_whole_section(file):
    settings = config.load(
        file(MINIMAL),
        [
            "preprocessing.image_size=[8, 9]",
            "evaluator.class_min_accuracy={8: 0.9}",
            "trainer.early_stopping=null",
            "data.splits={train: 2}",
        ],
    )
    assert (settings.preprocessing.image_size, settings.evaluator.class_min_accuracy) == ((8, 9), {"8": 0.9})
    assert (settings.trainer.early_stopping, settings.data.splits.train) == (None, 2)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.epochs", "Expected --set KEY=VALUE, like --set trainer.epochs=3. Received: 'trainer.epochs'."),
        ("=3", "Expected --set KEY=VALUE, like --set trainer.epochs=3. Received: '=3'."),
        ("name.first=x", "--set name.first: Expected a key of a section. Received: 'name', which is a value."),
        ("trainer.epoch=3", None),
        ("trainr.epochs=3", None),
        ("trainer.epochs=many", 'trainer.epochs: Expected a valid integer. Received: "many".'),
        ("trainer=3", None),
        ("trainer.loop=[", "trainer.loop: Expected 'fit' or 'gradient_tape'. Received: \"[\"."),
        ("trainer..epochs=3", None),
    ],
)
def test_a_wrong_override_is_refused_in_the_same_words_as_a_wrong_file(file, override, message):
    received = refusal(file(MINIMAL), override)
    assert "\n" not in received
    assert "Expected" in received
    if message:
        assert received == message
    if override == "trainer.epoch=3":
        assert received.endswith("Received: 'epoch'. Did you mean 'epochs'?")


def test_relative_paths_are_relative_to_the_file_and_in_overrides_to_the_working_directory(file, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    path = file("name: mine\ndata: {format: idx, path: raw}\nschema: {path: ../mine.pbtxt}\npusher: {base_path: ~/serving}\n")
    settings = config.load(path, ["data.path=other"])
    assert settings.data.path == str(tmp_path / "elsewhere" / "other")
    assert settings.schema_.path == str(tmp_path.parent / "mine.pbtxt")
    assert settings.pusher.base_path == str(Path.home() / "serving")
    assert config.load(path).data.path == str(tmp_path / "raw")


def test_the_network_to_build_on_is_a_path_from_the_config(file, tmp_path):
    loaded = config.load(file(f"{MINIMAL}trainer: {{backbone: {{path: networks/x.keras}}}}\n")).trainer
    assert loaded.backbone.path == str(tmp_path / "networks" / "x.keras")
    assert (loaded.model, loaded.frozen) == ("auto", ["backbone"])


def test_the_weights_to_start_from_are_a_path_or_the_word_last(file, tmp_path):
    for given, wanted in (("last", "last"), ("my.keras", str(tmp_path / "my.keras")), ("./last", str(tmp_path / "last"))):
        assert config.load(file(f"{MINIMAL}trainer: {{start_from: {given}}}\n")).trainer.start_from == wanted
    assert config.load(file(MINIMAL), ["trainer.start_from=last"]).trainer.start_from == "last"
    assert refusal(file(f"{MINIMAL}trainer: {{start_without: [dense]}}\n")) == (
        "trainer.start_without: Expected none without `trainer.start_from`. Received: dense. Remove it, or set `trainer.start_from`."
    )


def test_addresses_are_no_paths(file):
    assert config.load(file(MINIMAL), ["pusher.base_path=gs://bucket/serving"]).pusher.base_path == "gs://bucket/serving"


def test_a_config_cannot_be_changed(file):
    settings = config.load(file(MINIMAL))
    with pytest.raises(ValueError, match="frozen"):
        settings.trainer.epochs = 5


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_loads_is_valid_by_the_json_schema_and_reads_back_equal_from_its_own_yaml(path, file):
    jsonschema.validate(yaml_text.from_yaml(path.read_text(), "text"), config.json_schema(), jsonschema.Draft202012Validator)
    settings = config.load(path)
    assert settings.name == path.stem
    shown = file(config.to_yaml(settings), "shown.yaml")
    assert config.load(shown) == settings
    jsonschema.validate(yaml_text.from_yaml(shown.read_text(), "text"), config.json_schema(), jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    "text", ["lop: 1", "trainer: {lop: fit}", "trainer: {loop: tape}", "trainer: {epochs: 0}", "evaluator: {min_accuracy: 2}", "data: {}"]
)
def test_the_json_schema_refuses_what_load_refuses(file, text):
    values = yaml.safe_load(MINIMAL) | yaml.safe_load(text)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values, config.json_schema(), jsonschema.Draft202012Validator)
    with pytest.raises(ConfigError):
        config.load(file(json.dumps(values)))


def test_the_json_schema_describes_every_key_for_the_editor():
    schema = config.json_schema()
    for name, section in {**schema["$defs"], "PipelineConfig": schema}.items():
        for key, field in section.get("properties", {}).items():
            assert field.get("description") or "$ref" in field, f"{name}.{key}"


def test_the_field_paths_are_the_keys_that_overrides_take(file):
    paths = config.field_paths()
    assert {"data.path", "trainer.loop", "trainer.model", "trainer.epochs", "trainer.batch_size", "trainer.seed"} <= set(paths)
    assert {"evaluator.min_accuracy", "pusher.base_path", "schema.path", "trainer.early_stopping.patience", "data.splits.test"} <= set(
        paths
    )
    assert len(paths) == len(set(paths))
    assert not {"data", "trainer", "trainer.early_stopping"} & set(paths)


@pytest.mark.parametrize(
    "override",
    [
        "trainer.seed=2024-13-45",
        "trainer.epochs=!!int x",
        "trainer.epochs=" + "9" * 5000,
        "name=!!timestamp x",
        "trainer.metrics=&a [*a]",
        "trainer.metrics=" + "[" * 3000,
        "data.path=~nobody-of-that-name/x",
        "pusher.base_path=a\0b",
    ],
)
def test_what_yaml_or_the_system_stumbles_over_is_refused_in_one_line(file, override):
    with pytest.raises(ConfigError) as refused:
        config.load(file(MINIMAL), [override])
    assert "Expected" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_values_that_hold_themselves_are_refused_by_the_name_of_where_they_are_from():
    values = {"name": "digits"}
    values["data"] = values
    with pytest.raises(ConfigError, match=r"^a template: Expected plain values\. Received: Circular reference detected\.$"):
        config.check(values, "a template")


def test_smoothing_labels_for_a_loss_that_cannot_is_refused_with_the_one_that_can(file):
    with pytest.raises(
        ConfigError, match=r"trainer.label_smoothing: Expected 0 with .* Remove it, or set `trainer.loss: categorical_crossentropy`"
    ):
        config.load(file(MINIMAL), ["trainer.label_smoothing=0.1"])
