"""What the Evaluator measures of a model, by its task: the names that bounds may have."""

from components.config import QUANTILE_LOSS
from trainer.tasks import Multilabel, Regression, Task

ACCURACY = "accuracy"
F1 = "f1"
OF_CLASSES = (ACCURACY, "precision", "recall", F1, "auc", "loss", "pr_auc", "mcc", "log_loss", "calibration")
OF_LABELS = (ACCURACY, "precision", "recall", F1, "auc", "pr_auc", "log_loss", "calibration")
OF_NUMBERS = ("rmse", "mae", "r2", QUANTILE_LOSS)


def of(task: Task) -> tuple[str, ...]:
    """The metrics of a model of this task."""
    if isinstance(task, Regression):
        return OF_NUMBERS
    return OF_LABELS if isinstance(task, Multilabel) else OF_CLASSES
