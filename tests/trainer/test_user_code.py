"""Modules made of text: they find each other, tracebacks find their lines, and nothing of them stays where others look."""

import dataclasses
import inspect
import sys
import traceback

import pytest
import tensorflow as tf

from trainer import user_code
from trainer.errors import ConfigError, TrainingError

HELPERS = "import dataclasses\n\n@dataclasses.dataclass\nclass Pair:\n    left: int\n\ndef one():\n    return Pair(1)\n"
MINE = "import helpers\nfrom helpers import one\nimport math\n\n"
MINE += "def named():\n    import helpers as again\n    return again.one(), helpers.Pair, one, math.pi\n"


def test_files_beside_each_other_import_each_other_also_after_they_were_loaded():
    found, pair, one, pi = user_code.load({"mine.py": MINE, "helpers.py": HELPERS}, "mine.py:named")()
    assert isinstance(found, pair) and one() == found and pi > 3
    assert dataclasses.asdict(found) == {"left": 1}


def test_nothing_stays_where_others_would_find_it():
    before = list(sys.path), list(sys.meta_path)
    user_code.load({"mine.py": MINE, "helpers.py": HELPERS}, "mine.py:named")
    assert (list(sys.path), list(sys.meta_path)) == before
    assert "helpers" not in sys.modules and "mine" not in sys.modules


def test_two_configs_of_a_process_have_modules_of_their_own():
    first, second = (user_code.load({"mine.py": MINE, "helpers.py": HELPERS.replace("(1)", f"({n})")}, "mine.py:named") for n in (1, 2))
    assert (first()[0].left, second()[0].left, first()[0].left) == (1, 2, 1)
    assert first()[1] is not second()[1]


def test_one_config_has_each_module_once():
    code = {"mine.py": MINE, "helpers.py": HELPERS}
    assert user_code.load(code, "mine.py:helpers") is user_code.load(code, "mine.py:helpers")


def test_a_file_in_another_folder_imports_what_lies_beside_it_there():
    code = {"lib/mine.py": "from helpers import name\n", "lib/helpers.py": "name = 'lib'\n", "helpers.py": "name = 'top'\n"}
    assert user_code.load(code, "lib/mine.py:name") == "lib"


def test_source_lines_are_found_by_inspect_tracebacks_and_autograph():
    code = {"mine.py": "def absolute(x):\n    if x < 0:\n        return -x\n    return x\n\ndef fail():\n    raise KeyError('here')\n"}
    absolute = user_code.load(code, "mine.py:absolute")
    assert inspect.getsource(absolute) == code["mine.py"].partition("\n\n")[0] + "\n"
    assert tf.function(absolute)(tf.constant(-2.0)) == 2.0  # an `if` of a tensor: AutoGraph has seen the source
    try:
        user_code.load(code, "mine.py:fail")()
    except KeyError:
        assert "raise KeyError('here')" in traceback.format_exc()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\nimport no_such_module\n", r"^mine\.py:2: ModuleNotFoundError: No module named 'no_such_module'"),
        ("def f():\n    return 1 / 0\n\nf()\n", r"^mine\.py:2: ZeroDivisionError"),
        ("x = 1\nraise SystemExit('so there')\n", r"^mine\.py:2: SystemExit: so there"),
        ("import helpers\n", r"^helpers\.py:3: NameError"),
    ],
)
def test_a_file_that_fails_is_told_with_its_line(text, said):
    with pytest.raises(TrainingError, match=said) as told:
        user_code.load({"mine.py": text, "helpers.py": "\n\nundefined\n"}, "mine.py:f")
    assert "\n" not in str(told.value)


def test_what_autograph_wraps_is_told_with_the_users_line():
    code = {"mine.py": "import tensorflow as tf\n\n@tf.function\ndef f(x):\n    y = x + 1\n    return tf.reshape(y, [2, 2])\n"}
    with pytest.raises(TrainingError, match=r"^mine\.py:6: "), user_code.told("mine.py:f"):
        user_code.load(code, "mine.py:f")(tf.constant([1.0]))


def test_a_name_or_a_file_that_is_not_there_is_told_with_the_nearest():
    with pytest.raises(ConfigError, match=r"Expected 'stp' in mine\.py\. Received: none\. Did you mean 'step'"):
        user_code.load({"mine.py": "step = 1"}, "mine.py:stp")
    with pytest.raises(ConfigError, match=r"Expected the text of 'other\.py' in `trainer\.code`\. Received: mine\.py"):
        user_code.load({"mine.py": "step = 1"}, "other.py:step")
