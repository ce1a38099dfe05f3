"""Reads YAML that comes from outside: config files, `--set`, parameters, compiled packages.

text -> nodes -> aliases counted as if they were written out -> plain values
"""

import math
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from trainer.errors import ConfigError

_MOST = 1_000_000  # characters and values, once aliases are written out; a text without aliases may have as many as it has


class NotYaml(ValueError):
    """The text is no YAML; the message is one line that says where."""


class _Constructor(SafeConstructor):
    """Keys as they are written: every key is a name, `8` and `null` too. One that stands twice is refused."""

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[str, Any]:
        """See the base class."""
        for key, _ in node.value:
            if not isinstance(key, ScalarNode):  # `name: {{ name }}`, a template that nobody has filled in
                raise _WrongKey(key.start_mark.line + 1, f"Expected each key to be a plain value. Received: a {key.id}.")
            key.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep)

    def check_mapping_key(self, node: Node, key_node: Node, mapping: Any, key: Any, value: Any) -> bool:
        """See the base class, whose message has four lines."""
        if key in mapping:
            raise _WrongKey(key_node.start_mark.line + 1, f"Expected each key once. Received: '{key}' twice.")
        return True


class _WrongKey(Exception):
    """The line it stands in, and what is wrong with it."""


def from_yaml(text: str, name: str) -> Any:
    """The value of a YAML text that errors call `name`, None where it is empty.

    Raises:
      NotYaml: it cannot be read, or has several documents. ConfigError: a key is wrong, or aliases make it too large.
    """
    values = list(documents(text, name))
    if len(values) > 1:
        raise NotYaml("expected one document, received several, divided by `---`")
    return values[0] if values else None


def documents(text: str, name: str) -> Iterator[Any]:
    """The value of each document of a YAML text; arguments and errors are those of `from_yaml`."""
    reader = YAML(typ="safe", pure=True)
    reader.Constructor = _Constructor
    try:
        for node in reader.compose_all(text):
            if _size(node, {}) > max(_MOST, 2 * len(text)):
                raise ConfigError(
                    f"{name}: Expected at most {_MOST:,} values and characters once its aliases (`*name`) are written out. Received: more. "
                    "Write out what is meant, without aliases."
                )
            yield reader.constructor.construct_document(node)
    except _WrongKey as error:
        raise ConfigError(f"{name}:{error.args[0]}: {error.args[1]}") from None
    except YAMLError as error:
        raise NotYaml(" ".join(str(error).split())) from None
    except (ValueError, AttributeError, TypeError, RecursionError) as error:  # what a tag stumbles over: `2024-13-45`, `!!int x`
        raise NotYaml(f"{type(error).__name__}: {error}") from None


def _size(node: Node, known: dict[int, float]) -> float:
    """Values and characters below `node` with its aliases written out; counted once for each node, however often it is meant."""
    if id(node) not in known:
        known[id(node)] = math.inf  # while it is counted: for a node that holds itself
        if isinstance(node, ScalarNode):
            known[id(node)] = 1 + len(node.value)
        else:
            parts = node.value if isinstance(node, SequenceNode) else [part for pair in node.value for part in pair]
            known[id(node)] = 1 + sum(_size(part, known) for part in parts)
    return known[id(node)]
