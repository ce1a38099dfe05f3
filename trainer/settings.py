"""The base of every config section: frozen, strict, nothing unknown. Sections live beside the code that reads them."""

from typing import Any, Self

import pydantic

FOUND = {"readOnly": True}  # what JSON Schema calls a field that is found in the data, and nobody sets


class Settings(pydantic.BaseModel):
    """One section of the configuration. Fields carry their meaning (`description`) and bounds, which the JSON Schema shows."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The section that `to_json` wrote, checked again: this is how a section crosses a component's boundary."""
        return cls.model_validate_json(text)

    def to_json(self) -> str:
        """The section as JSON with sorted keys, so that equal settings are equal strings (TFX's cache compares them)."""
        import json

        values: dict[str, Any] = self.model_dump(mode="json")
        return json.dumps(values, sort_keys=True)
