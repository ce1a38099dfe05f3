"""What is to be learnt: from which features, which label, as which task. Every component that must know is given this one value."""

from pydantic import Field

from trainer.features import Feature
from trainer.settings import Settings
from trainer.tasks import Task


class Problem(Settings):
    """Crosses a component's boundary as JSON."""

    features: dict[str, Feature] = Field(min_length=1, description="The features that the model is given, by their names in a raw row.")
    label: str = Field(description="The name of the raw feature that is predicted.")
    task: Task = Field(description="What is predicted.")

    @property
    def learns_from_data(self) -> bool:
        """Whether Transform must see the whole training split before it can transform a row."""
        return any(feature.learns_from_data for feature in self.features.values())
