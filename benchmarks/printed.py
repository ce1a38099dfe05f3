"""What the parts of `make bench` print: progress to stderr, rows of tables to stdout."""

import sys

from benchmarks.measured import Measured


def say(text: str) -> None:
    """Tells on stderr what is measured now; stdout is for the tables."""
    print(text, file=sys.stderr, flush=True)


def row(figures: Measured) -> str:
    """Seconds, CPU seconds and peak MiB, as cells of a Markdown table."""
    return f"{figures.seconds:.1f} | {figures.cpu_seconds:.1f} | {figures.peak_mib:,.0f}"


def verdict(ratio: float, at_least: float | None = None, at_most: float | None = None) -> str:
    """The ratio with its bar, if it has one, and whether that was missed: "0.93 (bar: at least 1.0, missed)"."""
    if at_least is None and at_most is None:
        return f"{ratio:.2f}"
    is_met = ratio >= at_least if at_least is not None else ratio <= (at_most or 0)
    bar = f"at least {at_least}" if at_least is not None else f"at most {at_most}"
    return f"**{ratio:.2f}** (bar: {bar}{'' if is_met else ', missed'})"
