"""What can be set of TensorBoard: the `trainer.tensorboard` section of a config file."""

from typing import Annotated, Self

import pydantic
from pydantic import Field

from trainer.settings import Settings

_Call = Annotated[int, Field(ge=1)]
_Calls = Annotated[tuple[_Call, _Call], Field(strict=False)]  # JSON has lists


class TensorBoardConfig(Settings):
    """What TensorBoard shows beside each epoch's metrics and learning rate."""

    histogram_freq: int = Field(
        0, ge=0, description="After so many epochs each, histograms of all weights, of their averages with `trainer.ema`; 0 writes none."
    )
    gradient_norm: bool = Field(
        False,
        description="Whether each epoch shows `epoch_gradient_norm`, the mean of the gradients' common norm over its updates, before they "
        "are clipped: what `trainer.clip_norm` is chosen by.",
    )
    profile_batch: _Calls | None = Field(
        None,
        description="The first and the last call of TensorFlow that are profiled, counted from 1; a call has many steps, or as many as "
        "`checkpoints.steps`. `null` profiles none.",
    )
    wrong_pictures: int = Field(
        0,
        ge=0,
        le=99,
        description="How many pictures of the eval split are shown that the exported model answers wrongly, those first of whose answer it "
        "is surest; for classes.",
    )

    @pydantic.model_validator(mode="after")
    def _profile_has_an_order(self) -> Self:
        if self.profile_batch and self.profile_batch[0] > self.profile_batch[1]:
            raise ValueError(
                f"trainer.tensorboard.profile_batch: Expected the first call and then the last one. Received: {list(self.profile_batch)}."
            )
        return self
