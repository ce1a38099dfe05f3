"""Data in a bucket is looked at in a copy that is gone afterwards; the config and whatever a person reads have the bucket's names.

a request of `gs://bucket/data/` -> a request of its copy here, which knows what it is a copy of -> the proposal with the bucket's names
"""

import contextlib
from collections.abc import Iterator

from components.example_gen import remote_files
from pipeline.init import newest_span
from pipeline.init.proposal import Proposal, Request
from trainer.errors import ConfigError

_MOST_BYTES = 4_000_000_000  # that anybody would wait for to have a config written


@contextlib.contextmanager
def copied(request: Request) -> Iterator[Request]:
    """The request, narrowed to the newest span, for data on this machine.

    Raises:
      ConfigError: nothing is there, it cannot be read, or is too much to be copied only to be looked at.
    """
    if not remote_files.is_remote(request.path):
        yield newest_span.narrowed(request)
        return
    with remote_files.opened(request.path) as (here, tree):
        local = newest_span.narrowed(request._replace(path=here, shown=tree.shown))
        tree.see(local.path)
        meant = tree.meant(local.path)
        if (size := tree.size(meant)) > _MOST_BYTES:
            raise ConfigError(
                f"Expected at most {_MOST_BYTES / 1e9:.0f} GB to look at. Received: {size / 1e9:,.1f} GB in '{local.path}'. "
                "Name a file or a smaller part, and change `data.path` in the config afterwards."
            )
        tree.fill(meant)
        yield local


def told(proposal: Proposal, request: Request) -> Proposal:
    """The proposal with the bucket's names."""
    shown = request.shown
    if shown is None:
        return proposal
    found = [shown(each) if isinstance(each, str) else each for each in proposal.found]
    return proposal._replace(found=found, warnings=[shown(each) for each in proposal.warnings])
