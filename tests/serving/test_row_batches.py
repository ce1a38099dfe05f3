"""Rows in batches that one message has room for."""

from serving.row_batches import MOST_BYTES, MOST_ROWS, bytes_in, row_batches


def test_batches_keep_the_order_and_have_no_more_rows_than_the_most():
    batches = list(row_batches(range(2 * MOST_ROWS + 1)))
    assert [len(batch) for batch in batches] == [MOST_ROWS, MOST_ROWS, 1]
    assert [row for batch in batches for row in batch] == list(range(2 * MOST_ROWS + 1))
    assert list(row_batches([])) == []


def test_batches_are_no_larger_than_the_most_and_a_larger_row_is_alone():
    pictures = [bytes(MOST_BYTES // 2), bytes(MOST_BYTES // 2), b"x", bytes(MOST_BYTES + 1), b"y", b"z"]
    assert [[len(row) for row in batch] for batch in row_batches(pictures, bytes_in)] == [
        [MOST_BYTES // 2, MOST_BYTES // 2],
        [1],
        [MOST_BYTES + 1],
        [1, 1],
    ]


def test_the_bytes_of_a_row_are_those_of_its_cells():
    assert bytes_in({"photo": b"12345", "text": "123", "number": 7, "none": None}) == 8
