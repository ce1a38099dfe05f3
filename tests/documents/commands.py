"""The commands that the documents for readers tell people to type, and those of them that no test can type here.

pages -> code blocks of a shell, lines after `$ `, blocks of Python, indented blocks, code in the prose that has arguments -> `Command`
"""

import dataclasses
import re
import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path.relative_to(CHECKOUT).as_posix()
    for path in [
        *CHECKOUT.glob("README*.md"),
        CHECKOUT / "CONTRIBUTING.md",
        CHECKOUT / "k8s" / "README.md",
        *(CHECKOUT / "docs").glob("*.md"),
    ]
)
PROGRAMS = ["tapeline", "make", "python", "pip", "curl", "tensorboard", "du", "tail", "mv", "status=$?"]  # what the tests type
OTHERS = ["pytest", "docker", "kubectl", "gcloud", "kind", "git", "helm", "sudo", "apt", "apt-get", "uv"]  # told from prose by their names
NOT_HERE = [
    (r"\b(gcloud|kubectl|docker|kind)\b|^export |my-project", "needs Google Cloud, a cluster or a Docker engine"),
    (r"tapeline kubeflow (submit|schedule|status|logs|terminate)\b", "needs a Kubeflow Pipelines: tests/pipeline/kubeflow/test_submit.py"),
    (r"tapeline release (status|promote|rollback)\b", "needs a cluster's ConfigMap: tests/pipeline/release, there also with a file"),
    (r"tapeline-serving-grpc", "needs a cluster's name server: tests/serving/test_client_connection.py"),
    (r"tapeline tune CONFIG$", "needs a config with `tuner`: tests/e2e/test_tuned.py"),
    (r"make (test|test-all)$|\bpytest tests/", "would run these tests inside themselves"),
    (r"make test-next$", "makes a Debian root, and runs `make test` there"),
    (r"make image", "needs a Docker engine: scripts/test_image.sh"),
    (r"make bench", "measures for half an hour"),
    (r"data\.path=MNIST ", "needs MNIST's files, and trains for a quarter of an hour"),
    (r"make lock", "resolves against a package index: tests/test_setup.py looks at what it has made"),
    (r"make tfjs$", "needs npm and its index: where it was run, tests/trainer/export/test_tfjs.py uses what it installed"),
    (
        r"uv pip install .* tf2onnx ",
        "needs a package index: where it was run, tests/trainer/export/test_converted.py uses what it installed",
    ),
    (r"make clean$", "removes the environment in which the tests run"),
    (r"pip install '\.\[client\]'$", "needs a package index: scripts/test_client.sh, which `make test-next` runs"),
    (r"python -m pipeline\.kubeflow\.step$", "gets its arguments from Kubeflow Pipelines: tests/pipeline/kubeflow/test_step.py"),
    (
        r"python -m trainer\.worker FN_ARGS\.json$",
        "needs what TFX hands the Trainer, and the other workers: tests/trainer/test_multi_worker.py",
    ),
]
_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"^    (\S.*)$", re.MULTILINE)
_TYPED = re.compile(rf"(?:\.venv/bin/)?({'|'.join(map(re.escape, PROGRAMS + OTHERS))}) ")


@dataclasses.dataclass(frozen=True)
class Command:
    """What a page says to type.

    Attributes:
      page: the page that says so first, relative to the checkout.
      text: of a shell, or a block of Python.
      language: `sh` or `python`.
      shown: what the page says that it answers; empty where it says nothing.
    """

    page: str
    text: str
    language: str = "sh"
    shown: str = ""

    def __str__(self) -> str:
        return f"{self.page}: {self.text.splitlines()[0][:60]}"

    @property
    def program(self) -> str:
        """The first word, without the folder of `.venv` and variables before it."""
        words = [word for word in self.text.split() if not re.match(r"[A-Z_]+=", word)]
        return words[0].removeprefix(".venv/bin/") if words else ""

    @property
    def not_here(self) -> str | None:
        """Why no test runs it, or None where one does."""
        return next((reason for pattern, reason in NOT_HERE if re.search(pattern, self.text, re.MULTILINE)), None)

    @property
    def status(self) -> int:
        """With what it ends, as the page shows."""
        if "Refused: " in self.shown:
            return 3
        if "Anomalies: " in self.shown:
            return 4
        return 2 if re.match(r"\S+: .*Expected ", self.shown) else 0


def documented() -> list[Command]:
    """Every command of every page, each once, in the order in which a reader meets them."""
    found = {}
    for page in sorted(PAGES, key=lambda page: (page != "README.md", page.endswith(".ja.md"), page)):
        for command in of_page(page, (CHECKOUT / page).read_text(encoding="utf-8")):
            found.setdefault((command.language, command.text), command)
    return list(found.values())


def of_page(page: str, text: str) -> list[Command]:
    """The commands of one page."""
    commands = []
    for _, language, body in _BLOCK.findall(text):
        if language == "python":
            commands.append(Command(page, body.strip(), "python"))
        elif language == "console":
            typed = re.findall(r"^\$ (.+)\n?((?:(?!\$ ).*\n)*)", body, re.MULTILINE)
            commands += [Command(page, command, shown=shown) for command, shown in typed]
        elif language == "sh":
            commands += [Command(page, statement) for statement in statements(body)]
    prose = _BLOCK.sub("", text)
    commands += [
        Command(page, statement) for line in _INDENTED.findall(prose) for statement in statements(line) if _TYPED.match(line + " ")
    ]
    for code in re.findall(r"`([^`\n]+)`", prose):
        is_whole = not re.fullmatch(r"tapeline [a-z ]+|\w+", code)  # else it is only a name: tests/test_readme.py
        if _TYPED.match(code) and is_whole:
            commands.append(Command(page, code.replace(r"\|", "|")))
    return commands


def statements(script: str) -> list[str]:
    """A shell script cut where the shell takes what it has read for whole; without comments at the ends."""
    found, open_ = [], ""
    for line in script.splitlines():
        open_ += line + "\n"
        if not line.endswith("\\") and _is_whole(open_):
            found.append(re.sub(r"\s+# .*$", "", open_.strip()))
            open_ = ""
    if open_.strip():
        found.append(open_.strip())
    return [statement for statement in found if statement and not statement.startswith("#")]


def _is_whole(script: str) -> bool:
    if not re.search(r"""["'`(){}]|\b(for|if|while|do|case)\b|<<""", script):
        return True  # without asking the shell, which takes milliseconds
    return subprocess.run(["bash", "-n", "-c", script], capture_output=True).returncode == 0
