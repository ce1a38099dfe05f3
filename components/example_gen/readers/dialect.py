"""How a delimited text file is written: its encoding, delimiter, quotes, header and the markers that stand for a missing value."""

import csv
from collections.abc import Iterable
from typing import Literal

from pydantic import Field, field_validator

from trainer.errors import did_you_mean, shortened
from trainer.settings import Settings

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")

_USUAL = ("utf-8", "utf-8-sig", "utf-16", "cp932", "shift_jis", "euc_jp", "cp1252", "latin-1", "gb18030", "big5", "cp949", "cp1251")


class Dialect(Settings):
    """The way in which a CSV or TSV file is written."""

    encoding: str = Field("utf-8", description="Python's name of the encoding, `utf-8`, `cp932`, `utf-16`.")
    delimiter: str = Field(
        ",",
        pattern=r"^[\x01-\x09\x0b\x0c\x0e-\x21\x23-\x7e] *$",
        description="The one ASCII character between fields. With a space behind it (`, `), spaces before a field are no part of it.",
    )
    quote: Literal['"', "'"] | None = Field(
        '"', description="`\"` or `'` where fields may be quoted by it, null where a quote is a character like any other."
    )
    header: bool = Field(True, description="Whether the first row holds the columns' names.")
    names: tuple[str, ...] | None = Field(None, description="The columns' names where there is no header.")
    skip: int = Field(0, ge=0, description="Lines before the header, or before the first row.")
    decimal: Literal[".", ","] = Field(".", description="The decimal point of numbers.")
    thousands: Literal[",", ".", " ", "'"] | None = Field(None, description="What separates the thousands of numbers.")
    units: dict[str, str] = Field({}, description="The unit behind the numbers of columns, `{weight: kg}`, which is no part of them.")
    missing: tuple[str, ...] = Field(MISSING, description="What stands for a missing value.")
    not_rows: tuple[str, ...] = Field((), description="What stands in the first filled field of a line that is no row, `Total`.")
    trim: bool = Field(False, description="Whether spaces around a value, those that nobody sees too, are no part of it.")
    replace: dict[str, str] = Field({}, description="Values and what is read instead, `{YES: yes}`: the spelling that others have.")

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, encoding: str) -> str:
        try:
            "".encode(encoding)  # beyond what `codecs.lookup` does, it knows `hex` and `rot13` for no encodings of text
        except LookupError as error:
            message = f"data.csv.encoding: Expected Python's name of an encoding, utf-8, cp932, utf-16. Received: '{shortened(encoding)}'."
            raise ValueError(message + did_you_mean(encoding, _USUAL)) from error
        return encoding


def fields(records: Iterable[str], dialect: Dialect) -> list[list[str]]:
    """The fields of whole records, as they are; none of a record that is longer than Python's csv module takes."""
    reader = csv.reader(
        (record if len(record) < csv.field_size_limit() else "" for record in records),
        delimiter=dialect.delimiter[0],
        quotechar=dialect.quote or '"',
        quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
        skipinitialspace=len(dialect.delimiter) > 1,
    )
    return list(reader)


def column_names(header: list[str]) -> list[str]:
    """The columns' names: without surrounding spaces; a column without a name is called by its place, `column_3`."""
    return [name.strip() or f"column_{number}" for number, name in enumerate(header, 1)]
