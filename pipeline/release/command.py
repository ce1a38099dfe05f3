"""`tapeline release status|promote|rollback`: arguments -> the config's place -> plan -> steps. Help imports neither gRPC nor protobuf."""

import argparse
import contextlib
import difflib
import json
import math
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pipeline.subcommand import add_command
from trainer.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.release.place import Place, Snapshot
    from pipeline.release.served_config import ServedConfig, ServedModel
    from pipeline.release.steps import Move

_TIMEOUT = 300.0  # seconds: kubelet brings a ConfigMap within one or two minutes, then come the server's two polls and the loading
_EPILOG = """The config is a file that a server polls (--model_config_file) or else the cluster's ConfigMap.
With --server the version is loaded on every server before the label moves; a name stands for all of its addresses."""
_SERVER: dict[str, Any] = {"metavar": "HOST:PORT", "action": "append", "default": [], "dest": "servers"}


def add_to(commands: Any) -> None:
    """Adds `release` and its commands to the parser of `tapeline`."""
    release = commands.add_parser("release", help="say which pushed version is stable or canary, and go back").add_subparsers(
        metavar="COMMAND", required=True
    )
    status = _command(release, "status", _status, "show where the labels are, and what could be released")
    status.add_argument("--json", action="store_true", help="print one JSON object")
    status.add_argument("--server", **_SERVER, help="also ask this server (gRPC); repeatable")
    promote = _command(release, "promote", _promote, "put stable, or canary, on a version that was pushed")
    promote.add_argument("version", metavar="VERSION", help="its number, or `latest`: the newest below base_path")
    promote.add_argument("--label", choices=["stable", "canary"], default="stable", help="which label (default: %(default)s)")
    _moving_arguments(promote)
    rollback = _command(release, "rollback", _rollback, "put stable back on the version before")
    _moving_arguments(rollback)


def _command(commands: Any, name: str, function: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
    parser = add_command(commands, name, function, text)
    parser.epilog = _EPILOG
    place = parser.add_argument_group("where the served model config is")
    place.add_argument("--model_config_file", metavar="FILE", type=Path, help="a file of this machine that a server polls")
    place.add_argument("--namespace", metavar="NAME", help="the ConfigMap's namespace (default: tapeline-serving)")
    place.add_argument("--configmap", metavar="NAME", help="the ConfigMap (default: tapeline-models)")
    place.add_argument("--context", metavar="NAME", help="the kubeconfig's context (default: the current one; in a pod, its own cluster)")
    place.add_argument("--model_name", metavar="NAME", help="which model, where the config has several")
    return parser


def _moving_arguments(parser: argparse.ArgumentParser) -> None:
    servers = parser.add_mutually_exclusive_group()
    servers.add_argument("--server", **_SERVER, help="wait for this server (gRPC), like dns:///NAME:8500; repeatable")
    servers.add_argument("--no-wait", action="store_true", help="ask no server; for the first release, when none is running yet")
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=_TIMEOUT,
        help="how long servers may take to load the version, and then to follow the label (default: %(default)g)",
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would change in the config, and change nothing")


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number <= 86400:  # NaN is neither
        raise argparse.ArgumentTypeError(f"expected seconds, more than 0 and at most 86400, received {text!r}")
    return number


def _status(options: argparse.Namespace) -> int:
    from pipeline.release import pushed_versions, servers
    from pipeline.release.status import Status

    place, _, _, model = _opened(options)
    looks = servers.look(options.servers, model.name, model.labels) if options.servers else []
    status = Status(place.name, model, pushed_versions.find(model.base_path), looks)
    if options.json:
        sys.stdout.write(json.dumps(status.to_json()) + "\n")
    else:
        status.show()
    return 0


def _promote(options: argparse.Namespace) -> int:
    from pipeline.release import plan, pushed_versions
    from pipeline.release.steps import Move

    place, snapshot, config, model = _opened(options)
    pushed = pushed_versions.find(model.base_path)
    version = pushed_versions.chosen(options.version, pushed)
    if model.labels.get(options.label) == version:
        _tell(f"{options.label} is version {version} already. Nothing was changed.")
        return 0
    _refuse_unasked(options, f"{options.label} to version {version}", is_first=not model.labels)
    if pushed.unknown:
        _tell(f"Whether version {version} was pushed is not checked: {pushed.base_path} cannot be read from here ({pushed.unknown}).")
    return _carry_out(Move(config, snapshot, model, plan.moved(model, options.label, version), options.label), place, options)


def _rollback(options: argparse.Namespace) -> int:
    from pipeline.release import plan, pushed_versions
    from pipeline.release.served_config import STABLE
    from pipeline.release.steps import Move

    place, snapshot, config, model = _opened(options)
    if not model.history:
        raise ConfigError(
            f"Expected a version before that stable could go back to. Received: none in {place.name}; stable is "
            f"{model.labels.get(STABLE, 'not set')}. Name the version: tapeline release promote VERSION."
        )
    version = pushed_versions.chosen(str(model.history[-1]), pushed_versions.find(model.base_path))
    if not plan.is_listed(model, version):
        _refuse_unasked(options, f"stable back to version {version}, which is not loaded any more,", is_first=False)
    return _carry_out(Move(config, snapshot, model, plan.rolled_back(model), STABLE), place, options)


def _opened(options: argparse.Namespace) -> tuple["Place", "Snapshot", "ServedConfig", "ServedModel"]:
    """Where the config is, what stands there, read, and the model that is meant; after the servers' names have been checked."""
    from pipeline.release import servers
    from pipeline.release.served_config import ServedConfig

    servers.check(options.servers)
    place = _place(options)
    snapshot = place.read()
    config = ServedConfig(snapshot.text, place.name)
    return place, snapshot, config, config.model(options.model_name)


def _refuse_unasked(options: argparse.Namespace, what: str, *, is_first: bool) -> None:
    if options.servers or options.no_wait or options.dry_run:
        return
    first = "This is the first release: --no-wait is right where no server is ready before it." if is_first else ""
    raise ConfigError(
        f"Expected --server HOST:PORT, to see that the version is loaded before moving {what}. Received: none. "
        f"{first or '--no-wait moves it unseen: a running server that has not loaded the version refuses the whole config.'}"
    )


def _carry_out(move: "Move", place: "Place", options: argparse.Namespace) -> int:
    from pipeline.release.served_config import STABLE
    from pipeline.release.steps import Way, carry_out

    if options.dry_run:
        _show_difference(move, place)
        return 0
    with ended_like_ctrl_c():
        carry_out(move, Way(place, options.servers, options.timeout, _tell))
    if move.label == STABLE:
        _note_stable(move)
    before = move.before.labels.get(move.label)
    _say(f"{move.label} of {move.after.name} is version {move.version}{f', was {before}' if before is not None else ''}. {_way_back(move)}")
    if not options.servers:
        _tell("No server was asked: running ones follow with their next look at the config, and refuse it where the version is not loaded.")
    return 0


def _note_stable(move: "Move") -> None:
    """What is stable is what the next run's gate compares with; a release that cannot say so there is a release all the same."""
    from pipeline.release import pushed_versions

    trouble = pushed_versions.note_stable(move.after.base_path, move.version)
    if trouble:
        _tell(
            f"Later runs on Kubeflow cannot learn that version {move.version} is stable: {move.after.base_path} cannot be "
            f"written from here ({trouble})."
        )


def _way_back(move: "Move") -> str:
    if move.label != "stable":
        return "stable has not moved."
    if not move.after.history:
        return "There is no version before it to roll back to."
    return f"`tapeline release rollback` puts it on {move.after.history[-1]}."


def _show_difference(move: "Move", place: "Place") -> None:
    from pipeline.release import plan

    old, new = move.snapshot.text, move.config.text_with(move.after)
    lines = difflib.unified_diff(old.splitlines(True), new.splitlines(True), place.name, f"{place.name} afterwards")
    sys.stdout.write("".join(lines))
    if not plan.is_listed(move.before, move.version):
        listed = plan.listed(move.before, move.version).versions
        _tell(f"With --server in two steps: first the versions {', '.join(map(str, listed))}, then, once they are loaded, the above.")
    _tell("Nothing was changed.")


def _place(options: argparse.Namespace) -> "Place":
    from pipeline.release.config_file import ConfigFile
    from pipeline.release.config_map import NAME, NAMESPACE, ConfigMap

    of_cluster = {"--namespace": options.namespace, "--configmap": options.configmap, "--context": options.context}
    if options.model_config_file is None:
        return ConfigMap(options.namespace or NAMESPACE, options.configmap or NAME, options.context)
    given = [option for option, value in of_cluster.items() if value is not None]
    if given:
        raise ConfigError(f"Expected --model_config_file FILE, or a ConfigMap. Received: both, --model_config_file and {', '.join(given)}.")
    return ConfigFile(options.model_config_file)


@contextlib.contextmanager
def ended_like_ctrl_c() -> Iterator[None]:
    """SIGTERM, as when a job is cancelled, puts the config back as Ctrl-C does.

    The first signal decides: another one must not stop the config from being put back, which takes seconds at most.
    """

    def interrupt(*_: object) -> NoReturn:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # only there may handlers be set
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:  # as SIGINT of what a shell runs in the background
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _tell(line: str) -> None:
    """Progress and remarks, on stderr."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
