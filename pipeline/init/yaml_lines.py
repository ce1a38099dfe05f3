"""Values as YAML in one line, quoted where they would be read as something else."""

import json
import re

# What no YAML reader takes for anything but this text: words, with signs that mean nothing inside.
_PLAIN = re.compile(r"[^\W\d_][\w \u3000()/.+－（）・-]*")
_PATH = re.compile(r"\.{1,2}/[\w ./-]*")
_OTHERWISE = re.compile(r"(?i)y|n|yes|no|on|off|true|false|null|inf|nan")


def scalar(text: str) -> str:
    """`text` as a YAML value or key."""
    if _PATH.fullmatch(text) and text == text.strip():
        return text
    if '"' in text and "'" not in text and text.isprintable():
        return f"'{text}'"
    if _PLAIN.fullmatch(text) and text == text.strip() and not _OTHERWISE.fullmatch(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(sign if sign.isprintable() or sign == "\u3000" else _escaped(sign) for sign in quoted)


def value(given: object) -> str:
    """A scalar, or a list of them, as YAML."""
    if isinstance(given, str):
        return scalar(given)
    if isinstance(given, list | tuple):
        return f"[{', '.join(map(value, given))}]"
    if isinstance(given, dict):
        return f"{{{', '.join(f'{scalar(key)}: {value(each)}' for key, each in given.items())}}}"
    return json.dumps(given)


def _escaped(sign: str) -> str:
    return f"\\u{ord(sign):04x}" if ord(sign) < 1 << 16 else f"\\U{ord(sign):08x}"
