"""The tasks, one a file: what is predicted, by which head and loss, what a caller is answered, and how a label is told."""

from typing import Annotated

from pydantic import Field

from trainer.tasks.binary import Binary
from trainer.tasks.multiclass import Multiclass
from trainer.tasks.regression import Regression

TASKS = {"binary": Binary, "multiclass": Multiclass, "regression": Regression}
Task = Annotated[Binary | Multiclass | Regression, Field(discriminator="kind")]
