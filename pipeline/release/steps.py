"""How a label gets to another version while servers are running: in the config, and in every server that polls it.

all servers answer? -> the version is listed, written -> every server has it available -> the label is moved, written
                                                      -> every server answers to the label with it
not loaded, not in time, or Ctrl-C before the label has moved: the config is put back as it was

Two writes, because tensorflow_model_server refuses a config that moves a label it has to a version that it has not loaded, and refuses
it whole: such a config would never load the version either. A label that is new to a server may be ahead of its version where
--allow_version_labels_for_unavailable_models is set, so the first release may be one write (`Way.targets` is empty: --no-wait).
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.interruption import Told
from pipeline.release import plan, servers
from pipeline.release.errors import ChangedError, ReleaseError
from pipeline.release.place import Place, Snapshot
from pipeline.release.served_config import ServedConfig, ServedModel
from pipeline.release.servers import Look
from trainer.errors import TapelineError

_FIRST_PAUSE, _PAUSE = 0.05, 1.0  # seconds between two looks: each is twice the one before
_MOST_NAMED = 3


@dataclass(frozen=True)
class Way:
    """Where the config is, who follows it, how many seconds they may take, and who is told."""

    place: Place
    targets: Sequence[str]
    timeout: float
    tell: Callable[[str], None]


@dataclass(frozen=True)
class Move:
    """`label` of the model, from `before` to `after`; `snapshot` is the text that `config` was read from."""

    config: ServedConfig
    snapshot: Snapshot
    before: ServedModel
    after: ServedModel
    label: str

    @property
    def version(self) -> int:
        """Where the label goes."""
        return self.after.labels[self.label]

    @property
    def was(self) -> str:
        """What the label is before, for a message."""
        version = self.before.labels.get(self.label)
        return f"{self.label} is version {version}" if version is not None else f"there is no label {self.label}"


def carry_out(move: Move, way: Way) -> None:
    """Returns once every server answers to the label with its version; without servers, once the config is written."""
    if not way.targets:
        _write(way, move.config.text_with(move.after), move.snapshot, move)
        return
    before = _everybody_answers(move, way)
    listed = move.snapshot
    if not plan.is_listed(move.before, move.version):
        listing = plan.listed(move.before, move.version)
        listed = _write(way, move.config.text_with(listing), move.snapshot, move)
        way.tell(
            f"Listed version {move.version} in {way.place.name}; waiting until every server has loaded it, at most {way.timeout:g} s. "
            "Ctrl-C puts the config back."
        )
    with _put_back_on_failure(move, way, listed):
        _until_available(move, way, before)
    _write(way, move.config.text_with(move.after), listed, move)
    _until_followed(move, way)


def _everybody_answers(move: Move, way: Way) -> list[Look]:
    looks = servers.look(way.targets, move.before.name)
    silent = [f"{each.address} {each.trouble}" for each in looks if each.trouble]
    if silent:
        raise ReleaseError(
            f"Expected every --server to answer before anything is changed. Received: {_some(silent)}. Nothing was changed. Where no "
            "server is up or ready yet, as before a first release, use --no-wait instead of --server."
        )
    return looks


def _write(way: Way, text: str, after: Snapshot, move: Move) -> Snapshot:
    try:
        return way.place.write(text, after)
    except ChangedError as error:
        raise ReleaseError(
            f"{error}: what they wrote is left as it is, and {move.label} was not moved. See what it says now: "
            f"{_command('status', way.place)}; then try again."
        ) from error
    except KeyboardInterrupt:
        way.tell(f"Stopped while {way.place.name} was being written. See what it says now: {_command('status', way.place)}")
        raise Told from None


@contextlib.contextmanager
def _put_back_on_failure(move: Move, way: Way, listed: Snapshot) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        way.tell(f"Stopped. {_put_back(move, way, listed)}")
        raise Told from None
    except ReleaseError as error:
        raise ReleaseError(f"{error} {_put_back(move, way, listed)}") from error


def _put_back(move: Move, way: Way, listed: Snapshot) -> str:
    """What to say of the config afterwards."""
    if listed is move.snapshot:
        return f"The config was not changed: {move.was}."
    try:
        way.place.write(move.snapshot.text, listed)
    except ChangedError as error:
        return f"{error}: what they wrote is left as it is, and {move.label} was not moved by this command."
    except TapelineError as error:
        return f"The config could not be put back ({error}): version {move.version} stays listed, no label has moved, {move.was}."
    return f"The config is as it was: {move.was}."


def _until_available(move: Move, way: Way, before: Sequence[Look]) -> None:
    """Raises ReleaseError when a server cannot load the version, or has not in time."""
    stale = {each.address: each.state(move.version) for each in before}  # a failure of long ago is not this one's

    def check(looks: Sequence[Look]) -> None:
        for each in looks:
            state = each.state(move.version)
            if stale.get(each.address) != state:
                stale.pop(each.address, None)
            if state.startswith("END (") and each.address not in stale:
                raise ReleaseError(f"Expected version {move.version} to load. Received from {each.address}: {state[5:-1]}.")

    waiting = _wait(way, move, lambda each: each.has(move.version), lambda each: each.state(move.version), "have it loaded", check)
    if waiting:
        raise ReleaseError(
            f"Expected version {move.version} to be available on every server within {way.timeout:g} s. Received: {_some(waiting)}. Does "
            "the server poll this config (--model_config_file_poll_wait_seconds), and is the version in its base_path?"
        )


def _until_followed(move: Move, way: Way) -> None:
    def word(each: Look) -> str:
        version = each.labels.get(move.label)
        return each.trouble or (f"still answers with {version}" if version is not None else f"has no {move.label} yet")

    waiting = _wait(
        way, move, lambda each: each.labels.get(move.label) == move.version, word, f"answer to {move.label} with version {move.version}"
    )
    if waiting:
        raise ReleaseError(
            f"The config says that {move.label} is version {move.version}, but not every server has followed within {way.timeout:g} s: "
            f"{_some(waiting)}. It may still; a server that missed the step before needs a restart, or `tapeline release rollback` and "
            "`promote` again."
        )


def _wait(
    way: Way,
    move: Move,
    done: Callable[[Look], bool],
    word: Callable[[Look], str],
    goal: str,
    check: Callable[[Sequence[Look]], None] = lambda looks: None,
) -> list[str]:
    """Who is not `done` when the time is over, and its word on it; nobody where all were. Tells what changes meanwhile."""
    end, told, pause = time.monotonic() + way.timeout, "", _FIRST_PAUSE
    while True:
        looks = servers.look(way.targets, move.before.name, [move.label])
        waiting = [f"{each.address} {word(each)}" for each in looks if not done(each)]
        line = f"  {len(looks) - len(waiting)} of {len(looks)} {goal}" + (f"; {_some(waiting)}" if waiting else "")
        if line != told:
            told = line
            way.tell(line)
        check(looks)
        if not waiting or time.monotonic() >= end:
            return waiting
        time.sleep(pause)
        pause = min(2 * pause, _PAUSE)


def _some(texts: Sequence[str]) -> str:
    more = f", and {len(texts) - _MOST_NAMED} more" if len(texts) > _MOST_NAMED else ""
    return "; ".join(texts[:_MOST_NAMED]) + more


def _command(name: str, place: Place) -> str:
    return f"tapeline release {name} {place.options}".rstrip()
