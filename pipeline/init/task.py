"""What is to be learnt of the label: two values are `binary`, words and few whole numbers `multiclass`, all else `regression`.

Where cells hold several words that come back, it is `multilabel`.

The bounds are AutoGluon's, but for whole numbers of which many stand in one row only: those are amounts, such as a day's rentals.
"""

import re
from typing import NamedTuple

import pyarrow.compute as pc

from components.example_gen import separated
from pipeline.init.column import Column
from trainer.errors import ConfigError, shortened

MOST_CLASSES = 1000
_MANY_ROWS = 1000
_FEW_VALUES, _FEW_VALUES_OF_MANY = 0.1, 0.05  # shares of different whole numbers up to which they are classes
_CODES = 20  # different whole numbers that may be classes, however rare some of them are
_SINGLE = 0.05  # share of more than those from which on, where they stand in one row only, the label is an amount: classes come back
_MOST_WORDS = 0.5  # share of different words from which on they are no classes
_LEAST_ROWS = 30
_UNBALANCED = 0.8
_SEPARATORS = (";", "|", ",")
_SEPARATED = 0.05  # least share of the values that have several labels
_COME_BACK = 3  # how often a label is there on average, at least
_SHARED = 1.5  # in how many different values a label is on average, at least
_LONGEST = 40  # characters of a label
_POSITIVE = re.compile(
    r"(?i)1(\.0*)?|true|t|yes|y|ja|wahr|oui|vrai|sí|sì|sim|tak|ano|是|positive|pos|spam|fraud|churn(ed)?|malignant|abnormal|anomaly|defect(ive)?|fail(ed|ure)?|sick|ill|dead|died|deceased|default(ed)?|denied|rejected|cancell?ed|bad|[〇○◯]|はい|有|あり|有り|陽性|異常"
)


class Target(NamedTuple):
    """What is to be learnt.

    Attributes:
      kind: the task, as a config names it.
      why: a clause for people; empty where it was given.
      positive: of a binary task, the class that is looked for.
      separator: of a multilabel task, what stands between a row's labels.
      columns: of a multilabel task, the columns of 0 and 1 that the label is made of; empty where it is a column itself.
    """

    kind: str
    why: str
    positive: str | None = None
    separator: str | None = None
    columns: tuple[str, ...] = ()

    def classes(self, label: Column) -> Column:
        """The classes that the label names: its values, or what is in them."""
        return label if self.separator is None else label.parts(self.separator)


def choose(label: Column, given: str | None) -> Target:
    """The task for the label.

    Raises:
      ConfigError: the label's values cannot be learnt so, or not at all.
    """
    count = len(label.distinct)
    if count < 2:
        received = f"only '{shortened(label.distinct[0].as_py())}'" if count else "none"
        raise ConfigError(f"Expected at least two values in the label '{label.name}'. Received: {received}. Give another --label.")
    kind, why = (given, "") if given else _kind(label)
    if kind == "binary" and count != 2:
        raise ConfigError(
            f"Expected two values in '{label.name}' for --task binary. Received: {count:,} ({_first(label)}). Give --task "
            f"{_kind(label)[0]}, or another --label."
        )
    if kind == "regression" and not label.is_numeric:
        raise ConfigError(
            f"Expected numbers in '{label.name}' for --task regression. Received: '{shortened(label.not_numbers[0])}'. Give --task "
            f"{_kind(label)[0]}, or another --label."
        )
    separator = separator_of(label) if kind == "multilabel" else None
    if kind == "multilabel" and separator is None:
        raise ConfigError(
            f"Expected labels that come back in '{label.name}', one of {' '.join(_SEPARATORS)} between them, for --task multilabel. "
            f"Received: {_first(label)}. Give --task {_kind(label)[0]}, or another --label."
        )
    return Target(kind, why, _positive(label) if kind == "binary" else None, separator)


def separator_of(label: Column) -> str | None:
    """What stands between several labels in a value, None where the values are no such.

    The labels are short, come back, and stand in several different values each. A comma, which other texts have as well, has no space
    beside it, and the labels are fewer than the values that they make up.
    """
    if label.is_numeric:
        return None
    for separator in _SEPARATORS:
        has_several = pc.match_substring(label.distinct, separator).to_numpy(zero_copy_only=False)
        if label.counts[has_several].sum() < max(1, _SEPARATED * label.given):
            continue
        if separator == "," and pc.any(pc.match_substring_regex(label.distinct, r",\s|\s,")).as_py():
            continue
        found, different = label.parts(separator), len(separated.split(label.distinct, separator).flatten())
        if separator == "," and (found.is_numeric or len(found.distinct) >= len(label.distinct)):
            continue
        if 2 <= len(found.distinct) <= MOST_CLASSES and _are_names(found) and different >= _SHARED * len(found.distinct):
            return separator
    return None


def _are_names(found: Column) -> bool:
    return pc.max(pc.utf8_length(found.distinct)).as_py() <= _LONGEST and found.given >= _COME_BACK * len(found.distinct)


def _kind(label: Column) -> tuple[str, str]:
    count, share = len(label.distinct), label.different
    if separator := separator_of(label):
        return "multilabel", f"{len(label.parts(separator).distinct):,} different labels, several of them in a cell"
    if count == 2:
        return "binary", "two values"
    if label.is_numeric:
        if not label.is_whole:
            return "regression", "numbers"
        few = _FEW_VALUES if label.given <= _MANY_ROWS else _FEW_VALUES_OF_MANY
        single = int((label.counts == 1).sum())
        if count > _CODES and single >= _SINGLE * count:
            return "regression", f"{count:,} different whole numbers, {single:,} of them in one row only"
        if share <= few and count <= MOST_CLASSES:
            return "multiclass", f"{count:,} different whole numbers, at most {few:.0%} of the rows"
        return "regression", f"{count:,} different whole numbers"
    if count > MOST_CLASSES or (share > _MOST_WORDS and count > _LEAST_ROWS):
        raise ConfigError(
            f"Expected a label of numbers, or of at most {MOST_CLASSES:,} values that come back. "
            f"Received: {count:,} different texts in {label.given:,} rows of '{label.name}'. Give another --label."
        )
    return "multiclass", f"{count:,} different texts"


def _positive(label: Column) -> str:
    """The one that sounds like it, else the rarer one."""
    values = label.distinct.to_pylist()
    fitting = [value for value in values if _POSITIVE.fullmatch(value.strip())]
    return fitting[0] if len(fitting) == 1 else values[-1]


def _first(label: Column) -> str:
    values = label.distinct[:3].to_pylist()
    return ", ".join(f"'{shortened(value)}'" for value in values) + (", ..." if len(label.distinct) > len(values) else "")


def is_unbalanced(label: Column) -> bool:
    """Whether the accuracy would be high already for the answer that is always the same."""
    return bool(label.counts[0] > _UNBALANCED * label.given)


def settings(label: Column, target: Target) -> dict[str, object]:
    """What the config says of the task, with what makes rare classes be answered too where one class is nearly all there is.

    Two classes need no more than another threshold, which leaves what is learnt as it is; of several the rare ones must weigh more too.
    """
    if target.kind == "binary":
        return {"kind": "binary", "positive": target.positive} | ({"threshold": "auto"} if is_unbalanced(label) else {})
    if target.kind == "multiclass" and is_unbalanced(label):
        return {"kind": "multiclass", "class_weights": "balanced", "threshold": "auto"}
    return {"kind": target.kind} | ({"separator": target.separator} if target.separator and not target.columns else {})


def notes(settings: dict[str, object]) -> list[str]:
    """What the settings for rare classes do, a clause each."""
    is_binary = settings["kind"] == "binary"
    said = {
        "class_weights": "balanced: rare classes count as much as frequent ones in training",
        "threshold": "auto: where MCC is best on the eval split" if is_binary else "auto: rare classes are answered where F1 gains by it",
    }
    return [words for key, words in said.items() if key in settings]


def warnings(label: Column, target: Target) -> list[str]:
    """What makes the label hard to learn, a sentence or two each."""
    found = []
    classes = target.classes(label)
    if label.missing and target.columns:
        rows = "1 row has" if label.missing == 1 else f"{label.missing:,} rows have"
        found.append(f"{rows} no value in one of the label's columns and {'is' if label.missing == 1 else 'are'} left out.")
    elif label.missing and target.kind == "multilabel":
        found.append(f"{label.missing:,} rows have an empty '{label.name}': they are learnt as rows of no label.")
    elif label.missing:
        rows = "1 row has" if label.missing == 1 else f"{label.missing:,} rows have"
        found.append(f"{rows} no '{label.name}' and {'is' if label.missing == 1 else 'are'} left out.")
    if label.given < _LEAST_ROWS:
        found.append(f"There are only {label.given:,} rows with a label: a split may come out empty, and no figure says much.")
    if target.kind == "regression":
        return found
    if lacking := [name for name in target.columns if name not in classes.distinct.to_pylist()]:
        found.append(f"No row has a 1 in {', '.join(map(repr, lacking))}, which cannot be learnt.")
    if len(classes.distinct) > MOST_CLASSES:
        found.append(f"There are {len(classes.distinct):,} classes: more than {MOST_CLASSES:,} are rarely meant.")
    single = classes.distinct.to_pylist()[len(classes.counts) - int((classes.counts == 1).sum()) :]
    if single:
        named = ", ".join(f"'{name}'" for name in single[:5]) + (f" and {len(single) - 5:,} more" if len(single) > 5 else "")
        found.append(f"{'Classes' if len(single) > 1 else 'A class'} with one row, which is in one split only: {named}.")
    return found if target.kind == "multilabel" else found + imbalance(label)


def imbalance(label: Column) -> list[str]:
    """A sentence or two where one class is nearly all there is."""
    if not is_unbalanced(label):
        return []
    share = label.counts[0] / label.given
    return [
        f"Classes are unbalanced: always answering '{label.distinct[0].as_py()}' reaches an accuracy of {share:.2f}. "
        "The config has a setting for that in `task`, and proposes bounds of `mcc` and `f1`."
    ]
