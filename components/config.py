"""What can be set of validation, evaluation and pushing: the `schema`, `evaluator` and `pusher` sections of a config file."""

from typing import Annotated

from pydantic import Field

from components.place import Place
from trainer.settings import Settings

Share = Annotated[float, Field(ge=0.0, le=1.0)]
ClassLabel = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]*)$")]


class SchemaConfig(Settings):
    """Where the reviewed schema is."""

    path: Place | None = Field(
        None,
        description="The reviewed `schema.pbtxt`, absolute or relative to the config file. While the file is not there the schema is "
        "inferred; `tapeline schema accept` writes the inferred one there, and every later run uses it.",
    )


class EvaluatorConfig(Settings):
    """The gate: what a model must reach on the test split to be pushed."""

    min_accuracy: Share = Field(0.9, description="The least accuracy on the whole test split.")
    min_class_accuracy: Share | None = Field(None, description="The least accuracy on the rows of each class; `null` sets no such bound.")
    class_min_accuracy: dict[ClassLabel, Share] = Field(
        {}, description="The least accuracy on the rows of single classes, by label; wins over `min_class_accuracy`."
    )
    max_accuracy_drop: Share | None = Field(
        0.01,
        description="How much less accurate than the last blessed model a new one may be, on the same rows; `null` compares nothing.",
    )


class PusherConfig(Settings):
    """Where accepted models go."""

    base_path: Place | None = Field(
        None,
        description="Folder that gets `<name>/<version>/`, absolute or relative to the config file; `serving` below the run's root if "
        "not given.",
    )
