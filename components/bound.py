"""One bound of the gate, and what it was held against."""

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Bound:
    """One row of the gate's table.

    Attributes:
      metric: its name, with the class where it is not the whole test split: `accuracy`, `accuracy (class 8)`.
      bound: the least value allowed, or the largest.
      value: what the model reached, None where the class has no rows.
      passed: whether it reached the bound.
      origin: what the bound was derived from, where it is not a setting itself.
      at_least: whether it is the least value, and not the largest.
    """

    metric: str
    bound: float
    value: float | None
    passed: bool
    origin: str = ""
    at_least: bool = True

    @property
    def reason(self) -> str:
        """Why the gate refused, in one line."""
        if self.value is None:
            return f"{self.metric} has no rows in the test split to compare with the bound of {self.bound:.4f}"
        if not math.isfinite(self.value):
            return f"{self.metric} cannot be told of this test split, and has a bound of {self.bound:.4f}{self.origin}"
        off, side = abs(self.bound - self.value), "below" if self.at_least else "above"
        return f"{self.metric} is {self.value:.4f}, which is {off:.4f} {side} the bound of {self.bound:.4f}{self.origin}"
