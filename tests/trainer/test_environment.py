"""The settings of Keras and TensorFlow that are the product's own, and those that are named."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from trainer import environment

CHECKOUT = Path(__file__).resolve().parents[2]


def settled(code, **variables):
    """What a process with these environment variables prints, as JSON, after it has settled."""
    program = f"import json; from trainer import environment; environment.settle(); {code}"
    environ = {"PATH": os.environ["PATH"], "TF_CPP_MIN_LOG_LEVEL": "3", **variables}
    answer = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, env=environ, capture_output=True, text=True)
    assert answer.stdout, answer.stderr
    return json.loads(answer.stdout.splitlines()[-1])


def test_no_setting_of_keras_comes_from_outside(tmp_path):
    theirs = {"floatx": "float16", "epsilon": 0.1, "backend": "jax", "image_data_format": "channels_first"}
    for home in (tmp_path / "keras", tmp_path / "home" / ".keras"):
        home.mkdir(parents=True)
        (home / "keras.json").write_text(json.dumps(theirs))
    code = (
        "import keras; c = keras.config;"
        "print(json.dumps([c.backend(), c.floatx(), c.epsilon(), c.image_data_format(), c.max_epochs(), c.max_steps_per_epoch()]))"
    )
    given = {"KERAS_BACKEND": "jax", "KERAS_HOME": str(tmp_path / "keras"), "KERAS_MAX_EPOCHS": "1", "KERAS_MAX_STEPS_PER_EPOCH": "1"}
    assert settled(code, HOME=str(tmp_path / "home"), **given) == ["tensorflow", "float32", 1e-7, "channels_last", None, None]


def test_keras_2_is_not_what_tf_keras_means(tmp_path):
    code = "import os; print(json.dumps(os.environ['TF_USE_LEGACY_KERAS']))"
    assert settled(code, HOME=str(tmp_path), TF_USE_LEGACY_KERAS="1") == "0"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_a_user_without_a_home_and_without_a_passwd_entry_has_a_home():
    program = (
        "import json, os; from pathlib import Path; from trainer import environment;"
        "os.setuid(54321); environment.settle(); print(json.dumps(str(Path.home())))"
    )
    answer = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, env={}, capture_output=True, text=True)
    assert answer.stdout == '"/"\n', answer.stderr


def test_a_home_that_is_there_stays(tmp_path):
    assert settled("import os; print(json.dumps(os.environ['HOME']))", HOME=str(tmp_path)) == str(tmp_path)


@pytest.mark.parametrize(
    ("given", "note"),
    [
        ({"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "1", "KERAS_BACKEND": "jax", "XLA_FLAGS": ""}, ""),
        ({"TF_NUM_INTRAOP_THREADS": "1"}, "Note: set by you, and may change results: TF_NUM_INTRAOP_THREADS=1."),
        (
            {"XLA_FLAGS": "--b", "TF_XLA_FLAGS": "--a", "PATH": "/bin"},
            "Note: set by you, and may change results: TF_XLA_FLAGS=--a, XLA_FLAGS=--b.",
        ),
    ],
)
def test_what_may_change_results_is_named_in_one_line(given, note):
    assert environment.note(given) == note


def test_settings_of_keras_that_do_not_count_are_listed_and_those_that_are_the_products_own_are_not():
    given = {"KERAS_MAX_EPOCHS": "1", "KERAS_BACKEND": "jax", "KERAS_HOME": os.devnull, "TF_USE_LEGACY_KERAS": "0", "PATH": "/bin"}
    assert environment.overruled(given) == ["KERAS_BACKEND=jax", "KERAS_MAX_EPOCHS=1"]
