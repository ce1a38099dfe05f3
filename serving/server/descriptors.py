"""How many files and connections this process may have open, and how they are shared out.

What a model's files, the event loop and a health check need is kept: neither port may take the last descriptor.
"""

import contextlib
import resource

_MOST = 65_536  # some systems allow a billion, and nobody needs them
_KEPT = 256  # also for what is accepted before it is counted
_MOST_CONNECTIONS = 4096  # of a port: a silent one takes some 20 KB


def raise_limit() -> int:
    """Raises the soft limit to the hard one. Returns how many descriptors there may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # macOS has a limit of its own below the hard one
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _MOST if soft == resource.RLIM_INFINITY else soft


def connections_per_port(descriptors: int) -> int:
    """How many connections each of the two ports may have."""
    return min(_MOST_CONNECTIONS, max(16, (descriptors - _KEPT) // 2))
