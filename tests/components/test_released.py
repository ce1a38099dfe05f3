"""The note of the stable version, which the release writes and the gate reads."""

import pytest

from components import released


def test_the_note_names_the_version_and_is_read_back():
    assert released.text(7) == '{"stable": 7}\n'
    assert released.stable(released.text(7)) == 7


NESTED = "[" * 100_000


@pytest.mark.parametrize(
    "text", ["", NESTED, "7", "[]", "{}", '{"stable": "7"}', '{"stable": true}', '{"stable": null}', '{"stable": 7.0}']
)
def test_another_text_names_no_version(text):
    assert released.stable(text) is None
