"""A bound of the gate that nobody has set: what is reached without the model."""

from typing import NamedTuple

from components.config import BoundConfig


class Floor(NamedTuple):
    """One such bound, and what a person is told of it."""

    bound: BoundConfig
    origin: str  # where it comes from, for the gate's table
    note: str | None = None
