"""One bound of the gate, and what it was held against."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Bound:
    """One row of the gate's table.

    Attributes:
      metric: its name, with the slice where it is not the whole test split: `accuracy`, `accuracy (class 8)`.
      bound: the least value allowed.
      value: what the model reached, None where the slice has no rows.
      passed: TFMA's verdict.
      origin: what the bound was derived from, where it is not a setting itself.
    """

    metric: str
    bound: float
    value: float | None
    passed: bool
    origin: str = ""

    @property
    def reason(self) -> str:
        """Why the gate refused, in one line."""
        if self.value is None:
            return f"{self.metric} has no rows in the test split to compare with the bound of {self.bound:.4f}"
        return f"{self.metric} is {self.value:.4f}, which is {self.bound - self.value:.4f} below the bound of {self.bound:.4f}{self.origin}"
