"""Which of the two locked TFX stacks this machine runs. Needs nothing but Python, so that the set-up can ask before anything is installed.

TAPELINE_TFX, where it is set, decides
macOS on arm64, x86_64 Linux with glibc 2.39 or newer -> TFX 1.21
x86_64 Linux with an older glibc                      -> TFX 1.16
"""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass

from trainer.errors import ConfigError, TapelineError, did_you_mean

NEW, OLD = "1.21", "1.16"
NEW_GLIBC = (2, 39)  # the compiled parts of TFX 1.21 are manylinux_2_39 wheels
OVERRIDE = "TAPELINE_TFX"


@dataclass(frozen=True)
class TfxPlatform:
    """The TFX that was chosen, as `major.minor`, and why."""

    tfx: str
    reason: str

    @property
    def lock(self) -> str:
        """The lock file's name, relative to the checkout."""
        return f"requirements-tfx-{self.tfx}.lock"


@dataclass(frozen=True)
class Machine:
    """What the choice depends on."""

    system: str  # as platform.system(): Linux, Darwin, Windows
    architecture: str  # as platform.machine(): x86_64, aarch64, arm64
    glibc: tuple[int, int] | None  # None where the C library is another

    def __str__(self) -> str:
        """The machine in a word or two, for messages."""
        name = {"Darwin": "macOS"}.get(self.system, self.system)
        libc = "" if self.system != "Linux" else " without glibc" if self.glibc is None else f" with glibc {dotted(self.glibc)}"
        return f"{name} on {self.architecture}{libc}"


def choose(environ: Mapping[str, str] = os.environ, machine: Machine | None = None) -> TfxPlatform:
    """The TFX for `machine`, by default this one.

    Raises:
        ConfigError: TAPELINE_TFX is neither 1.16 nor 1.21.
        TapelineError: TFX has no wheels for such a machine.
    """
    override = environ.get(OVERRIDE)
    if override:
        return _overridden(override)
    machine = machine or this_machine()
    if machine.system == "Darwin" and machine.architecture == "arm64":
        return TfxPlatform(NEW, "macOS on arm64")
    if machine.system == "Linux" and machine.architecture == "x86_64" and machine.glibc is not None:
        if machine.glibc >= NEW_GLIBC:
            return TfxPlatform(NEW, f"glibc {dotted(machine.glibc)} is {dotted(NEW_GLIBC)} or newer")
        return TfxPlatform(OLD, f"glibc {dotted(machine.glibc)} is older than {dotted(NEW_GLIBC)}")
    raise TapelineError(
        f"Expected x86_64 Linux with glibc, or macOS on arm64. Received: {machine}. TFX has no wheels for it: "
        "run Tapeline in an x86_64 container of Debian 13 or Ubuntu 24.04 (on Windows: in WSL)."
    )


def this_machine() -> Machine:
    """What Python says of the machine it runs on."""
    return Machine(platform.system(), platform.machine(), _glibc())


def dotted(version: tuple[int, ...]) -> str:
    """`(2, 39)` -> `2.39`."""
    return ".".join(map(str, version))


def _overridden(tfx: str) -> TfxPlatform:
    if tfx not in (NEW, OLD):
        raise ConfigError(
            f"Expected {OVERRIDE} to be {OLD} or {NEW}. Received: '{tfx}'.{did_you_mean(tfx, (OLD, NEW))} "
            "Unset it to let the platform decide."
        )
    return TfxPlatform(tfx, f"{OVERRIDE} says so")


def _glibc() -> tuple[int, int] | None:
    try:
        name, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
    except (ValueError, OSError, AttributeError):  # musl and macOS do not know the name, Windows has no confstr
        return None
    major, minor = version.split(".")[:2]
    return (int(major), int(minor)) if name == "glibc" else None
