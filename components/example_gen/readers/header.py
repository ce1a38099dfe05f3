"""Whether the first row of a table holds its columns' names."""

import re
import statistics

_VALUE = re.compile(
    r"[+-]?(\d+([.,]\d*)*|[.,]\d+)([eE][+-]?\d+)?%?|\d{1,4}[-/.年]\d{1,2}[-/.月]\d{1,4}日?([T ]\d{1,2}:\d{2}.*)?|\d{1,2}:\d{2}(:\d{2})?"
)
_MISSING = {"NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?", "-"}
_NAME = re.compile(r"[^\W\d]\w*([ ._/-]\w+)?")
_USUAL = """
    id uid name text sentence label labels class category target y title date time timestamp value score rating comment message review
    description content body email address city country sex gender age price type status species question answer source url original
    テキスト 本文 文 ラベル 名前 氏名 日付 日時 住所 年齢 性別 分類 カテゴリ カテゴリー 種別
"""
_USUAL_NAMES = frozenset(_USUAL.split())


def has_header(first: list[str], rows: list[list[str]]) -> tuple[bool, str, str]:
    """(whether `first` holds names, why, what speaks against it or empty); `rows` are those behind it, as wide as it."""
    names = [cell.strip() for cell in first]
    years = [int(name) for name in names if re.fullmatch(r"(18|19|20)\d\d", name)]
    is_years = len(years) > 1 and years == sorted(set(years)) and len(years) < len(names) and not _VALUE.fullmatch(names[0])
    votes = 0.0
    for place, name in enumerate(names):
        values = [value for row in rows if (value := row[place].strip()) and value not in _MISSING]
        votes += _vote("year" if is_years and name.isdigit() else name, values)
    if len(set(filter(None, names))) < len(list(filter(None, names))):
        votes -= 0.5
    look_like_names = all(_NAME.fullmatch(name) or not name for name in names) and any(names)
    if votes >= 1:
        return True, "a header: the first row is not like those behind it", ""
    if votes <= -1:
        return False, "no header: the first row is like those behind it", ""
    shown = " | ".join(names[:4])[:60]
    if look_like_names and (rows or len(names) > 1):
        return True, "a header: the first row looks like names", f"The first row ({shown}) could also be a row of data."
    return False, "no header: the first row does not look like names", f"The first row ({shown}) could also be a header."


def _vote(name: str, values: list[str]) -> float:
    """How much one column's first cell is a name: above 0 for a name, below 0 for a value."""
    are_values = bool(values) and sum(bool(_VALUE.fullmatch(value)) for value in values) >= 0.8 * len(values)
    if _VALUE.fullmatch(name) or name in _MISSING:
        return -2.0 if are_values or not values else -1.0
    if not name:
        return -0.5 if values else 0.0
    if are_values:
        return 2.0
    votes = 1.5 if name.casefold() in _USUAL_NAMES else 0.0
    if name in values:
        return votes - 1.5
    if len(set(values)) <= len(values) / 2:
        votes += 0.5 + 0.5 * (len(values) >= 10)
    if values and statistics.fmean(map(len, values)) > 2 * len(name) + 10 and _NAME.fullmatch(name):
        votes += 1.0
    return votes
