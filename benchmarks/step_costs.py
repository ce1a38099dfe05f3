"""What mistakes cost that are not alike: taking anything for an 8 costs ten times as much as any other mistake."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.digits_trained import NAMES, trained

DEAR, COST = 8, 10.0
COSTS = [[name, str(DEAR), COST] for name in NAMES if name != str(DEAR)]
FIGURES = ("cost of 100 rows", "taken for an 8", "accuracy")


def _with(step: Any, class_weights: Any = "none") -> Callable[[Path, int, int], list[float]]:
    def measured(root: Path, seed: int, epochs: int) -> list[float]:
        import numpy as np

        model, task, x, y, _ = trained(root, step, seed, epochs, class_weights=class_weights)
        answers, labels = task.decided(task.activated(model(x, training=False))).numpy(), y.numpy()
        is_wrong = answers != labels
        is_dear = is_wrong & (answers == DEAR)
        return [100 * float(np.mean(np.where(is_dear, COST, is_wrong))), int(is_dear.sum()), float(np.mean(~is_wrong))]

    return measured


_DEAR = {"kind": "reinforce", "costs": COSTS}
ROWS = {
    "`standard`, classes weigh alike": _with("standard"),
    f"`standard`, `class_weights` of {COST:g} for all but 8": _with("standard", {name: COST for name in NAMES if name != str(DEAR)}),
    "`reinforce` without `costs`": _with("reinforce"),
    "`reinforce` with them": _with(_DEAR),
    "`reinforce` with them, `weight: 1`": _with({**_DEAR, "weight": 1.0}),
}
