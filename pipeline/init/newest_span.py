"""Data that comes in spans is looked at in its newest one; the config says the pattern of all.

a request of `data/day-{SPAN}/` -> which spans are there -> a request of `data/day-3/` that remembers the pattern
"""

import os
from collections.abc import Iterator

from components.example_gen import spans
from pipeline.init.proposal import Proposal, Request
from trainer.errors import ConfigError


def narrowed(request: Request) -> Request:
    """The request for the newest span alone; a request without spans as it is.

    Raises:
      ConfigError: the pattern is none, or no span is there.
    """
    if not spans.has_spans(request.path):
        return request
    if problem := spans.fault(request.path):
        raise ConfigError(problem)
    pattern = os.path.normpath(request.path)
    [newest] = spans.resolve(pattern)
    return request._replace(path=newest.path, pattern=pattern)


def told(proposal: Proposal, request: Request) -> Proposal:
    """The proposal, with which span was looked at."""
    if request.pattern is None:
        return proposal
    line = f"Looked at '{request.path}', the newest span of '{request.pattern}'. A run reads the newest that is there then."
    return proposal._replace(found=[line, *proposal.found])


def lines(request: Request) -> Iterator[str]:
    """What a config says of the spans below `data.path`."""
    if request.pattern is not None:
        yield "  window: 1  # how many spans a run reads together, up to the newest; `span` names another than that"
