"""How a config names the user's own code, `my_steps.py:step`, wherever a name of the project's own may stand as well."""

import re
from typing import Annotated, Any

import pydantic
from pydantic_core import PydanticCustomError

REFERENCE = r"^.+\.py:[A-Za-z_][A-Za-z0-9_]*$"
Reference = Annotated[str, pydantic.Field(pattern=REFERENCE, examples=["FILE.py:NAME"])]


def is_reference(given: Any) -> bool:
    """Whether it is written `FILE.py:NAME`."""
    return isinstance(given, str) and bool(re.fullmatch(REFERENCE, given))


def parts(reference: str) -> tuple[str, str]:
    """The file and the name of a reference."""
    file, _, name = reference.rpartition(":")
    return file, name


def or_reference(names: Any) -> Any:
    """The type of a setting that is one of `names`, a Literal, or a reference; what is neither gets one error, not one for each."""
    listed = pydantic.TypeAdapter(names)

    def check(given: Any) -> Any:
        if is_reference(given):
            return given
        check_near_reference(given)
        return listed.validate_python(given, strict=True)

    return Annotated[names | Reference, pydantic.BeforeValidator(check)]


def check_near_reference(given: Any) -> None:
    """Raises PydanticCustomError where a file is named, but nothing in it."""
    if isinstance(given, str) and ".py" in given and not is_reference(given):
        raise PydanticCustomError("reference", "a file and a name in it, FILE.py:NAME")
