"""Dates as people and spreadsheets write them: `令和元年5月1日(水)`, `R1.5.1`, `14時05分`, `5-Mar-2019`, `March 5, 2019`, `2019-05`.

C writes `Wed May  1 14:05:00 2019`, and web servers `01/May/2019:14:05:00 +0000`.

text -> ASCII digits, without the day of the week -> the year in our era, the month as a number -> year-month-day, and what is behind it
"""

import re
import unicodedata

import pyarrow as pa

_BEFORE_ERA = {"明治": 1867, "M": 1867, "大正": 1911, "T": 1911, "昭和": 1925, "S": 1925, "平成": 1988, "H": 1988, "令和": 2018, "R": 2018}
_ERA = re.compile(rf"({'|'.join(_BEFORE_ERA)}) ?(元|\d{{1,2}})[年./-] ?(\d{{1,2}})[月./-] ?(\d{{1,2}})日?(.*)")
_WEEKDAY = re.compile(r"\([月火水木金土日祝休・]+\)|[月火水木金土日]曜日?$|^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? +", re.IGNORECASE)
_CLOCK = re.compile(r"(\d{1,2})時(?:(\d{1,2})分)?(?:(\d{1,2})秒)?$")
_MONTHS = {  # in English and German
    **{name: number for number, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)},
    "mär": 3,
    "mai": 5,
    "okt": 10,
    "dez": 12,
}
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})[a-z]*\.?"
_NAMED = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?P<day>\d{{1,2}})(?:st|nd|rd|th|\.)?[-/ ]*{_MONTH}[-/ ,]*(?P<year>\d{{4}}|\d{{2}})(?P<rest>\b.*)",
        rf"{_MONTH}[-/ ]*(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[-/ ,]+(?P<year>\d{{4}})(?P<rest>\b.*)",
        rf"(?P<year>\d{{4}})[-/ ]{_MONTH}[-/ ](?P<day>\d{{1,2}})(?P<rest>\b.*)",
        rf"{_MONTH}[-/ ,]+(?P<year>\d{{4}})",
        rf"{_MONTH} +(?P<day>\d{{1,2}})(?P<rest> \d{{1,2}}:\d{{2}}:\d{{2}}(?: (?:UTC|GMT|[-+]\d{{4}}))?) (?P<year>\d{{4}})",
    )
]
_SERVERS = re.compile("^:(?=[0-9])")  # between the day and the hour, in logs of web servers
_YEAR_AND_MONTH = re.compile(r"(\d{4})[-/年](\d{1,2})月?")


def plain(texts: pa.StringArray) -> pa.StringArray:
    """`texts`, string (rows,), as `year-month-day hour:minute:second` where they are written otherwise; others as they are.

    A month without a day is its first day. A month without a year (`Mar-05`) is no date: a spreadsheet makes it of `3-5`.
    """
    encoded = texts.dictionary_encode()
    words = pa.array([None if text is None else _plain(text) for text in encoded.dictionary.to_pylist()], pa.string())
    return words.take(encoded.indices)


def _plain(text: str) -> str:
    text = _WEEKDAY.sub("", unicodedata.normalize("NFKC", text)).strip()
    text = _CLOCK.sub(lambda found: f" {found[1]}:{found[2] or '00'}:{found[3] or '00'}", text).strip()
    if found := _ERA.fullmatch(text):
        era, year, month, day, rest = found.groups()
        return f"{_BEFORE_ERA[era] + (1 if year == '元' else int(year))}-{month}-{day}{rest}"
    if found := _YEAR_AND_MONTH.fullmatch(text):
        return f"{found[1]}-{found[2]}-1"
    for pattern in _NAMED:
        if found := pattern.fullmatch(text):
            parts = {"day": "1", "rest": "", **found.groupdict()}
            year = int(parts["year"]) + (0 if len(parts["year"]) > 2 else 2000 if int(parts["year"]) < 69 else 1900)
            return f"{year}-{_MONTHS[parts['month'].casefold()]}-{parts['day']}{_SERVERS.sub(' ', parts['rest'])}"
    return text
