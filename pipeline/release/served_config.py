"""The served model config, a ModelServerConfig as text: which versions of a model are listed, its labels, and what `stable` was before.

text -> ServedConfig -> ServedModel (a value) -> plan -> text with that one model replaced

What `stable` was before is a comment, so that it lives and is swapped with the text, in a file and in a ConfigMap alike:
    # tapeline-release: {"mnist": [3, 4]}
Comments at the top stay. The rest is written anew, as protobuf's text format writes it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig

from serving import text_proto
from trainer import json_text
from trainer.errors import ConfigError, did_you_mean

STABLE, CANARY = "stable", "canary"
_HISTORY = re.compile(r"^# tapeline-release: (.*)\n?", re.MULTILINE)
_LONGEST = 200  # characters of a comment that are shown
_EXAMPLE = 'model_config_list { config { name: "digits" base_path: "/models/digits" model_platform: "tensorflow" } }'


@dataclass(frozen=True)
class ServedModel:
    """One model of the config.

    Attributes:
      policy: `latest`, `all` or `specific`.
      versions: what `specific` lists; empty for the other policies.
      labels: label -> version.
      history: what `stable` was before, the last one last.
    """

    name: str
    base_path: str
    policy: str = "specific"
    versions: tuple[int, ...] = ()
    labels: Mapping[str, int] = field(default_factory=dict)
    history: tuple[int, ...] = ()


class ServedConfig:
    """A config's text, read. Raises ConfigError for what is no ModelServerConfig with a list of models; `place` is named in it."""

    def __init__(self, text: str, place: str) -> None:
        self._text, self._place = text, place
        try:
            self._message = text_proto.parse(text, ModelServerConfig())
        except ValueError as error:
            raise ConfigError(f"{place}: Expected a ModelServerConfig, such as {_EXAMPLE}. Received: {error}.") from error
        if not self._message.model_config_list.config:
            raise ConfigError(f"{place}: Expected a ModelServerConfig that lists a model, such as {_EXAMPLE}. Received: no model.")
        self._history = _read_history(text, place)

    def model(self, name: str | None) -> ServedModel:
        """The model of that name, or the only one. Raises ConfigError."""
        entry = self._entry(name)
        history = tuple(self._history.get(entry.name, ()))
        policy = entry.model_version_policy.WhichOneof("policy_choice") or "latest"
        versions = tuple(sorted(set(entry.model_version_policy.specific.versions)))
        return ServedModel(entry.name, entry.base_path, policy, versions, dict(entry.version_labels), history)

    def text_with(self, model: ServedModel) -> str:
        """The text in which `model` (policy `specific`) has taken its namesake's place."""
        message = ModelServerConfig()
        message.CopyFrom(self._message)
        entry = next(entry for entry in message.model_config_list.config if entry.name == model.name)
        entry.model_version_policy.Clear()
        entry.model_version_policy.specific.versions.extend(model.versions)
        entry.version_labels.clear()
        entry.version_labels.update(model.labels)
        history = {**self._history, model.name: list(model.history)}
        kept = {name: versions for name, versions in history.items() if versions}
        comment = f"# tapeline-release: {json.dumps(kept)}\n" if kept else ""
        return _comments_at_the_top(self._text) + comment + text_format.MessageToString(message, as_utf8=True)

    def _entry(self, name: str | None) -> ModelConfig:
        entries = {entry.name: entry for entry in self._message.model_config_list.config}
        if name is None and len(entries) == 1:
            return next(iter(entries.values()))
        if name is None:
            raise ConfigError(f"{self._place}: Expected --model_name, because there are several models: {', '.join(entries)}.")
        if name not in entries:
            raise ConfigError(
                f"{self._place}: Expected --model_name to be one of {', '.join(entries)}. Received: '{name}'.{did_you_mean(name, entries)}"
            )
        return entries[name]


def _read_history(text: str, place: str) -> dict[str, Sequence[int]]:
    found = _HISTORY.search(text)
    if not found:
        return {}
    try:
        history = json_text.loads(found[1])
        if all(type(version) is int for versions in history.values() for version in versions):
            return history
    except (ValueError, AttributeError, TypeError):
        pass
    line = found[0].strip()
    shown = line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."
    raise ConfigError(
        f"{place}: Expected the comment to be such as '# tapeline-release: {{\"mnist\": [3, 4]}}', what stable was before. "
        f"Received: '{shown}'. Mend it, or remove the line to forget what there was to roll back to."
    )


def _comments_at_the_top(text: str) -> str:
    lines = _HISTORY.sub("", text).splitlines()
    first = next((index for index, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")), len(lines))
    top = "\n".join(lines[:first]).strip()
    return f"{top}\n" if top else ""
