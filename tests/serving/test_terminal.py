"""What a command says is one line of signs that can be seen, whoever chose the words."""

import json

import pytest

from serving.terminal import say


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("a\nversion 2 serves", r"a\nversion 2 serves"),
        ("\x1b[2J\x1b]0;title\x07", r"\u001b[2J\u001b]0;title\u0007"),
        ("\x9b31m\x7f\r\b\t", r"\u009b31m\u007f\r\b\t"),
        ("gpj\u202etxt.\u2028", r"gpj\u202etxt.\u2028"),
        ("\udcff", r"\udcff"),
        ("数字 ж é \\ 🙂", "数字 ж é \\ 🙂"),
    ],
    ids=["a line end", "escape sequences", "other controls", "turned round", "no text", "signs of any language"],
)
def test_what_cannot_be_seen_is_written_as_json_escapes_it(capsys, words, said):
    say(words)
    assert capsys.readouterr().out == said + "\n"


def test_a_line_of_json_stays_the_same_json(capsys):
    row = {"file": "a\u200d\U000e0001\x7f\n"}
    say(json.dumps(row, ensure_ascii=False))
    assert json.loads(capsys.readouterr().out) == row
