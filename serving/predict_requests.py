"""What `tapeline predict` sends: rows as the inputs of the signature that is asked.

one input of strings -> images, or tf.Examples of a table's rows; otherwise -> a table's columns, each as the input of its name
"""

import difflib
import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from serving import raw_values
from serving.errors import InputFileError, InvalidArgumentError, ServingError
from serving.examples import serialize_example
from serving.picture import CMYK_HINT, check_picture, is_cmyk
from serving.predict_inputs import Images
from serving.predict_table import KINDS, Record, RowError, Table, can_be_read
from serving.row_batches import MOST_BYTES, bytes_in
from serving.signatures import Signature, TensorSpec
from serving.tensors import STRING, dtype_name, numpy_dtype, strings

# TensorFlow's words where a feature of a tf.Example is of another kind than the model reads.
_OTHER_KIND = re.compile(r"Key: (.*?)(?:, Index: \d+)?\.\s+Data types don't match\..*?xpected type: (\w+)")

# Tapeline's words where a feature that is a picture is none, as the name of one.
_NO_PICTURE = re.compile(r"Expected `(.*?)` to hold a PNG or JPEG file")


@dataclass(frozen=True)
class Row:
    """The name to show, and what is sent of it."""

    name: str
    content: Any


class Requests(Protocol):
    """Rows, and the inputs that carry some of them."""

    def rows(self) -> Iterator[Row]:
        """All of them, in order."""

    def size(self, row: Row) -> int:
        """How many bytes of text and pictures a row holds, about."""

    def inputs(self, rows: Sequence[Row]) -> dict[str, np.ndarray]:
        """By the signature's names. Raises InputFileError."""

    def learn(self, refusal: ServingError) -> bool:
        """Whether the refusal says how the same rows are to be sent. Raises InputFileError where they cannot be."""

    def hint(self, row: Row) -> str:
        """What may be wrong with a row that was refused, or ""."""

    def said(self) -> str:
        """How the rows were read, for people, or ""."""

    def note(self) -> str:
        """What of the rows is not sent, for people, or ""."""


def requests_for(inputs: Images | Table, signature: Signature) -> Requests:
    """How that signature takes them. Raises InvalidArgumentError where it cannot."""
    specs = signature.required or list(signature.inputs.values())
    takes_strings = len(specs) == 1 and specs[0].dtype == STRING
    if isinstance(inputs, Images):
        if not takes_strings:
            raise InvalidArgumentError(_refusal(signature, "one input of strings, for images or tf.Examples"))
        return ImageRequests(specs[0].name, inputs)
    if signature.name == raw_values.SIGNATURE:
        return FeatureRequests(signature, inputs)
    columns = set(inputs.kinds)
    if takes_strings and specs[0].name not in columns:
        return ExampleRequests(specs[0].name, inputs)
    if not all(can_be_read(spec.dtype) for name, spec in signature.inputs.items() if name in columns or spec in specs):
        raise InvalidArgumentError(
            _refusal(signature, "one input of strings, for tf.Examples, or inputs of numbers and strings, for columns")
        )
    signature.check_inputs(columns)
    return ColumnRequests(signature, inputs)


@dataclass(frozen=True)
class ImageRequests:
    """Files as they are."""

    name: str
    images: Images

    def rows(self) -> Iterator[Row]:
        """See `Requests`."""
        return (Row(name, content) for name, content in self.images.rows)

    def size(self, row: Row) -> int:
        """See `Requests`."""
        return bytes_in(row.content)

    def inputs(self, rows: Sequence[Row]) -> dict[str, np.ndarray]:
        """See `Requests`."""
        return {self.name: strings([row.content for row in rows])}

    def learn(self, refusal: ServingError) -> bool:
        """See `Requests`."""
        return False

    def hint(self, row: Row) -> str:
        """See `Requests`."""
        if len(row.content) > MOST_BYTES:
            return " Make the picture smaller, or start the server with a larger `--grpc_max_message_bytes`."
        try:
            check_picture("", row.content)
        except InputFileError as error:
            return f" E{str(error).removeprefix(': e')}"
        return CMYK_HINT if is_cmyk(row.content) else ""

    def said(self) -> str:
        """See `Requests`."""
        return ""

    def note(self) -> str:
        """See `Requests`."""
        return ""


class ExampleRequests:
    """Rows as tf.Examples. The metadata does not say which kinds a model reads; where the columns' own are wrong, its refusal does."""

    def __init__(self, name: str, table: Table) -> None:
        """Raises InputFileError for a cell that is not of its column's declared kind."""
        self._name, self._table, self._known = name, table, set(table.declared)
        table.check()

    def rows(self) -> Iterator[Row]:
        """See `Requests`."""
        return (Row(record.name, record) for record in self._table.read())

    def size(self, row: Row) -> int:
        """See `Requests`."""
        return self._table.size(row.content)

    def inputs(self, rows: Sequence[Row]) -> dict[str, np.ndarray]:
        """See `Requests`."""
        return {self._name: strings([self._example(row.content) for row in rows])}

    def learn(self, refusal: ServingError) -> bool:
        """See `Requests`."""
        if _learns_picture(self._table, refusal):
            return True
        match = _OTHER_KIND.search(str(refusal))
        if match is None or match[1] in self._known or match[1] not in self._table.kinds or match[2] not in KINDS:
            return False
        self._known.add(match[1])
        self._table.kinds[match[1]] = KINDS[match[2]]
        self._table.check()
        return True

    def hint(self, row: Row) -> str:
        """See `Requests`."""
        return ""

    def said(self) -> str:
        """See `Requests`."""
        return self._table.said()

    def note(self) -> str:
        """See `Requests`."""
        return ""

    def _example(self, record: Record) -> bytes:
        if record.fault:
            raise RowError(record.fault)
        return serialize_example({name: self._table.value(record, name) for name in record.filled()})


class ColumnRequests:
    """Every column as the signature's input of its name, of that input's dtype; inputs with a default need none."""

    def __init__(self, signature: Signature, table: Table) -> None:
        """Raises InputFileError where a column is declared to be of another dtype."""
        self._table = table
        self._specs = {name: spec for name, spec in signature.inputs.items() if name in table.kinds}
        for name, spec in self._specs.items():
            declared = table.declared.get(name, spec.dtype)
            if declared != spec.dtype:
                raise InputFileError(
                    f"--column: expected {dtype_name(spec.dtype)} for '{name}', as signature '{signature.name}' says. "
                    f"Received: {dtype_name(declared)}."
                )
            table.kinds[name] = spec.dtype

    def rows(self) -> Iterator[Row]:
        """See `Requests`."""
        return (Row(record.name, record) for record in self._table.read())

    def size(self, row: Row) -> int:
        """See `Requests`."""
        return self._table.size(row.content)

    def inputs(self, rows: Sequence[Row]) -> dict[str, np.ndarray]:
        """See `Requests`."""
        return {name: self._column(spec, rows) for name, spec in self._specs.items()}

    def learn(self, refusal: ServingError) -> bool:
        """See `Requests`."""
        return False

    def hint(self, row: Row) -> str:
        """See `Requests`."""
        return ""

    def said(self) -> str:
        """See `Requests`."""
        return self._table.said()

    def note(self) -> str:
        """See `Requests`."""
        return ""

    def _column(self, spec: TensorSpec, rows: Sequence[Row]) -> np.ndarray:
        values = [self._table.value(row.content, spec.name) for row in rows]
        try:
            column = strings(values) if all(isinstance(value, bytes) for value in values) else np.array(values, numpy_dtype(spec.dtype))
        except ValueError as error:
            raise InvalidArgumentError(f"Input '{spec.name}': expected {spec}. Received lists of different lengths.") from error
        return column[:, np.newaxis] if spec.shape is not None and column.ndim == 1 and len(spec.shape) == 2 else column


class FeatureRequests(ColumnRequests):
    """Columns as a model's features: those that it does not take are left out, and a value may be missing.

    Of lists of numbers the shorter ones get NaN in front: for such a model that is nothing.
    """

    def __init__(self, signature: Signature, table: Table) -> None:
        """Raises InputFileError where there are no rows, or a feature is no column."""
        if not table.kinds:
            raise InputFileError("Expected rows, each a line with a value for every column. Received none.")
        others = [name for name in table.kinds if name not in signature.inputs]
        for name in signature.inputs:
            if name not in table.kinds:
                known = difflib.get_close_matches(name, others, n=1)
                nearest = f" Did you mean '{known[0]}'?" if known else ""
                raise InputFileError(
                    f"Expected the column '{name}', which the model takes. Received: {', '.join(table.kinds):.300}.{nearest} "
                    "Rename it in the table, or add it; its values may be empty."
                )
        table.convert = functools.partial(raw_values.raw_value, order=table.order)
        table.lists = {name for name, spec in signature.inputs.items() if spec.shape is not None and len(spec.shape) == 2}
        self._left_out = others
        super().__init__(signature, table)

    def _column(self, spec: TensorSpec, rows: Sequence[Row]) -> np.ndarray:
        if spec.name not in self._table.lists:
            return super()._column(spec, rows)
        lists = [self._table.value(row.content, spec.name) for row in rows]
        column = np.full((len(lists), max(1, *map(len, lists))), np.nan, numpy_dtype(spec.dtype))
        for row, values in enumerate(lists):
            column[row, column.shape[1] - len(values) :] = values
        return column

    def learn(self, refusal: ServingError) -> bool:
        """See `Requests`."""
        return _learns_picture(self._table, refusal)

    def said(self) -> str:
        """See `Requests`."""
        return ""

    def note(self) -> str:
        """See `Requests`."""
        return f"left out, because the model does not take them: {', '.join(self._left_out)}." if self._left_out else ""


def _learns_picture(table: Table, refusal: ServingError) -> bool:
    """Whether the refusal tells a column that names pictures, which is then read as such."""
    match = _NO_PICTURE.search(str(refusal))
    if match is None or match[1] in table.pictures or table.kinds.get(match[1]) != STRING:
        return False
    table.pictures.add(match[1])
    return True


def _refusal(signature: Signature, expected: str) -> str:
    wanted = ", ".join(f"{spec.name}: {spec}" for spec in signature.inputs.values())
    return f"Signature '{signature.name}': expected {expected}. It has {{{wanted}}}; name another by --signature_name."
