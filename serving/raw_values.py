"""Cells of a table as the inputs of `predict_columns`, the signature in which a model takes its columns under the user's own names.

A number, a text or a time, where missing is NaN, "" and the smallest int64.
"""

import base64
import json
import math
from typing import Any

import numpy as np

from serving.not_that import NotThat
from serving.predict_table import converted
from serving.times import is_year_last, seconds

SIGNATURE = "predict_columns"
_MISSING = {"", "NA", "N/A", "NaN", "nan", "null", "NULL", "?"}
_NO_VALUE = {"f": math.nan, "O": b"", "i": -(2**63)}


def raw_value(cell: Any, dtype: np.dtype, order: str = "") -> Any:
    """One cell: `str` of CSV, Python's own values and `bytes` of JSON, None where there is none; `order` is that of dates.

    Raises ValueError.
    """
    if _is_missing(cell, dtype) and dtype.kind in _NO_VALUE:
        return _NO_VALUE[dtype.kind]
    if isinstance(cell, list):
        raise NotThat("one value")
    if dtype.kind == "i":
        return _time(cell, order)
    if dtype.kind == "O" and not isinstance(cell, (str, bytes)):
        return (
            _of_base64(cell["b64"]) if isinstance(cell, dict) and cell.keys() == {"b64"} else json.dumps(cell).encode()
        )  # as the ingestion of JSON lines reads it
    if dtype.kind == "f" and isinstance(cell, bytes):  # a number in quotes
        cell = cell.decode("utf-8", "replace")
    try:
        return converted(cell, dtype)
    except ValueError:
        raise NotThat("a number" if dtype.kind == "f" else "text") from None


def _of_base64(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError):
        raise NotThat("base64") from None


def _is_missing(cell: Any, dtype: np.dtype) -> bool:
    if isinstance(cell, bytes):  # a text of JSON is what it says, where a text is wanted
        return dtype.kind != "O" and cell.decode("utf-8", "replace").strip() in _MISSING
    if isinstance(cell, str):
        return cell.strip() in _MISSING
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def _time(cell: Any, order: str) -> int:
    if isinstance(cell, (int, float)) and not isinstance(cell, bool) and math.isfinite(cell) and cell == cell // 1:
        return int(cell)
    text = cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)
    try:
        return seconds(text, order)
    except (ValueError, OverflowError):
        which = " (say by --dates whether the day or the month is first)" if not order and is_year_last(text) else ""
        raise NotThat(f"a time such as 2024-01-31 or 2024-01-31T10:00:00Z{which}") from None
