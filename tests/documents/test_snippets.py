"""The Python of the pages that teach runs as it stands, block after block."""

import pathlib
import re

import pytest

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", ["fit-and-gradient-tape.md"])
def test_every_block_runs_after_those_before_it(page):
    blocks = _BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))
    assert len(blocks) >= 8
    code = "\n".join(blocks)
    exec(compile(code, page, "exec"), {"__name__": "page"})  # noqa: S102 - the page is the project's own
