"""The one place that knows which reader reads which `data.format`."""

from components.example_gen import digits, idx
from components.example_gen.config import DataConfig
from components.example_gen.labelled_images import Part


def open_parts(config: DataConfig) -> list[Part]:
    """The parts of the data that `config` names, checked. `config.path` is absolute by now."""
    if config.format == "digits":
        return digits.open_parts()
    return idx.open_parts(config.path or "")
