"""Numbers as people and spreadsheets write them: `$1,200.50`, `1.200,50 €`, `12%`, `(44)`, `44-` and `▲44` for minus 44, full-width digits.

text -> ASCII digits and signs -> without brackets, currency and per cent -> without the thousands separators -> a decimal point

Per cent are not divided by a hundred: the number is the one that stands there.
"""

import re

import pyarrow as pa
import pyarrow.compute as pc

_CURRENCY = r"[$€£¥₩₹₽₺฿]|US\$|円|元|kr|zł|Fr\.|EUR|USD|GBP|JPY|CHF"
_DIGITS = r"[0-9.][0-9., ']*|[0-9.,]+[eE][-+]?[0-9]+"
_SIGNED = rf"^ *([-+]?) *(?:{_CURRENCY})? *([-+]?) *({_DIGITS}?) *(?:{_CURRENCY}|%)? *$"
_BRACKETS = r"^ *\(([^()]*)\) *$"
_BEHIND = r"^ *([0-9.][0-9., ']*)- *$"
_SIGNS = (("−", "-"), ("▲", "-"), ("△", "-"), ("\N{RIGHT SINGLE QUOTATION MARK}", "'"))  # what NFKC leaves; triangles as in Japan


def plain(texts: pa.StringArray, decimal: str, thousands: str | None) -> pa.StringArray:
    """`texts` as a program writes numbers, null where it is none.

    Args:
      texts: string (rows,).
      decimal: the decimal point, `.` or `,`.
      thousands: what separates thousands, `,`, `.`, a space or `'`, or None: then a separator makes a text no number.
    """
    cores = core(texts)
    is_grouped = pc.match_substring_regex(cores, grouped(thousands, decimal)) if thousands else pa.scalar(False)
    if thousands:
        cores = pc.if_else(is_grouped, pc.replace_substring(cores, thousands, ""), cores)
    point = re.escape(decimal)
    is_number = pc.match_substring_regex(cores, rf"^-?([0-9]+({point}[0-9]*)?|{point}[0-9]+)([eE][-+]?[0-9]+)?$")
    return pc.replace_substring(pc.if_else(is_number, cores, pa.scalar(None, pa.string())), decimal, ".")


def core(texts: pa.StringArray) -> pa.StringArray:
    """The sign and the digits of each text, with what is between them; a text that is not written like a number as it is."""
    texts = pc.utf8_normalize(texts, "NFKC")
    for given, wanted in _SIGNS:
        texts = pc.replace_substring(texts, given, wanted)
    for shape in (_BRACKETS, _BEHIND):
        texts = pc.replace_substring_regex(texts, shape, r"-\1")
    return pc.utf8_trim(pc.replace_substring(pc.replace_substring_regex(texts, _SIGNED, r"\1\2\3"), "+", ""), " ")


def grouped(thousands: str, decimal: str) -> str:
    """The regular expression of a number with separators, as in `1,234.5`, and as in India, `12,34,567`."""
    between, point = re.escape(thousands), re.escape(decimal)
    return rf"^-?[0-9]{{1,3}}({between}[0-9]{{2,3}})*{between}[0-9]{{3}}({point}[0-9]*)?$"
