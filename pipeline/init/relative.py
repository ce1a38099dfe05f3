"""A path as a config file has it: relative to the folder that the file is in, with the placeholders of spans."""

import os

from pipeline.init.proposal import Request


def relative(place: str, request: Request) -> str:
    """`place`, the request's path or what is below it, as its config says it."""
    pattern = place if request.pattern is None else request.pattern + place.removeprefix(request.path)
    return os.path.relpath(pattern, request.output.parent)
