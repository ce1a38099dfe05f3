"""What can be set of a network from elsewhere: the `trainer.backbone` section of a config file."""

from typing import Annotated, Self

import pydantic
from pydantic import Field

from trainer.settings import FOUND, Settings

_Value = Annotated[float, Field(allow_inf_nan=False)]
_Range = Annotated[tuple[_Value, _Value], Field(strict=False)]  # JSON has lists


class BackboneConfig(Settings):
    """A network that was trained elsewhere, below a layer for the classes or the number of this data."""

    path: str = Field(
        min_length=1,
        description="A `.keras` file, the folder of a SavedModel such as TF Hub's, or a `.tar.gz`, `.tgz` or `.zip` of either, on this "
        "machine. It takes pictures and gives a row or a map of features. A SavedModel is code that runs: use none that you do not trust.",
    )
    range: _Range = Field(
        (0.0, 1.0),
        description="What it takes black and white as. TF Hub's take 0 and 1; of Keras Applications, MobileNet 1 and 2, Inception, "
        "Xception and ResNetV2 take -1 and 1; MobileNetV3, EfficientNet and ConvNeXt 0 and 255.",
    )
    digest: str = Field(
        "", description="Of the content of `path`, once it is known.", json_schema_extra=FOUND, exclude_if=lambda digest: not digest
    )

    @pydantic.model_validator(mode="after")
    def _range_rises(self) -> Self:
        if not self.range[0] < self.range[1]:
            raise ValueError(f"trainer.backbone.range: Expected the value of black and a greater one. Received: {list(self.range)}.")
        return self
