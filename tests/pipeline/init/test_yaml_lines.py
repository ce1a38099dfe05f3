"""What is written as YAML is read back as it was."""

import pytest

from pipeline.init.yaml_lines import value
from pipeline.yaml_text import from_yaml

TEXTS = [
    *(
        "plain",
        "two words",
        "発生日時\u3000\u3000分",
        "曜日(発生年月日)",
        "../data/my table.csv",
        "/data/x.csv",
        "~/x.csv",
        "*.csv",
        "[a].csv",
    ),
    *(
        "1e5",
        "0o17",
        "1_000",
        "yes",
        "null",
        "~",
        "",
        " a",
        "a ",
        "a: b",
        "a #b",
        "- a",
        "{a}",
        "a, b",
        "'",
        '"',
        '"\x1b',
        "'\"",
        "a\tb",
        "a\nb",
    ),
    *(
        "\x00",
        "\x85",
        "\xa0",
        "\u2028",
        "\ufeff",
        "😀",
        "\U000e0001",
        "<1H OCEAN",
        "No. 1",
        "!tag",
        "&a",
        "|",
        "%",
        "@",
        "`",
        "?",
        "=",
        "<<",
    ),
]


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_a_text_stays_a_text_as_a_key_as_a_value_and_in_a_list(text):
    line = f"{value(text)}: {value(text)}\nlist: {value([text, 1, True, None, {text: 0.5}])}\n"
    assert from_yaml(line, "a test") == {text: text, "list": [text, 1, True, None, {text: 0.5}]}
