"""Sound CSV files of which a column or the label cannot be what it should."""

from components.example_gen.columns import Columns
from tests.pipeline.damaged.case import ROWS, TABLE, Case, file, text

_LABEL = ("--label", "y")
_NUMBERS = Columns(kept={"a": "float", "y": "float"}, label="y")
_TIMES = Columns(kept={"t": "int", "y": "string"}, label="y")


def _table(rows: int = ROWS, **columns: object) -> str:
    """A table of these columns, each of which is what every row has or a function of the row's number."""
    lines = [",".join(columns)]
    lines += [",".join(str(cell(number) if callable(cell) else cell) for cell in columns.values()) for number in range(rows)]
    return "\n".join(lines) + "\n"


def _number(row: int) -> str:
    return f"{row}.5"


def _class(row: int) -> str:
    return ("yes", "no")[row % 2]


def _case(name, content, init, ingest, **more):
    return Case(name, file("table.csv", content), "csv", init, ingest, **{"options": _LABEL, "columns": TABLE, **more})


CASES = [
    _case("a label that is no column", text(), "2", "2", options=("--label", "why"), columns=Columns(kept={"why": "string"}, label="why")),
    _case(
        "a label with a letter too many", text(), "2", "2", options=("--label", "yy"), columns=Columns(kept={"yy": "string"}, label="yy")
    ),
    _case("a label of one class", _table(a=_number, b="w", y="yes"), "2", "0 60"),
    _case("a label that is empty in every row", _table(a=_number, b="w", y=""), "2", "1"),
    _case("a label that is empty in all rows but one", _table(a=_number, b="w", y=lambda row: "yes" if row == 7 else ""), "2", "1"),
    _case("a label of a different word in each row", _table(a=_number, b="w", y=lambda row: f"v{row}"), "2", f"0 {ROWS}"),
    _case(
        "a class with one row",
        _table(a=_number, b="w", y=lambda row: "rare" if row == 7 else _class(row)),
        "0 A class with one row",
        f"0 {ROWS}",
    ),
    _case(
        "classes that differ in case and spaces",
        _table(a=_number, b="w", y=lambda row: ("yes", "Yes", "yes ", "no")[row % 4]),
        "0",
        f"0 {ROWS}",
    ),
    _case("1,000 classes in 100 rows", _table(100, a=_number, b="w", y=lambda row: f"class{row * 10}"), "2", "0 100"),
    _case("1,001 classes", _table(3003, a=_number, b="w", y=lambda row: f"class{row % 1001}"), "2", "0 3003"),
    _case("1,000 classes", _table(3000, a=_number, b="w", y=lambda row: f"class{row % 1000}"), "0 1,000", "0 3000"),
    _case(
        "a binary task of three classes",
        _table(a=_number, b="w", y=lambda row: "abc"[row % 3]),
        "2",
        None,
        options=("--label", "y", "--task", "binary"),
    ),
    _case("a regression on words", text(), "2", "1", options=("--label", "y", "--task", "regression"), columns=_NUMBERS),
    _case("a multilabel task of single words", text(), "2", None, options=("--label", "y", "--task", "multilabel")),
    _case("only the label", _table(y=_class), "2", "1", columns=Columns(kept={"y": "string"}, label="y")),
    _case("only an id beside the label", _table(id=lambda row: f"id-{row:05d}", y=_class), "2", None),
    _case(
        "a column without a value beside the label",
        _table(a="", y=_class),
        "2",
        "1",
        columns=Columns(kept={"a": "float", "y": "string"}, label="y"),
    ),
    _case("a column without a value among others", _table(a=_number, b="", y=_class), "0", f"0 {ROWS}"),
    _case("a column named twice", "a,b,a,y\n" + "".join(f"{row}.5,w,3,{_class(row)}\n" for row in range(ROWS)), "1", "1"),
    _case("the label named twice", "a,b,y,y\n" + "".join(f"{row}.5,w,no,{_class(row)}\n" for row in range(ROWS)), "1", "1"),
    _case("a column without a name", ",b,y\n" + "".join(f"{row}.5,w,{_class(row)}\n" for row in range(ROWS)), "0", "2"),
    _case("a column named by spaces", "a,   ,y\n" + "".join(f"{row}.5,w{row % 3},{_class(row)}\n" for row in range(ROWS)), "0", "2"),
    _case("a column of a name of 5,000 letters", _table(**{"a" * 5000: _number, "b": "w", "y": _class}), None, "2"),
    _case("a column named like YAML", _table(**{"a: [&x": _number, "b": "w", "y": _class}), "0", "2"),
    _case("a thousand columns", _table(100, **{f"c{number}": _number for number in range(1000)}, a=_number, b="w", y=_class), "0", "0 100"),
    _case(
        "three thousand columns", _table(20, **{f"c{number}": _number for number in range(3000)}, a=_number, b="w", y=_class), "0", "0 20"
    ),
    _case("numbers that overflow, 1e400", _table(a=lambda row: "1e400" if row == 9 else _number(row), b="w", y=_class), "0", "1"),
    _case("only numbers that overflow", _table(a=lambda row: f"{row + 1}e400", b="w", y=_class), "2", "1"),
    _case("numbers of 5,000 digits", _table(a=lambda row: "2" * 5000 if row == 9 else _number(row), b="w", y=_class), "2", "1"),
    _case("NaN and infinity", _table(a=lambda row: ("nan", "inf", "-inf", "1.5")[row % 4], b="w", y=_class), "2", "1"),
    _case("a label of numbers that overflow", _table(a=_number, b="w", y=lambda row: f"{row + 1}e400"), "2", "1", columns=_NUMBERS),
    _case("words among numbers", _table(a=lambda row: "twelve" if row == 12 else _number(row), b="w", y=_class), "0", "1"),
    _case("decimal commas and points", _table(a=lambda row: f'"{row},5"' if row % 2 else _number(row), b="w", y=_class), "2", "1"),
    _case("a spreadsheet's errors", _table(a=lambda row: "#DIV/0!" if row % 9 == 0 else _number(row), b="w", y=_class), "0", "0 60"),
    _case(
        "impossible dates",
        _table(t=lambda row: f"2024-02-{row % 28 + 1:02d}" if row else "2024-02-31", y=_class),
        None,
        "1",
        columns=_TIMES,
    ),
    _case("only impossible dates", _table(t="2024-13-45", y=_class), "2", "1", columns=_TIMES),
    _case(
        "dates of both orders",
        _table(t=lambda row: "31/12/2024" if row % 2 else "12/31/2024", y=_class),
        None,
        "1",
        columns=_TIMES.model_copy(update={"orders": {"t": "day_first"}}),
    ),
    _case("dates beyond what can be counted", _table(t=lambda row: f"{99990 + row}-01-01", y=_class), None, "1", columns=_TIMES),
    _case("words for a time", _table(t="yesterday", y=_class), None, "1", columns=_TIMES),
    _case("a split column of other words", _table(a=_number, b="w", y=_class, s="holdout"), "0", "1", data={"splits": {"column": "s"}}),
    _case("a split column that is not there", text(), None, "2", data={"splits": {"column": "s"}}),
    _case("a split column that is empty", _table(a=_number, b="w", y=_class, s=""), "0", "1", data={"splits": {"column": "s"}}),
    _case(
        "a split column without test",
        _table(a=_number, b="w", y=_class, split=lambda row: ("train", "val")[row % 2]),
        "0 has no rows of test",
        "1",
        data={"splits": {"column": "split"}},
    ),
    _case("a group column that is not there", text(), None, "2", data={"splits": {"group": "g"}}),
    _case("a group of one value", _table(a=_number, b="w", y=_class, g="one"), None, "1", data={"splits": {"group": "g"}}),
    _case("a time column that is not there", text(), None, "2", data={"splits": {"time": "t"}}),
    _case("a time column of words", text(), None, "2", data={"splits": {"time": "b"}}),
    _case("a time column of one time", _table(a=_number, b="w", y=_class, t="2024-01-01"), None, "1", data={"splits": {"time": "t"}}),
    _case("rows that are all alike", _table(a="1.5", b="w", y="yes"), "2", "1"),
    _case("a file of a split that is not there", text(), None, "2", data={"splits": {"files": {"train": "train.csv"}}}),
]
