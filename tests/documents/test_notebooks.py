"""The notebooks in `examples/` are the pages that they are made of, and run from the first cell to the last."""

import json
import pathlib
import re
import runpy

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "notebooks.py"))
NOTEBOOKS = pytest.mark.parametrize("page", SCRIPT["PAGES"])


def test_each_notebook_has_a_page():
    assert {path.name for path in (ROOT / "examples").iterdir()} == {SCRIPT["path"](page).name for page in SCRIPT["PAGES"]}


@NOTEBOOKS
def test_a_notebook_says_what_its_page_says(page):
    assert SCRIPT["path"](page).read_text(encoding="utf-8") == SCRIPT["expected"](page), "run `make docs`"


@NOTEBOOKS
def test_every_cell_runs_after_those_before_it(page):
    cells = json.loads(SCRIPT["path"](page).read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(code) >= 8
    exec(compile("\n".join(code), page, "exec"), {"__name__": "notebook"})  # noqa: S102 - the page is the project's own


@NOTEBOOKS
def test_every_link_of_a_notebook_leads_somewhere(page):
    text = SCRIPT["path"](page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)\\s]+)\)", text) if not link.startswith("http")]
    assert links and all((ROOT / "examples" / link.partition("#")[0]).exists() for link in links)
