"""What can be set of what a training leaves: the `export` section of a config file."""

from typing import Literal

from pydantic import Field

from trainer.settings import Settings


class ExportConfig(Settings):
    """What goes with the saved model."""

    litert: tuple[Literal["float32", "float16", "int8"], ...] = Field(
        (),
        strict=False,
        description="Files for LiteRT (TensorFlow Lite) beside the saved model, by the precision of their weights; `int8` is of the "
        "activations too. They take transformed features, or the pixels of a picture, and lie with the Trainer's output.",
    )
    may_lose: float = Field(
        0.05,
        ge=0,
        description="By what share the accuracy of a `float16` or `int8` file may be lower, or its RMSE higher, than the saved model's on "
        "the test rows. A file that loses more is not left, and the run says so.",
    )
    onnx: bool = Field(
        False,
        description="Whether there is a file for ONNX Runtime too, of the same inputs; needs tf2onnx and onnxruntime (docs/export.md).",
    )
    tfjs: bool = Field(
        False,
        description="Whether there is a model for TensorFlow.js too, of the same inputs; needs Node and TensorFlow.js to check it "
        "(docs/export.md).",
    )

    warmup: int = Field(
        8,
        ge=0,
        le=100,
        description="Rows of the eval split, as they came, in the requests by which TensorFlow Serving warms up a new version. They stand "
        "in the pushed folder. 0 leaves the requests out: set it where those who can read the folder may not see data.",
    )

    @property
    def converts(self) -> bool:
        """Whether there is any file for another runtime."""
        return bool(self.litert) or self.onnx or self.tfjs
