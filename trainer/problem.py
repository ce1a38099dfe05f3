"""What is to be learnt: from which features, which label, as which task. Every component that must know is given this one value."""

from pydantic import Field

from trainer.settings import Settings
from trainer.tasks import Task


class Problem(Settings):
    """Crosses a component's boundary as JSON. How a feature is transformed is not in it: that changes Transform alone."""

    features: dict[str, str] = Field(min_length=1, description="The kind of each feature that the model is given, by its name.")
    label: str = Field(description="The name of the raw feature that is predicted.")
    task: Task = Field(description="What is predicted.")
