"""Brings `.venv` up to date with the lock file of this platform; at once where it is already. Runs on plain Python 3.11.

fingerprint = hash of the lock, the build lock, setup.py and the place
where .venv carries another fingerprint: uv, brought if missing -> empty .venv -> locked packages -> the project itself
the fingerprint is written last, so that a set-up killed half-way is never believed
"""

import contextlib
import fcntl
import hashlib
import os
import re
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pipeline.tfx_platform import TfxPlatform, choose  # noqa: E402 - the checkout is not installed yet
from scripts import progress  # noqa: E402 - the same
from trainer.errors import TapelineError  # noqa: E402 - the same

VENV = ROOT / ".venv"
TOOLS = ROOT / ".tools"
STAMP = VENV / "tapeline-fingerprint"
BUILD_LOCK = ROOT / "requirements-build.lock"
CERTIFICATES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"]  # Debian, Fedora, macOS
UV_LOCK = ROOT / "requirements-uv.lock"


def main() -> int:
    """Leaves a complete `.venv` and says which TFX was picked and why; `--uv` only brings uv, it and `--python` print a path."""
    try:
        match sys.argv[1:]:
            case ["--python"]:
                print(sys.executable)
            case ["--uv"]:
                with one_at_a_time():
                    print(find_or_bring_uv())
            case _:
                platform = choose()
                print(f"TFX {platform.tfx}: {platform.reason}", file=sys.stderr)
                bring_up_to_date(platform)
    except TapelineError as error:
        print(f"make: {error}", file=sys.stderr)
        return error.exit_status
    return 0


def bring_up_to_date(platform: TfxPlatform) -> None:
    """Builds `.venv` anew unless it carries the fingerprint of what it is made from."""
    fingerprint = fingerprint_of(platform)
    if is_complete(fingerprint):
        return
    with one_at_a_time():
        if not is_complete(fingerprint):  # another call may have built it meanwhile
            began = time.monotonic()
            build(platform)
            STAMP.write_text(fingerprint)
            say(f".venv is ready ({time.monotonic() - began:.0f} s)")


def fingerprint_of(platform: TfxPlatform) -> str:
    """A hash of everything that `.venv` is made from, and of its place, since its scripts name it."""
    sources = [ROOT / platform.lock, BUILD_LOCK, ROOT / "setup.py"]
    parts = [str(ROOT).encode(), *(path.read_bytes() for path in sources)]
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def is_complete(fingerprint: str) -> bool:
    """Whether `.venv` was built from these sources, to its end, and its Python is still there."""
    return STAMP.exists() and STAMP.read_text() == fingerprint and (VENV / "bin" / "python").exists()


def build(platform: TfxPlatform) -> None:
    """An empty `.venv`, then the locked packages, then the project itself, with nothing that is not pinned and hashed."""
    uv = find_or_bring_uv()
    environ = uv_environment(os.environ, pip_settings())
    STAMP.unlink(missing_ok=True)
    say(f"creating .venv from {platform.lock} (3 GB)")
    venv.create(VENV, clear=True, symlinks=True, with_pip=False)
    python = ["--python", str(VENV / "bin" / "python")]
    pinned_builds = ["--preview-features", "build-dependency-hashes", "--build-constraints", str(BUILD_LOCK), "--require-build-hashes"]
    # Compiled now, once: where PYTHONDONTWRITEBYTECODE is set, as in many containers, every start would compile 8,000 modules, 12 s.
    sync = [uv, "pip", "sync", "--compile-bytecode", "--require-hashes", *pinned_builds, *python, str(ROOT / platform.lock)]
    call(sync, environ, "reading the lock")
    project = ["--no-deps", "--no-build-isolation", "--config-setting", "editable_mode=compat", "--editable", str(ROOT)]
    call([uv, "pip", "install", "--quiet", *project, *python], environ, "installing the project itself")


def find_or_bring_uv() -> str:
    """The path of a uv at least as new as the pinned one: the one on PATH, or the project's own, installed by pip with hashes.

    Raises:
        TapelineError: This Python has neither venv nor a pip to bring uv with, or the package index does not answer.
    """
    wanted = pinned_uv()
    own = TOOLS / "uv" / "bin" / "uv"
    for uv in (str(own), "uv"):
        if uv_version(uv) >= wanted:
            return uv
    say(f"bringing uv {'.'.join(map(str, wanted))} into .tools")
    try:
        import ensurepip  # noqa: F401 - Debian leaves it out of python3.11, and venv then fails with ten lines
    except ImportError:
        raise TapelineError(
            f"Expected uv on PATH, or a Python that can install it. Received: {sys.executable}, which has no ensurepip. "
            "Install it (apt install python3.11-venv), then make again."
        ) from None
    venv.create(TOOLS / "uv", clear=True, symlinks=True, with_pip=True)
    pip = [str(TOOLS / "uv" / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    call(
        [*pip, "install", "--quiet", "--only-binary", ":all:", "--no-deps", "--require-hashes", "-r", str(UV_LOCK)],
        pip_environment(os.environ, pip_settings()),
        "bringing uv",
    )
    return str(own)


def pinned_uv() -> tuple[int, ...]:
    """The version in requirements-uv.lock."""
    match = re.search(r"^uv==([\d.]+)", UV_LOCK.read_text(), re.MULTILINE)
    if not match:
        raise TapelineError(f"Expected a line `uv==VERSION` in {UV_LOCK.name}. Received: none. Restore the file, or run `make lock`.")
    return tuple(map(int, match[1].split(".")))


def uv_version(uv: str) -> tuple[int, ...]:
    """The version that `uv --version` prints; empty where it does not run."""
    try:
        answer = subprocess.run([uv, "--version"], capture_output=True, text=True, timeout=60).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    match = re.match(r"uv (\d+)\.(\d+)\.(\d+)", answer)
    return tuple(map(int, match.groups())) if match else ()


def pip_settings() -> dict[str, str]:
    """The `index-url` and `cert` that the user set for pip, by file or by variable, as far as there is a pip to ask."""
    own = TOOLS / "uv" / "bin" / "python"
    pip = [str(own if own.exists() else sys.executable), "-m", "pip", "--disable-pip-version-check", "config", "list"]
    answer = subprocess.run(pip, capture_output=True, text=True).stdout
    # Lines as `global.index-url='https://...'`; pip lists the variables' last, and they win.
    return dict(re.findall(r"^(?:global|:env:|install)\.(index-url|cert)='(.*)'$", answer, re.MULTILINE))


def pip_environment(environ: Mapping[str, str], pip: Mapping[str, str]) -> dict[str, str]:
    """The environment for pip: the system's certificates, which pip before 24.2 does not look at by itself."""
    if pip.get("cert") or "REQUESTS_CA_BUNDLE" in environ:
        return dict(environ)
    bundles = [path for path in (environ.get("SSL_CERT_FILE", ""), *CERTIFICATES) if Path(path).is_file()]
    return {**environ, "PIP_CERT": bundles[0]} if bundles else dict(environ)


def uv_environment(environ: Mapping[str, str], pip: Mapping[str, str]) -> dict[str, str]:
    """The environment for uv: the user's own settings win; what is set for pip alone holds for uv too.

    pip's extra indexes and find-links are left out: uv takes a package from the first index that has it in any version, so a
    partial mirror would hide the locked one.
    """
    uv = dict(environ)
    if pip.get("index-url") and not {"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & uv.keys():
        uv["UV_DEFAULT_INDEX"] = pip["index-url"]
    if pip.get("cert"):
        uv.setdefault("SSL_CERT_FILE", pip["cert"])
    uv.setdefault("UV_SYSTEM_CERTS", "1")  # a company's certificate is in the system's store, not in uv's own
    uv.setdefault("UV_HTTP_TIMEOUT", "120")  # seconds; TensorFlow's wheel alone is 600 MB
    uv["UV_PYTHON_DOWNLOADS"] = "never"
    if not has_home(uv):
        uv.setdefault("UV_CACHE_DIR", str(TOOLS / "cache"))
    return uv


def has_home(environ: Mapping[str, str]) -> bool:
    """Whether uv can keep its cache where it usually does."""
    home = environ.get("XDG_CACHE_HOME") or environ.get("HOME")
    return bool(home) and os.access(home, os.W_OK)


def call(command: list[str], environ: Mapping[str, str], doing: str) -> None:
    """Runs one step of the set-up; its own output says what went wrong, and a line now and then what it is `doing`.

    Raises:
        TapelineError: It failed.
    """
    if progress.run(command, environ, doing):
        raise TapelineError(
            f"`{Path(command[0]).name} {' '.join(command[1:3])}` failed, see above; nothing half-made will be used. Check the network, the "
            "package index (PIP_INDEX_URL or UV_DEFAULT_INDEX names another one) and the free disk, then make again."
        )


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Holds the checkout's set-up lock; the system releases it when the process ends, however it ends."""
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another make that is setting up")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(text: str) -> None:
    """One line of progress."""
    print(f"make: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
