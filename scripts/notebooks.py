"""Writes `examples/`: the pages that teach as Jupyter notebooks, a cell for each block of Python and for the text between them.

docs/PAGE.md -> text and blocks -> cells -> examples/PAGE.ipynb
"""

import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = ("fit-and-gradient-tape.md", "fit-and-gradient-tape.ja.md")
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def notebook(page: str) -> str:
    """The page's text as a notebook without outputs, the JSON of nbformat 4.5."""
    parts = _BLOCK.split(page)  # text, code, text, ...
    cells = [cell(number, part, is_code=number % 2 == 1) for number, part in enumerate(part.strip("\n") for part in parts) if part.strip()]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return json.dumps(
        {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}, ensure_ascii=False, indent=1
    )


def cell(number: int, text: str, *, is_code: bool) -> dict[str, object]:
    """One cell; links of the text lead from `examples/`."""
    common = {"id": f"cell-{number}", "metadata": {}}
    if is_code:
        return {**common, "cell_type": "code", "execution_count": None, "outputs": [], "source": text.splitlines(keepends=True)}
    return {**common, "cell_type": "markdown", "source": _LINK.sub(lambda link: f"]({moved(link[1])})", text).splitlines(keepends=True)}


def moved(link: str) -> str:
    """A link of a page in `docs/`, from `examples/`."""
    if link.startswith(("../examples/", "#", "http")):
        return link.removeprefix("../examples/")
    if link in PAGES:
        return path(link).name
    return link if link.startswith("../") else f"../docs/{link}"


def path(page: str) -> pathlib.Path:
    """Where the notebook of the page of this name is."""
    return ROOT / "examples" / page.replace(".md", ".ipynb")


def expected(page: str) -> str:
    """What the notebook of the page of this name must hold."""
    return notebook((ROOT / "docs" / page).read_text(encoding="utf-8")) + "\n"


if __name__ == "__main__":
    for name in PAGES:
        path(name).write_text(expected(name), encoding="utf-8")
