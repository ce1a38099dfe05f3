"""A sample holds rows from all over the data, however many there are."""

import pyarrow as pa

from components.example_gen.left_out import Rejects
from components.example_gen.readers import csv_file
from components.example_gen.readers.dialect import Dialect
from pipeline.init import sample


def take(paths, **bounds):
    blocks = (sample.block(rows.batch) for part in csv_file.open_csv(paths, Dialect(), {"x": pa.string()}) for rows in part.read(print))
    return sample.take(blocks, Rejects(), "x", **bounds)


def test_a_small_table_is_taken_whole(write):
    taken = take([write(x=range(100))])
    assert (taken.table.num_rows, taken.rows, taken.is_whole, taken.words) == (100, 100, True, "100 rows")


def test_of_a_large_table_every_so_many_rows_are_taken_over_all_files(write):
    paths = [write(f"{number}.csv", x=range(number * 15_000, (number + 1) * 15_000)) for number in range(3)]
    taken = take(paths, most=1000)
    numbers = [int(value) for value in taken.table.column("x").to_pylist()]
    assert numbers == list(range(0, 45_000, 64))
    assert taken.words == "45,000 rows, of which 704 were looked at"
    assert not taken.is_whole
    assert taken.head.column(0)[:3].to_pylist() == ["0", "1", "2"]


def test_behind_a_bound_of_bytes_nothing_is_read(write):
    taken = take([write(x=range(25_000))], most_read=1)
    assert (taken.rows, taken.words) == (10_000, "the first 10,000 rows")
