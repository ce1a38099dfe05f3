"""One definition of a version, for pusher, release commands, server and emulator."""

import pytest

from serving import versions


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("0", 0),
        ("7", 7),
        ("0000007", 7),
        ("9223372036854775807", 2**63 - 1),
        ("0" * 5000 + "3", 3),
        ("9223372036854775808", None),
        ("9" * 5000, None),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1_000", None),
        ("1.5", None),
        ("\uff17", None),  # a fullwidth 7, which Python takes for a digit
        ("\u0663", None),
        ("\u00b2", None),
        (".incoming-7", None),
        (" 7", None),
    ],
)
def test_a_version_is_a_number_of_ascii_digits_that_an_int64_holds(name, version):
    assert versions.parse(name) == version


def test_of_two_names_for_one_version_the_one_that_sorts_last_counts():
    assert versions.by_number(["7", "0000007", "07", "12", "latest"]) == {7: "7", 12: "12"}
