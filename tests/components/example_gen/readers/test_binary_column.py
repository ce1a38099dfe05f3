"""A column of files in memory."""

import pyarrow as pa
import pytest

from components.example_gen.readers.binary_column import binary_column


@pytest.mark.parametrize("values", [[], [b""], [b"a", b"", b"bcd" * 1000, b"\0"]])
def test_it_is_the_column_that_arrow_makes_of_them(values):
    column = binary_column(values)
    column.validate(full=True)
    assert column.equals(pa.array(values, pa.binary()))
