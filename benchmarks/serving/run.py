"""`make bench-serving`: the server side by side with what one would use instead, in one call, as ratios with their bars.

MNIST cnn, pushed once -> latency -> throughput -> comparison with other servers -> memory -> a table each, and JSON
"""

import argparse
import json
import shlex
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from benchmarks import measured, mnist_files
from benchmarks.measured import python
from benchmarks.serving import comparison, latency, memory, throughput
from benchmarks.serving.report import Part, show
from benchmarks.serving.settings import Settings

PARTS: dict[str, Callable[[Path, Settings], Part]] = {
    "latency": latency.measure,
    "throughput": throughput.measure,
    "comparison": comparison.measure,
    "memory": memory.measure,
}


def main() -> int:
    """Measures and prints; 1 where a bar is missed."""
    options = _options()
    settings = Settings(options.rounds, options.seconds, tuple(shlex.split(options.server_flags)), options.requests)
    # In a file or a pipe, lines are not broken at 80 columns.
    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False)
    with tempfile.TemporaryDirectory(prefix="tapeline-bench-") as folder:
        model_base_path = options.model_base_path or _push(Path(folder))
        parts = []
        for name in options.only:
            _say(f"measuring {name}")
            parts.append(PARTS[name](model_base_path, settings))
            show(parts[-1], console)
    if options.json:
        options.json.write_text(json.dumps([part.to_json() for part in parts], indent=2) + "\n")
    return int(not all(verdict.holds for part in parts for verdict in part.verdicts))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-serving", description=__doc__.splitlines()[0])
    parser.add_argument("--only", type=_parts, default=list(PARTS), metavar="NAMES", help=f"some of {','.join(PARTS)} (default: all)")
    parser.add_argument("--model_base_path", type=Path, metavar="DIR", help="an MNIST model already pushed, instead of training one")
    parser.add_argument("--rounds", type=int, default=Settings.rounds, help="turns of each side (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=Settings.seconds, help="of a turn of throughput (default: %(default)g)")
    parser.add_argument("--requests", type=int, default=Settings.requests, help="of the memory part (default: %(default)s)")
    parser.add_argument("--server_flags", default="", metavar="FLAGS", help="more flags for `tapeline serve`, in one argument")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser.parse_args()


def _parts(text: str) -> list[str]:
    names = text.split(",")
    if unknown := sorted(set(names) - set(PARTS)):
        raise argparse.ArgumentTypeError(f"expected some of {','.join(PARTS)}, received {','.join(unknown)}")
    return names


def _push(root: Path) -> Path:
    """Trains MNIST's cnn and returns its base path."""
    data = mnist_files.folder()
    _say(f"training and pushing the cnn, MNIST from {data.name} (--model_base_path names a model already pushed)")
    command = ["run", "configs/mnist.yaml", "--set", f"data.path={data}", "--set", "trainer.model=cnn", "--set", "trainer.epochs=2"]
    measured.run(python("pipeline.cli", *command, "--root", root), {"TF_USE_LEGACY_KERAS": "0", "TF_CPP_MIN_LOG_LEVEL": "3"})
    return root / "serving" / "mnist"


def _say(text: str) -> None:
    print(f"bench-serving: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
