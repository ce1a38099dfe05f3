"""The tasks, one a file: what is predicted, by which head and loss, what a caller is answered, and how a label is told."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from trainer.tasks.binary import Binary
from trainer.tasks.multiclass import Multiclass
from trainer.tasks.multilabel import Multilabel
from trainer.tasks.regression import Regression

TASKS = {"binary": Binary, "multiclass": Multiclass, "multilabel": Multilabel, "regression": Regression}


def _in_full(given: Any) -> Any:
    """`binary` is short for `{kind: binary}`."""
    return {"kind": given} if isinstance(given, str) else given


_InFull = Annotated[Binary | Multiclass | Multilabel | Regression, Field(discriminator="kind")]
_Short = Literal["binary", "multiclass", "multilabel", "regression"]  # for the JSON Schema: what `_in_full` takes
Task = Annotated[_InFull, BeforeValidator(_in_full, json_schema_input_type=_Short | _InFull)]
