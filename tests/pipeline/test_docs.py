"""The reference of settings says what there is."""

import runpy
from pathlib import Path

from pipeline import config

CHECKOUT = Path(__file__).resolve().parents[2]


def test_the_reference_of_settings_is_what_the_fields_say():
    page = runpy.run_path(str(CHECKOUT / "scripts" / "settings_page.py"))["page"]
    made = page(config.json_schema())
    assert (CHECKOUT / "docs" / "settings.md").read_text(encoding="utf-8") == made, "run `make docs`"
    assert [path for path in config.field_paths() if f"| `{path}` |" not in made] == []
