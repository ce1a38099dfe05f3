"""What `tapeline predict` shows: a table that people read, or JSON lines."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from serving.terminal import say

_LONGEST_TABLE = 100
_BAR, _BAR_WIDTH = "", 20  # its heading, and its cells


class Output(Protocol):
    """What becomes of the rows."""

    def add(self, names: Sequence[str], outputs: Mapping[str, np.ndarray], version: int) -> None:
        """The rows of one answer."""

    def refuse(self, name: str, cause: str) -> None:
        """A row that is not answered."""

    def finish(self, said: str) -> None:
        """All rows are answered or refused; `said`: how they were read, where that is worth a word."""


class JsonOutput:
    """One object a row, as its answer comes."""

    def __init__(self, model_name: str, key: str) -> None:
        """`key`: "file" or "row", under which an object has the row's name."""
        self._model_name, self._key = model_name, key

    def add(self, names: Sequence[str], outputs: Mapping[str, np.ndarray], version: int) -> None:
        """See `Output`."""
        for position, name in enumerate(names):
            row: dict[str, Any] = {self._key: name}
            values = {key: _plain(array[position]) for key, array in _named(outputs).items()}
            if "classes" in values and "probabilities" in values:
                answered = _probability(values)
                probabilities = values.pop("probabilities")
                class_names = values.pop("class_names", None)
                shown = dict(zip(class_names, probabilities, strict=True)) if class_names else probabilities
                if "predicted" in values:  # several labels for a row
                    del values["classes"]
                    row |= {"classes": [each for each, is_told in zip(class_names, values.pop("predicted"), strict=True) if is_told]}
                else:
                    row |= {"class": values.pop("classes"), "probability": answered}
                row["probabilities"] = shown
            row |= values | {"model_name": self._model_name, "version": version}
            say(json.dumps(row, ensure_ascii=False))

    def refuse(self, name: str, cause: str) -> None:
        """See `Output`."""
        say(json.dumps({self._key: name, "error": cause, "model_name": self._model_name}, ensure_ascii=False))

    def finish(self, said: str) -> None:
        """Nothing more is said."""


class TableOutput:
    """A table of the first rows at the end, with how many there were in all."""

    def __init__(self, model_name: str, key: str) -> None:
        """`key`: "file" or "row", the heading of the rows' names."""
        self._model_name, self._key = model_name, key
        self._rows: list[tuple[str, dict[str, Any]]] = []
        self._count, self._refused, self._version = 0, 0, 0

    def add(self, names: Sequence[str], outputs: Mapping[str, np.ndarray], version: int) -> None:
        """See `Output`."""
        for position, name in enumerate(names[: max(0, _LONGEST_TABLE - len(self._rows))]):
            self._rows.append((name, {key: array[position] for key, array in _named(outputs).items()}))
        self._count += len(names)
        self._version = version

    def refuse(self, name: str, cause: str) -> None:
        """See `Output`."""
        self._refused += 1

    def finish(self, said: str) -> None:
        """Prints the table."""
        from rich.console import Console
        from rich.markup import escape

        if self._refused and not self._count:
            return
        console = Console(highlight=False)
        outputs = set(self._rows[0][1]) if self._rows else set()
        shown = next((shown for needed, shown in self._shown if needed <= outputs), self._anything)
        table = shown()
        if table.columns[-1].header == _BAR and _width(console, table) > console.width:
            table.columns.pop()
        # A file's name that is broken in two can be neither read nor copied, so the table is as wide as it is.
        console = Console(highlight=False, soft_wrap=True, width=max(console.width, _width(console, table)))
        console.print(table, soft_wrap=False)
        if self._count > len(self._rows):
            console.print(f"and {self._count - len(self._rows):,} more; --json prints all")
        noun = ("image" if self._key == "file" else "row") + ("" if self._count == 1 else "s")
        refused = f"; {self._refused:,} refused" if self._refused else ""
        console.print(f"{self._count:,} {noun}, {escape(self._model_name)} version {self._version}{refused}")
        if said:
            console.print(escape(f"read as {said}"))

    @property
    def _shown(self) -> list[tuple[set[str], Callable[[], Any]]]:
        """How rows with these outputs are shown; the first that fits is taken."""
        return [({"predicted", "class_names", "probabilities"}, self._labels), ({"classes", "probabilities"}, self._classes)]

    def _labels(self) -> Any:
        from rich.markup import escape

        table = self._table("classes, with their probabilities")
        for name, values in self._rows:
            told = zip(_plain(values["class_names"]), _plain(values["probabilities"]), values["predicted"].tolist(), strict=True)
            likely = sorted((-probability, each) for each, probability, is_told in told if is_told)
            table.add_row(escape(name), escape(", ".join(f"{each} {-probability:.1%}" for probability, each in likely) or "none"))
        return table

    def _classes(self) -> Any:
        from rich.markup import escape

        table = self._table("class", "probability", _BAR)
        for name, values in self._rows:
            probability = _probability({key: _plain(value) for key, value in values.items()})
            bar = "█" * round(probability * _BAR_WIDTH)
            table.add_row(escape(name), escape(str(_plain(values["classes"]))), f"{probability:.1%}", bar)
        return table

    def _anything(self) -> Any:
        from rich.markup import escape

        keys = list(self._rows[0][1]) if self._rows else []
        table = self._table(*keys)
        for name, values in self._rows:
            table.add_row(escape(name), *(escape(_short(_plain(values[key]))) for key in keys))
        return table

    def _table(self, *columns: str) -> Any:
        from rich import box
        from rich.markup import escape
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column(self._key, no_wrap=True)
        for column in columns:
            table.add_column(escape(column), justify="left" if column == _BAR else "right", no_wrap=True)
        return table


def _named(outputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """The outputs by what one row's part of them is."""
    return {"value": outputs["values"]} if list(outputs) == ["values"] else outputs


def _probability(values: Mapping[str, Any]) -> float:
    """That of the class which is answered: under a threshold not always the greatest one."""
    probabilities, answer = values["probabilities"], values["classes"]
    names = values.get("class_names") or list(range(len(probabilities)))
    return probabilities[names.index(answer)] if answer in names else max(probabilities)


def _width(console: Any, table: Any) -> int:
    from rich.measure import Measurement

    return Measurement.get(console, console.options.update(max_width=1_000_000), table).maximum


def _plain(value: Any) -> Any:
    """Python's own values: float32 in its shortest form, bytes as text."""
    if isinstance(value, bytes):
        return _decoded(value)
    array = np.asarray(value)
    if array.dtype == object:
        return _decoded(array.tolist())
    return array.astype(str).astype(np.float64).tolist() if array.dtype in (np.float32, np.float16) else array.tolist()


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
