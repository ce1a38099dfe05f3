"""A model's layers as a picture, SVG: each a box with its name, kind, output and parameters, and arrows to those that it goes into.

layers and what goes into them -> a row for each step from the inputs -> boxes, lines
"""

from html import escape
from typing import NamedTuple

import keras

from trainer.errors import ConfigError

_WIDTH, _HEIGHT = 230, 58  # pixels of a box
_ACROSS, _DOWN = 24, 34  # between boxes
_MARGIN = 20


class Box(NamedTuple):
    """One layer.

    Attributes:
      name: its own, which no other has.
      lines: what is written in it.
      before: the names of the layers that go into it.
    """

    name: str
    lines: tuple[str, ...]
    before: tuple[str, ...]


def svg(model: keras.Model) -> str:
    """The drawing, a whole SVG file. Raises ConfigError where the model does not say how its layers are joined."""
    boxes = layers_of(model)
    rows: dict[str, int] = {}
    for box in boxes:  # those that go into it stand before it
        rows[box.name] = 1 + max((rows[name] for name in box.before), default=-1)
    columns: dict[int, list[Box]] = {}
    for box in boxes:
        columns.setdefault(rows[box.name], []).append(box)
    most = max(map(len, columns.values()))
    width = 2 * _MARGIN + most * (_WIDTH + _ACROSS) - _ACROSS
    height = 2 * _MARGIN + len(columns) * (_HEIGHT + _DOWN) - _DOWN
    places = {
        box.name: ((width - (len(row) * (_WIDTH + _ACROSS) - _ACROSS)) // 2 + column * (_WIDTH + _ACROSS), _MARGIN + at * (_HEIGHT + _DOWN))
        for at, row in columns.items()
        for column, box in enumerate(row)
    }
    arrows = [_arrow(places[name], places[box.name]) for box in boxes for name in box.before]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
            'font-family="sans-serif" font-size="12">',
            f"<title>{escape(model.name)}</title>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            '<path d="M0 0 8 4 0 8z" fill="#555"/></marker></defs>',
            '<rect width="100%" height="100%" fill="#fff"/>',
            *arrows,
            *(_drawn(box, *places[box.name]) for box in boxes),
            "</svg>\n",
        ]
    )


def layers_of(model: keras.Model) -> list[Box]:
    """The layers, each behind those that go into it."""
    graph = model._functional if isinstance(model, keras.Sequential) else model
    if not hasattr(graph, "operations"):
        raise ConfigError(
            f"Expected a functional or sequential model to draw. Received: {type(model).__name__}, which does not say how its layers are "
            "joined. Leave out -o."
        )
    boxes: list[Box] = []
    known = {operation.name for operation in graph.operations}
    for operation in graph.operations:
        # A layer that is used twice has a node for each use; only those of this model count.
        uses = [node for node in operation._inbound_nodes if all(parent.operation.name in known for parent in node.parent_nodes)]
        before = dict.fromkeys(parent.operation.name for node in uses for parent in node.parent_nodes)
        boxes.append(Box(operation.name, _lines(operation), tuple(before)))
    return boxes


def _lines(operation: keras.Operation) -> tuple[str, ...]:
    output = operation.output
    shapes = [tuple(tensor.shape) for tensor in (output if isinstance(output, list | tuple) else [output])]
    shown = ", ".join(str(tuple("?" if side is None else side for side in shape)).replace("'", "") for shape in shapes)
    parameters = f"{operation.count_params():,} parameters" if getattr(operation, "weights", None) else ""
    return (operation.name, type(operation).__name__, f"{shown}  {parameters}".rstrip())


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    half = _WIDTH // 2
    top, left = start[1] + _HEIGHT, start[0] + half
    bend = (top + end[1]) // 2
    path = f"M{left} {top}C{left} {bend} {end[0] + half} {bend} {end[0] + half} {end[1]}"
    return f'<path d="{path}" fill="none" stroke="#555" marker-end="url(#tip)"/>'


def _drawn(box: Box, left: int, top: int) -> str:
    middle = left + _WIDTH // 2
    name, kind, size = map(escape, box.lines)
    return (
        f'<g><rect x="{left}" y="{top}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" fill="#eef3fb" stroke="#5b7db1"/>'
        f'<text x="{middle}" y="{top + 18}" text-anchor="middle" font-weight="bold">{kind}</text>'
        f'<text x="{middle}" y="{top + 34}" text-anchor="middle">{name}</text>'
        f'<text x="{middle}" y="{top + 50}" text-anchor="middle" fill="#555">{size}</text></g>'
    )
