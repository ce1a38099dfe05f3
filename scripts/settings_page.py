"""Writes docs/settings.md, the reference of every setting, from the fields' own descriptions.

JSON Schema of a config file -> a table a section -> Markdown. `make docs` runs it, and a test compares the page with what it gives.
"""

import json
import sys
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent
PAGE = CHECKOUT / "docs" / "settings.md"
_HEAD = """\
# Every setting

*Made from the code by `make docs`: change a field's description, not this page.*

Look up a key of a config file here, section by section. [configuration.md](configuration.md) says
where values come from, and what a mistake looks like.
"""
_TABLE = "| key | type | default | meaning |\n| --- | --- | --- | --- |"
_REQUIRED = "required"
Schema = dict[str, Any]


def page(schema: Schema) -> str:
    """The page of a config file's JSON Schema."""
    required = schema["required"]
    plain = [
        _row(key, field, _default(key, field, required))
        for key, field in schema["properties"].items()
        if not _section(field, schema) and not _kinds(field, schema)
    ]
    parts = [_HEAD, "\n".join(["## The use case", "", _TABLE, *plain, ""])]
    for key, field in schema["properties"].items():
        section = _section(field, schema)
        kinds = _kinds(field, schema)
        if kinds:
            parts.append("\n".join([f"## `{key}`", "", _TABLE, _row(key, field, field.get("default")), ""]))
            parts += [_kind_part(key, kind, schema) for kind in kinds]
        elif section:
            about = field.get("description") or section["description"]
            parts.append("\n".join([f"## `{key}`", "", about, "", _TABLE, *_rows(key, section, field.get("default"), schema), ""]))
            inner_kinds = {f"{key}.{name}": _kinds(inner, schema) for name, inner in section["properties"].items()}
            parts += [_kind_part(name, kind, schema) for name, kinds in inner_kinds.items() for kind in kinds]
    return "\n".join(parts)


def _kind_part(key: str, kind: Schema, schema: Schema) -> str:
    """What can be set of one kind of a field that has several."""
    name = kind["properties"]["kind"]["const"]
    own = {**kind, "properties": {inner: field for inner, field in kind["properties"].items() if inner != "kind"}}
    head = [f"### `{key}`: `{name}`", "", kind["description"].partition("\n")[0], ""]
    return "\n".join([*head, *([_TABLE, *_rows(name, own, None, schema), ""] if own["properties"] else [])])


def _rows(prefix: str, section: Schema, section_default: Any, schema: Schema) -> list[str]:
    """A row a setting. What the section's own default says of a setting wins over the setting's default."""
    rows = []
    defaults = section_default if isinstance(section_default, dict) else {}
    for name, field in section["properties"].items():
        if field.get("readOnly"):
            continue
        key, inner = f"{prefix}.{name}", _section(field, schema)
        default = defaults.get(name, _default(name, field, section.get("required", [])))
        if inner:
            may_be_null = any(option.get("type") == "null" for option in field.get("anyOf", []))
            about = "none" if default is None else "as below"
            rows.append(f"| `{key}` | section{', or `null`' if may_be_null else ''} | {about} | {field['description']} |")
            rows += _rows(key, inner, default, schema)
        else:
            rows.append(_row(key, field, default))
            each = _section(field.get("items", {}), schema)
            rows += _rows(f"{key}[]", each, None, schema) if each else []
    return rows


def _default(name: str, field: Schema, required: list[str]) -> Any:
    return _REQUIRED if name in required else field.get("default")


def _row(key: str, field: Schema, default: Any) -> str:
    shown = default if isinstance(default, str) else json.dumps(default, ensure_ascii=False)
    cells = (f"`{key}`", _kind(field), "required" if default is _REQUIRED else f"`{shown}`", field["description"])
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _section(field: Schema, schema: Schema) -> Schema | None:
    """The section that a field stands for, None where it is a plain setting."""
    for option in (field, *field.get("anyOf", []), *field.get("allOf", [])):
        if "$ref" in option:
            found = schema["$defs"][option["$ref"].rpartition("/")[2]]
            return found if "properties" in found else next(inner for inner in found["anyOf"] if "properties" in inner)
    return None


def _kinds(field: Schema, schema: Schema) -> list[Schema]:
    """The sections of which a field, or each value of a mapping, is one by its `kind`; empty for other fields."""
    options = [field, *field.get("anyOf", [])]
    values = field.get("additionalProperties")
    found = [option["$ref"] for one in options for option in one.get("oneOf", [])]
    return [schema["$defs"][name.rpartition("/")[2]] for name in found] or (_kinds(values, schema) if isinstance(values, dict) else [])


def _kind(field: Schema) -> str:
    """The type and bounds of a plain setting, in words."""
    if "oneOf" in field or "$ref" in field:
        return "section"
    if "anyOf" in field:
        return ", or ".join("`null`" if option.get("type") == "null" else _kind(option) for option in field["anyOf"])
    if "enum" in field or "const" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    match field["type"]:
        case "array" if "prefixItems" in field:
            return f"{len(field['prefixItems'])} of: {_kind(field['prefixItems'][0])}"
        case "array":
            return f"list of {_kind(field['items'])}"
        case "object":
            values = field.get("additionalProperties") or next(iter(field["patternProperties"].values()))
            return f"mapping to: {_kind(values)}"
        case "string" if "examples" in field:
            return f"`{field['examples'][0]}`"
        case "string":
            return f"text like `{field['pattern']}`" if "pattern" in field else "text"
        case "boolean":
            return "`true`, `false`"
    return f"{field['type']}{_bounds(field)}"


def _bounds(field: Schema) -> str:
    words = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    return "".join(
        f", {word} {field[name]:{',d' if isinstance(field[name], int) else ',g'}}" for name, word in words.items() if name in field
    )


if __name__ == "__main__":
    sys.path.insert(0, str(CHECKOUT))
    from pipeline import config

    PAGE.write_text(page(config.json_schema()), encoding="utf-8")
