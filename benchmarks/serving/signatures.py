"""The two signatures of the MNIST model that are measured, and what each is asked: the same images, decoded or as PNG files."""

from collections.abc import Mapping
from typing import Any

from benchmarks.serving import inputs

SIGNATURES = ("predict_image", "predict_pixels")


def request(signature: str, rows: int) -> Mapping[str, Any]:
    """The signature's inputs by name for `rows` images: a list of PNGs, or uint8 pixels."""
    return {"image": inputs.pngs(rows)} if signature == "predict_image" else {"pixels": inputs.pixels(rows)}
