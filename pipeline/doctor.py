"""`tapeline doctor`: is this machine fit to run a pipeline? One line a check, with the remedy where something is wrong.

each check: facts -> Finding; facts are gathered in `_examine`, and nothing imports TensorFlow
print a line each; exit 0, or 1 where something that is needed is wrong
"""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from pipeline.tfx_platform import TfxPlatform, choose
from serving.cores import cores
from trainer import environment
from trainer.errors import TapelineError

GB = 1e9
DISK_NEEDED, DISK_WANTED = 1 * GB, 5 * GB  # bytes; a run of MNIST keeps its artifacts of every step
MEMORY_WANTED = 4 * GB  # bytes
TOOL_TIMEOUT = 2  # seconds; a Docker daemon that hangs must not hang the doctor
CHECKOUT = Path(__file__).resolve().parent.parent
MARKS = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "failure": "[red]✗[/]"}


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it is, and the next step where it is not well."""

    name: str
    state: Literal["ok", "warning", "failure"]
    text: str
    remedy: str = ""


def run(as_json: bool = False, environ: Mapping[str, str] = os.environ) -> int:
    """Prints every finding, as lines or as one JSON object; returns 1 where a needed thing is wrong, else 0.

    `environ` is the environment as it was given, before `trainer.environment.settle`.
    """
    findings = list(_examine(environ))
    healthy = all(finding.state != "failure" for finding in findings)
    if as_json:
        sys.stdout.write(json.dumps({"healthy": healthy, "findings": [asdict(finding) for finding in findings]}) + "\n")
    else:
        _show(findings)
    return 0 if healthy else 1


def check_python(version: tuple[int, int, int], executable: str) -> Finding:
    """Python 3.11 it must be."""
    text = f"{'.'.join(map(str, version))} ({executable})"
    if version[:2] == (3, 11):
        return Finding("Python", "ok", text)
    return Finding("Python", "failure", text, "TFX needs Python 3.11: install it, then `rm -r .venv && make env`.")


def check_tfx(choice: Callable[[], TfxPlatform]) -> Finding:
    """Which TFX the platform asks for, and why."""
    try:
        chosen = choice()
    except TapelineError as error:
        return Finding("TFX", "failure", "no TFX for this machine", str(error))
    return Finding("TFX", "ok", f"{chosen.tfx}, since {chosen.reason}")


def check_packages(lock: str | None, installed: Mapping[str, str]) -> Finding:
    """The lock file's text, None where there is none, against the installed versions by normalized name."""
    if lock is None:
        return Finding(
            "Packages", "warning", "no lock file to compare with", "Run from a checkout to have the installed packages compared."
        )
    locked = locked_versions(lock)
    missing = sorted(locked.keys() - installed.keys())
    different = sorted(
        f"{name} {installed[name]} instead of {version}" for name, version in locked.items() if installed.get(name, version) != version
    )
    if not missing and not different:
        return Finding("Packages", "ok", f"{len(locked)} as locked")
    parts = [_some("missing", missing), _some("different", different)]
    return Finding(
        "Packages", "failure", f"{'; '.join(filter(None, parts))}; {len(locked)} locked", "Rebuild .venv: `rm -r .venv && make env`."
    )


def check_keras(keras: str | None) -> Finding:
    """Keras 3 it must be; its backend and the other settings are the product's own."""
    if keras is None or int(keras.split(".")[0]) < 3:
        return Finding("Keras", "failure", f"{keras or 'not installed'}, Keras 3 is needed", "Rebuild .venv: `rm -r .venv && make env`.")
    return Finding("Keras", "ok", f"{keras} on TensorFlow")


def check_settings(environ: Mapping[str, str]) -> Finding:
    """The environment variables that Keras and TensorFlow read: which count, and which do not."""
    counting, not_counting = environment.named(environ), environment.overruled(environ)
    if counting:
        return Finding(
            "Settings",
            "warning",
            f"{', '.join(counting)} may change results",
            f"Unset what you do not need: `unset {' '.join(setting.partition('=')[0] for setting in counting)}`.",
        )
    if not_counting:
        return Finding("Settings", "ok", f"{', '.join(not_counting)}: a run sets its own")
    return Finding("Settings", "ok", "nothing in the environment changes results")


def check_disk(free: float | None, place: str) -> Finding:
    """`free` bytes where the runs are written, None where that folder is gone."""
    if free is None:
        return Finding("Disk", "warning", f"{place} has been removed", "Go to a folder that is there: `cd`.")
    text = f"{free / GB:.1f} GB free in {place}"
    if free >= DISK_WANTED:
        return Finding("Disk", "ok", text)
    state = "failure" if free < DISK_NEEDED else "warning"
    return Finding("Disk", state, text, f"Free some (at least {DISK_WANTED / GB:.0f} GB), or name another disk: `tapeline run --root DIR`.")


def check_machine(memory: float, cores: int) -> Finding:
    """`memory` in bytes, and the cores this process may use."""
    text = f"{memory / GB:.1f} GB of memory, {cores} core{'s' if cores != 1 else ''}"
    if memory >= MEMORY_WANTED:
        return Finding("Machine", "ok", text)
    return Finding(
        "Machine", "warning", text, f"Less than {MEMORY_WANTED / GB:.0f} GB of memory: set `trainer.cache: none` for large data."
    )


def check_docker(client: str | None, server: str | None) -> Finding:
    """Optional. Versions of client and daemon; None where one is not there or does not answer."""
    if client is None:
        return Finding("Docker", "warning", "not found (optional)", "Install it to build the pipeline's image.")
    if server is None:
        return Finding(
            "Docker", "warning", f"{client}, the daemon does not answer (optional)", "Start it, or add yourself to the group `docker`."
        )
    return Finding("Docker", "ok", f"{client}, daemon {server}")


def check_kubectl(client: str | None) -> Finding:
    """Optional. The client's version, None where it is not there."""
    if client is None:
        return Finding("kubectl", "warning", "not found (optional)", "Install it to deploy on Kubernetes.")
    return Finding("kubectl", "ok", client)


def locked_versions(lock: str) -> dict[str, str]:
    """The versions that a lock file's text asks for on this machine, by normalized name."""
    requirements = [Requirement(line.rstrip(" \\")) for line in lock.splitlines() if re.match(r"[a-z0-9]", line)]
    wanted = [requirement for requirement in requirements if requirement.marker is None or requirement.marker.evaluate()]
    return {_normalized(requirement.name): next(iter(requirement.specifier)).version for requirement in wanted}


def _examine(environ: Mapping[str, str]) -> Iterator[Finding]:
    with ThreadPoolExecutor() as pool:  # the tools answer while the packages are read
        docker = pool.submit(_output, "docker", "--version")
        daemon = pool.submit(_output, "docker", "version", "--format", "{{.Server.Version}}")
        kubectl = pool.submit(_output, "kubectl", "version", "--client")
        installed = {_normalized(found.name): found.version for found in importlib.metadata.distributions()}
        yield check_python(sys.version_info[:3], sys.executable)
        yield check_tfx(lambda: choose(environ))
        yield check_packages(_lock(environ), installed)
        yield check_keras(installed.get("keras"))
        yield check_settings(environ)
        yield check_disk(*_disk())
        yield check_machine(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), cores())
        yield check_docker(_version(docker.result()), _version(daemon.result()))
        yield check_kubectl(_version(kubectl.result()))


def _lock(environ: Mapping[str, str]) -> str | None:
    try:
        lock = CHECKOUT / choose(environ).lock
    except TapelineError:
        return None  # said by check_tfx
    return lock.read_text(encoding="utf-8") if lock.exists() else None


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=TOOL_TIMEOUT, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _version(output: str) -> str | None:
    match = re.search(r"\d+\.\d+(\.\d+)?", output)
    return match[0] if match else None


def _disk() -> tuple[int | None, str]:
    """What is free in the working folder, in bytes, and its name."""
    try:
        return shutil.disk_usage(".").free, str(Path.cwd())
    except OSError:  # removed while a shell stood in it
        return None, "the working folder"


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _some(what: str, names: list[str]) -> str:
    if not names:
        return ""
    return f"{len(names)} {what}: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"


def _show(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        first, *more = _wrapped(f"{finding.name:9} {finding.text}", 2 + 10)
        console.print(f"{MARKS[finding.state]} {escape(first)}")
        for line in more:
            console.print(escape(line))
        for number, line in enumerate(_wrapped(finding.remedy, 2 + 12)):
            console.print(f"{' ' * 12}[dim]→[/] {escape(line)}" if number == 0 else escape(line))


def _wrapped(text: str, indent: int) -> list[str]:
    """Lines that fit 80 columns, the first of them behind a mark; a word that is longer, such as a path, stays whole."""
    wrapped = textwrap.wrap(text, 80 - indent, break_long_words=False, break_on_hyphens=False, fix_sentence_endings=False)
    return [line if number == 0 else " " * indent + line for number, line in enumerate(wrapped)]
