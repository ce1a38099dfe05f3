"""Reads YAML that comes from outside: config files, `--set`, parameters, compiled packages.

text -> nodes -> aliases counted as if they were written out -> plain values
"""

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

from trainer.errors import ConfigError

_MOST = 1_000_000  # characters and values, once aliases are written out; a text without aliases may have as many as it has


class NotYaml(ValueError):
    """The text is no YAML; the message is one line that says where."""


class _Loader(yaml.SafeLoader):
    """YAML as people write it: `1e-3` is a number (YAML 1.2), and a key that stands twice is refused."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$"),
    list("-+0123456789."),
)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        where = f"{loader.name}:{key_node.start_mark.line + 1}"
        if not isinstance(key_node, yaml.ScalarNode):  # `name: {{ name }}`, a template that nobody has filled in
            raise ConfigError(f"{where}: Expected each key to be a plain value. Received: a {key_node.id}.")
        key = key_node.value  # as written: every key is a name, `8` and `null` too
        if key in values:
            raise ConfigError(f"{where}: Expected each key once. Received: '{key}' twice.")
        values[key] = loader.construct_object(value_node, deep=True)
    return values


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


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
    try:
        loader = _Loader(text)
        loader.name = name
        while loader.check_node():
            node = loader.get_node()
            if _size(node, {}) > max(_MOST, 2 * len(text)):
                raise ConfigError(
                    f"{name}: Expected at most {_MOST:,} values and characters once its aliases (`*name`) are written out. Received: more. "
                    "Write out what is meant, without aliases."
                )
            yield loader.construct_document(node)
    except yaml.YAMLError as error:
        raise NotYaml(" ".join(str(error).split())) from None
    except (ValueError, AttributeError, TypeError, RecursionError) as error:  # PyYAML's own slips: `2024-13-45`, `!!int x`, 3,000 brackets
        raise NotYaml(f"{type(error).__name__}: {error}") from None


def _size(node: yaml.Node, known: dict[int, float]) -> float:
    """Values and characters below `node` with its aliases written out; counted once for each node, however often it is meant."""
    if id(node) not in known:
        known[id(node)] = math.inf  # while it is counted: for a node that holds itself
        if isinstance(node, yaml.ScalarNode):
            known[id(node)] = 1 + len(node.value)
        else:
            parts = node.value if isinstance(node, yaml.SequenceNode) else [part for pair in node.value for part in pair]
            known[id(node)] = 1 + sum(_size(part, known) for part in parts)
    return known[id(node)]
