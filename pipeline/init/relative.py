"""A path as a config file has it: relative to the folder that the file is in, or in its bucket, with the placeholders of spans."""

import os

from pipeline.init.proposal import Request
from pipeline.init.yaml_lines import value


def path_line(place: str, request: Request) -> str:
    """The line of YAML that says `place`, the request's path or what is below it."""
    pattern = place if request.pattern is None else request.pattern + place.removeprefix(request.path)
    if request.shown:
        return f"  path: {value(request.shown(pattern))}"
    return f"  path: {value(os.path.relpath(pattern, request.output.parent))}  # relative to this file"
