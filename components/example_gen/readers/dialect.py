"""How a delimited text file is written: its encoding, delimiter, quotes, header and the markers that stand for a missing value."""

import csv
import io
from typing import Literal

from pydantic import Field

from trainer.settings import Settings

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")


class Dialect(Settings):
    """The way in which a CSV or TSV file is written."""

    encoding: str = Field("utf-8", description="Python's name of the encoding, `utf-8`, `cp932`, `utf-16`.")
    delimiter: str = Field(
        ",",
        pattern=r"^[\x01-\x09\x0b\x0c\x0e-\x21\x23-\x7e] *$",
        description="The one ASCII character between fields. With a space behind it (`, `), spaces before a field are no part of it.",
    )
    quote: Literal['"'] | None = Field('"', description='`"` where fields may be quoted, null where a quote is a character like any other.')
    header: bool = Field(True, description="Whether the first row holds the columns' names.")
    names: tuple[str, ...] | None = Field(None, description="The columns' names where there is no header.")
    skip: int = Field(0, ge=0, description="Lines before the header, or before the first row.")
    decimal: Literal[".", ","] = Field(".", description="The decimal point of numbers.")
    missing: tuple[str, ...] = Field(MISSING, description="What stands for a missing value.")


def fields(record: str, dialect: Dialect) -> list[str]:
    """The fields of one record, as they are."""
    reader = csv.reader(
        io.StringIO(record, newline=""),
        delimiter=dialect.delimiter[0],
        quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
        skipinitialspace=len(dialect.delimiter) > 1,
    )
    return next(reader, [])


def column_names(header: list[str]) -> list[str]:
    """The columns' names: without surrounding spaces; a column without a name is called by its place, `column_3`."""
    return [name.strip() or f"column_{number}" for number, name in enumerate(header, 1)]
