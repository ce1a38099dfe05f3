"""Every command that a page tells people to type is typed by a test here, or is listed with the reason why none can."""

import re

import pytest

from tests.documents.commands import NOT_HERE, PROGRAMS, Command, documented, of_page
from tests.documents.sandbox import Sandbox

COMMANDS = documented()
# First what the others stand on; at the end what takes a version away.
TYPED = sorted(
    (command for command in COMMANDS if not command.not_here),
    key=lambda command: (command.text != "make run", command.program != "python", command.program == "mv"),
)


def test_a_command_that_no_test_types_has_its_reason():
    assert [str(command) for command in TYPED if command.language == "sh" and command.program not in PROGRAMS] == []


def test_each_reason_is_some_commands():
    assert [pattern for pattern, _ in NOT_HERE if not any(re.search(pattern, command.text, re.MULTILINE) for command in COMMANDS)] == []


def test_commands_are_found_wherever_a_page_has_them():
    page = """
Type `tapeline doctor --json`, not `tapeline doctor`; `./tapeline x` is a file.

    make check    # an indented block

```sh
export A=b   # a comment
python -c "
print('#')"
for x in 1 2; do
    docker run $x
done
curl a \\
  -d b
```

```console
$ tapeline config check x.yaml
x.yaml: name: Expected a name.
$ tapeline serve
```

```python
import numpy
```
"""
    found = of_page("page.md", page)
    assert [command.text for command in found] == [
        "export A=b",
        "python -c \"\nprint('#')\"",
        "for x in 1 2; do\n    docker run $x\ndone",
        "curl a \\\n  -d b",
        "tapeline config check x.yaml",
        "tapeline serve",
        "import numpy",
        "make check",
        "tapeline doctor --json",
    ]
    assert [command.status for command in found] == [0, 0, 0, 0, 2, 0, 0, 0, 0]
    assert Command("page.md", "A=b .venv/bin/cosign sign").program == "cosign"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    """A checkout in which the digits have been run and pushed, with a picture of one and a server of the model."""
    sandbox = Sandbox(tmp_path_factory.mktemp("documents"))
    try:
        for command in TYPED[:2]:
            done = sandbox.run(command)
            assert done.returncode == 0, done.stdout
        sandbox.prepare()
        yield sandbox
    finally:
        sandbox.close()


@pytest.mark.e2e
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("command", TYPED, ids=str)
def test_a_documented_command_does_what_its_page_says(sandbox, command):
    """In the order of the pages: one command may need what the one before has written."""
    if sandbox.is_server(command):
        sandbox.start(sandbox.filled_in(command.text))
        return
    done = sandbox.run(command)
    assert done.returncode == command.status, done.stdout
