"""Rows that were left out: how they are told, and when there are too many."""

import pytest

from components.example_gen import left_out
from components.example_gen.left_out import Rejects, Written
from components.example_gen.readers.rows import Reject
from trainer.errors import DataError


def rejects(count, file="a.csv"):
    found = Rejects()
    for number in range(count):
        found.add(Reject(file, number + 2, "2 fields instead of 3"))
    return Written(rejected=found.count, examples=found.examples)


def test_nothing_is_said_where_no_row_was_left_out():
    assert left_out.notes([Written(split="train", rows=9), rejects(0)], 9, 0.0) == []


def test_rows_of_all_workers_are_counted_and_three_are_named_with_file_line_and_reason():
    unlabelled = left_out.without("price", 3, ["line 5 of a.csv", "line 7 of a.csv", "line 9 of a.csv"])
    written = [
        Written(split="train", rows=90),
        rejects(2),
        unlabelled,
        rejects(4, "b.csv"),
        left_out.without("price", 1, ["line 8 of b.csv"]),
    ]
    assert left_out.notes(written, 90, 0.1) == [
        "6 of 100 rows could not be read and were left out: line 2 of a.csv: 2 fields instead of 3; "
        "line 3 of a.csv: 2 fields instead of 3; "
        "line 2 of b.csv: 2 fields instead of 3.",
        "4 of 94 rows without 'price' were left out: line 5 of a.csv; line 7 of a.csv; line 9 of a.csv and 1 more.",
    ]


def test_rows_without_a_value_are_told_by_the_column_that_lacks_it():
    written = [
        Written(split="train", rows=7),
        left_out.without("price", 1, ["line 5 of a.csv"]),
        left_out.without("day", 1, ["line 9 of a.csv"]),
    ]
    assert left_out.notes(written, 7, 0.0) == [
        "1 of 9 rows without 'price' was left out: line 5 of a.csv.",
        "1 of 9 rows without 'day' was left out: line 9 of a.csv.",
    ]


def test_a_file_that_cannot_be_read_as_a_whole_is_named_without_a_line():
    found = Rejects()
    found.add(Reject("photos.zip/cat/7.jpg", 0, "no picture"))
    assert found.examples == ["photos.zip/cat/7.jpg: no picture"]


def test_without_a_share_allowed_one_row_is_too_many_and_the_setting_that_allows_it_is_named():
    with pytest.raises(DataError) as refused:
        left_out.notes([rejects(1)], 999, 0.0)
    assert str(refused.value) == (
        "Expected rows that can be read (`data.max_unreadable`). Received: 1 of 1,000 that cannot: line 2 of a.csv: 2 fields instead of 3. "
        "Mend them, or leave them out with `data.max_unreadable: 0.01`."
    )


@pytest.mark.parametrize(("rejected", "rows", "allowed"), [(1, 99, 0.005), (5, 5, 0.3), (7, 1, 0.8), (1, 999_999, 0.0), (30, 970, 0.0299)])
def test_more_than_the_share_is_refused_and_the_share_that_is_named_is_enough(rejected, rows, allowed):
    with pytest.raises(DataError) as refused:
        left_out.notes([rejects(rejected)], rows, allowed)
    named = float(str(refused.value).rpartition("data.max_unreadable: ")[2].removesuffix("`."))
    assert named <= min(1, max(2 * rejected / (rows + rejected), 0.01))
    assert len(left_out.notes([rejects(rejected)], rows, named)) == 1


def test_a_share_that_is_just_reached_passes():
    assert len(left_out.notes([rejects(5)], 95, 0.05)) == 1
