"""The one registry of the pipeline's steps: what the rest of `pipeline` asks of a node of the DAG by its id.

A new component is wired in `pipeline.dag` and described here; progress lines, row counts, cache keys, pods and the settings of
`kubeflow.resources` follow. Nothing else spells an id.
"""

from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "eval", "test"]
_ALL: tuple[Split, ...] = ("train", "eval", "test")


@dataclass(frozen=True)
class Step:
    """One node of the DAG.

    Attributes:
      id: the node's in TFX and the task's in Kubeflow Pipelines. The metadata of old roots hold it, so it never changes.
      words: what the step does, for the progress line: at most 29 characters.
      about: what the setting `kubeflow.resources.ID` is for.
      cpu: cores that its pod asks for by default.
      memory: GB (10^9 bytes) that its pod asks for by default.
      splits: those whose rows it works on; none where rows are no measure of its work.
      code: the part of `pipeline.code_digest` that is in its cache key; empty where the step is all TFX's own.
      is_accelerated: whether `accelerator` is for it: the resource, the nodes that have it, and the image.
      is_cached_by_kfp: False where the answer depends on the world beside the inputs, so that a cached one would be an old one.
      stands_for: the step whose place it takes, or whose work it does; `kubeflow.resources` has one setting for both.
    """

    id: str
    words: str
    about: str = ""
    cpu: float = 0.5
    memory: float = 2.0
    splits: tuple[Split, ...] = ()
    code: str = ""
    is_accelerated: bool = False
    is_cached_by_kfp: bool = True
    stands_for: "Step | None" = None

    @property
    def resources_id(self) -> str:
        """The key of its setting in `kubeflow.resources`."""
        return (self.stands_for or self).id


INGESTION = Step("ImageExampleGen", "turn raw files into TFRecords", about="Ingestion.", cpu=2.0, memory=4.0, splits=_ALL, code="ingestion")
STATISTICS = Step("StatisticsGen", "describe features by split", about="Statistics.", cpu=2.0, memory=4.0, splits=_ALL)
SCHEMA = Step("SchemaGen", "infer the schema", about="The schema, inferred or reviewed.")
REVIEWED_SCHEMA = Step("ImportSchemaGen", "take the reviewed schema", stands_for=SCHEMA)
VALIDATION = Step("ExampleValidator", "compare data with the schema", about="Validation.")
DATA_GATE = Step("DataGate", "stop if there are anomalies", about="The data's gate.", code="gate", is_cached_by_kfp=False)
TRANSFORM = Step(
    "Transform", "transform every feature", about="Transform.", cpu=2.0, memory=6.0, splits=("train", "eval"), code="preprocessing"
)
TEACHER = Step("TeacherModel", "find the model to learn from", about="The look-up of the teacher.", code="teacher", is_cached_by_kfp=False)
START = Step("StartModel", "find weights to start from", about="The look-up of weights.", code="teacher", is_cached_by_kfp=False)
TRAINER = Step(
    "Trainer",
    "train",
    about="Training; the accelerator comes on top.",
    cpu=4.0,
    memory=8.0,
    splits=("train",),
    code="training",
    is_accelerated=True,
)
TUNER = Step("Tuner", "search better settings", splits=("train",), code="training", is_accelerated=True, stands_for=TRAINER)
BASELINE = Step(
    "BaselineModel", "find the last blessed model", about="The look-up of the served model.", code="push", is_cached_by_kfp=False
)
EVALUATOR = Step("Evaluator", "measure on the test split", about="Evaluation.", cpu=2.0, memory=6.0, splits=("test",), code="evaluation")
PUSHER = Step("Pusher", "push the version to serve", about="The push.", code="push", is_cached_by_kfp=False)

STEPS = (
    *(INGESTION, STATISTICS, SCHEMA, REVIEWED_SCHEMA, VALIDATION, DATA_GATE),
    *(TRANSFORM, TEACHER, START, TUNER, TRAINER, BASELINE, EVALUATOR, PUSHER),
)
BY_ID = {step.id: step for step in STEPS}
