"""What can be set of ingestion: the `data` section of a config file."""

from typing import Literal

from pydantic import Field

from components.place import Place
from trainer.settings import Settings

MAX_IMAGE_PIXELS = 1 << 26  # 8,192 x 8,192, more than cameras give


class SplitsConfig(Settings):
    """Shares of the rows that no official test set covers. A row's share is decided by a hash of its content."""

    train: int = Field(8, ge=1, le=1000, description="Shares that become the train split.")
    eval: int = Field(1, ge=1, le=1000, description="Shares that become the eval split (early stopping, best weights).")
    test: int = Field(
        1, ge=1, le=1000, description="Shares that become the test split (the gate); unused where the data has an official test set."
    )


class DataConfig(Settings):
    """Where the raw rows come from."""

    format: Literal["digits", "idx"] = Field(
        description="`digits`: scikit-learn's bundled 1,797 digits. `idx`: MNIST's file format, gzipped or not."
    )
    path: Place | None = Field(
        None,
        description="Folder of the IDX files, absolute or relative to the config file: `train-images-idx3-ubyte`, "
        "`train-labels-idx1-ubyte` and, if there is an official test set, `t10k-` or `test-` files of the same kind, "
        "each with or without `.gz`.",
    )
    download: Literal["mnist", "fashion_mnist"] | None = Field(
        None, description="The public data set that is downloaded once, checked and cached where `data.path` is not given."
    )
    max_image_pixels: int = Field(
        MAX_IMAGE_PIXELS,
        ge=1,
        le=1 << 31,
        description="The most pixels of one image, height times width; files that declare more are refused. Ingestion needs up to eight "
        "bytes of memory for each.",
    )
    splits: SplitsConfig = Field(SplitsConfig(), description="How rows are divided.")
