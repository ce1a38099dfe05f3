"""Changes of the reviewed schema by flags or in an editor: the file is replaced by a whole schema, or left as it is.

the file -> the flags' changes, or what a person types -> is it a schema? -> the file, and what has changed in it
"""

import difflib
import math
import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.domains import known_values
from components.drift_thresholds import set_threshold
from pipeline import schema_file
from pipeline.config import PipelineConfig
from serving import whole_file
from trainer.errors import ConfigError, did_you_mean


@dataclass(frozen=True)
class Changes:
    """What the flags ask for: `COLUMN=VALUE`, `COLUMN=MIN:MAX`, `COLUMN`, `COLUMN=THRESHOLD`."""

    values: Sequence[str] = ()
    ranges: Sequence[str] = ()
    optional: Sequence[str] = ()
    drift: Sequence[str] = ()
    skew: Sequence[str] = ()

    def __bool__(self) -> bool:
        """Whether there are any."""
        return any((self.values, self.ranges, self.optional, self.drift, self.skew))


def edit(config: PipelineConfig, changes: Changes, environ: Mapping[str, str]) -> list[str]:
    """Changes the file that `schema.path` names, and returns the lines of the difference; none where nothing has changed.

    Raises:
      ConfigError: a flag names no column, or no value that fits it; no editor is known; what was typed is no schema.
    """
    schema, file = schema_file.read(config), schema_file.place(config)
    before = file.read_text(encoding="utf-8")
    after = text_format.MessageToString(_changed(schema, changes), as_utf8=True) if changes else _typed(file, before, environ)
    # The file may have been written by hand: comparing it with protobuf's own layout would show every line.
    shown = text_format.MessageToString(schema_file.parsed(before), as_utf8=True) if changes else before
    lines = list(difflib.unified_diff(shown.splitlines(), after.splitlines(), "before", "after", lineterm="", n=4))
    if lines:
        whole_file.write(file, after)
    return lines


def _changed(schema: schema_pb2.Schema, changes: Changes) -> schema_pb2.Schema:
    for column, value in _parts(changes.values, schema, "--add-value", "VALUE"):
        _add_value(column, value, schema)
    for column, value in _parts(changes.ranges, schema, "--range", "MIN:MAX"):
        _set_range(column, value)
    for name in changes.optional:
        column = _column(name, schema, "--optional")
        column.ClearField("presence")
        if column.HasField("shape"):  # which demands a value in each row
            column.value_count.max = 1  # takes the shape's place
        elif column.HasField("value_count"):
            column.value_count.ClearField("min")  # a row without a value has an empty list
    for flag, given in (("drift", changes.drift), ("skew", changes.skew)):
        for column, value in _parts(given, schema, f"--{flag}", "THRESHOLD"):
            threshold = _number(value, f"--{flag} {column.name}")
            if not 0 <= threshold <= 1:
                raise ConfigError(f"--{flag} {column.name}: Expected a threshold from 0 to 1; 1 never warns. Received: {value}.")
            set_threshold(getattr(column, f"{flag}_comparator"), threshold, _has_shares(column))
    return schema


def _has_shares(column: schema_pb2.Feature) -> bool:
    """Whether its thresholds are of shares: those that it has say so, and its type where it has none."""
    for comparator in (column.drift_comparator, column.skew_comparator):
        if comparator.HasField("jensen_shannon_divergence"):
            return False
    return column.type == schema_pb2.BYTES


def _add_value(column: schema_pb2.Feature, value: str, schema: schema_pb2.Schema) -> None:
    known = known_values(column, schema)
    domain = column.WhichOneof("domain_info")
    if domain not in ("domain", "string_domain"):
        raise ConfigError(f"--add-value {column.name}: Expected a column whose values the schema lists. Received: one of any values.")
    if value in known:
        return
    if domain == "string_domain":
        column.string_domain.value.append(value)
    else:
        next(each for each in schema.string_domain if each.name == column.domain).value.append(value)


def _set_range(column: schema_pb2.Feature, value: str) -> None:
    low, colon, high = value.partition(":")
    if not colon:
        raise ConfigError(f"--range {column.name}: Expected MIN:MAX, of which one may be empty. Received: '{value}'.")
    if column.type not in (schema_pb2.INT, schema_pb2.FLOAT):
        raise ConfigError(f"--range {column.name}: Expected a column of numbers. Received: one of texts.")
    is_whole = column.type == schema_pb2.INT
    least, most = (_number(part, f"--range {column.name}") if part else None for part in (low, high))
    if least is not None and most is not None and least > most:
        raise ConfigError(f"--range {column.name}: Expected the least value first. Received: '{value}'. Did you mean '{high}:{low}'?")
    domain = schema_pb2.IntDomain() if is_whole else schema_pb2.FloatDomain()
    for name, bound in (("min", least), ("max", most)):
        if bound is not None:
            if is_whole and bound != int(bound):
                raise ConfigError(f"--range {column.name}: Expected whole numbers. Received: '{value}'.")
            setattr(domain, name, int(bound) if is_whole else bound)
    (column.int_domain if is_whole else column.float_domain).CopyFrom(domain)


def _parts(given: Iterable[str], schema: schema_pb2.Schema, flag: str, what: str) -> list[tuple[schema_pb2.Feature, str]]:
    """Each `COLUMN=VALUE` as its column and the rest; a column's name may have `=` itself."""
    found = []
    for text in given:
        names = [feature.name for feature in schema.feature if text.startswith(f"{feature.name}=")]
        name = max(names, key=len, default=text.partition("=")[0])
        if "=" not in text:
            raise ConfigError(f"{flag}: Expected COLUMN={what}. Received: '{text}'.")
        found.append((_column(name, schema, flag), text[len(name) + 1 :]))
    return found


def _column(name: str, schema: schema_pb2.Schema, flag: str) -> schema_pb2.Feature:
    for feature in schema.feature:
        if feature.name == name:
            return feature
    near = did_you_mean(name, [feature.name for feature in schema.feature])
    raise ConfigError(f"{flag}: Expected a column of the schema. Received: '{name}'.{near}")


def _number(text: str, flag: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError(f"{flag}: Expected a number. Received: '{text}'.")
    return number


def _typed(file: Path, text: str, environ: Mapping[str, str]) -> str:
    """What a person makes of it in their editor. What is no schema is kept beside the file, so that no work is lost."""
    editor = environ.get("VISUAL") or environ.get("EDITOR")
    if not editor:
        raise ConfigError(
            "Expected a change, like --add-value COLUMN=VALUE, or an editor in EDITOR. Received: neither. --help shows the flags."
        )
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / file.name
        copy.write_text(text, encoding="utf-8")
        try:
            status = subprocess.run([*shlex.split(editor), os.fspath(copy)], check=False).returncode
            typed = copy.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"Expected an editor that can be started. Received: '{editor}': {error.strerror}. Set EDITOR.") from None
    if status:
        raise ConfigError(f"Expected the editor to end with 0. Received: {status} from '{editor}'. Nothing was changed.")
    try:
        schema_file.parsed(typed)
    except ValueError as error:
        kept = file.with_name(f"{file.name}.edited")
        whole_file.write(kept, typed)
        raise ConfigError(
            f"Expected a schema, a Schema proto as text. Received: {str(error).rstrip('.')}. "
            f"'{file}' is as it was; what was typed is in '{kept}'."
        ) from None
    return typed
