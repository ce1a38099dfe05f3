"""CSV and TSV files whose text is damaged."""

import codecs
import hashlib

from tests.pipeline.damaged.case import ROWS, TABLE, Case, file, text

_RANDOM = b"".join(hashlib.sha256(bytes([number % 256, number // 256])).digest() for number in range(1500))
_LABEL = ("--label", "y")
_LINES = text().splitlines()
_JAPANESE = "".join(
    f"{line}\n"
    for line in ["a,b,y", *(f"{number}.5,東京の天気{number % 3},{'はい' if number % 2 else 'いいえ'}" for number in range(ROWS))]
)


def _with(line: str | bytes, at: int = 30) -> bytes:
    """The table with another line in the place of one of it, which is line `at` + 1 of the file."""
    lines = [each.encode() for each in _LINES]
    lines[at] = line if isinstance(line, bytes) else line.encode()
    return b"\n".join(lines) + b"\n"


def _case(name: str, content: bytes | str, init: str | None, ingest: str | None, suffix: str = "csv", **more: object) -> Case:
    return Case(name, file(f"table.{suffix}", content), "csv", init, ingest, **{"options": _LABEL, "columns": TABLE, **more})


CASES = [
    _case("empty file", b"", "1", "1"),
    _case("one byte", b"a", "2", "2"),
    _case("only blank lines", b"\n\r\n\n   \n", "1", "1"),
    _case("only a header", b"a,b,y\n", "1", "1"),
    _case("only a header without a line end", b"a,b,y", "1", "1"),
    _case("a header and one row", text(1), "2", "1"),
    _case("only a byte order mark", codecs.BOM_UTF8, "1", "1"),
    _case("only a UTF-16 byte order mark", codecs.BOM_UTF16_LE, "1", "1"),
    _case("only delimiters", b",,,\n,,,\n,,,\n", "2", "2"),
    _case("only NUL bytes", bytes(5000), "1", "1"),
    _case("cut in a quoted field", text() + '61.5,"a word that never en', "0", "1"),
    _case("a quote that opens in line 2 and never closes", text().replace("word0", '"word0', 1), "0", f"0 {ROWS}"),
    _case("cut in a row", text() + "61.5,wo", "0", "1"),
    _case("cut in the header", b"a,b", "1", "1"),
    _case("a row with a NUL byte", _with(b"31.5,wo\0rd,no"), "1", "1"),
    _case("rows cut by NUL bytes", text().encode() + bytes(9000), "1", "1"),
    _case("UTF-16 cut in half a character", text().encode("utf-16")[:-1], "0", "1"),
    _case("UTF-16 cut in the byte order mark", text().encode("utf-16")[:1], "2", "2"),
    _case("UTF-16 with the mark of the other order", codecs.BOM_UTF16_BE + text().encode("utf-16-le"), "2", "2"),
    _case("UTF-16, sound", text().encode("utf-16"), "0", f"0 {ROWS}"),
    _case("UTF-32, sound", text().encode("utf-32"), "0", f"0 {ROWS}"),
    _case("UTF-8 with a byte order mark, sound", codecs.BOM_UTF8 + text().encode(), "0", f"0 {ROWS}"),
    _case("UTF-7", text().replace("word", "wörter").encode("utf-7"), "0", f"0 {ROWS}"),
    _case("one row in Latin-1, the others UTF-8", _with("31.5,wörter,no".encode("latin-1")) + "61.5,wörter,no\n".encode(), "0", "0 61"),
    _case("half UTF-8, half Shift_JIS", _JAPANESE.encode() + "".join(_JAPANESE.splitlines(True)[1:]).encode("cp932"), "0", "0 120"),
    _case("said to be UTF-8, and Shift_JIS", _JAPANESE.encode("cp932"), None, "1", data={"csv": {"encoding": "utf-8"}}),
    _case("random bytes", _RANDOM, "1", "1"),
    _case("random bytes without NUL", _RANDOM.replace(b"\0", b""), "1", "1"),
    _case("control characters", _with(b"31.5,wo\x01\x02\x1b[31mrd,no"), "0", f"0 {ROWS}"),
    _case("base64 of something", b"TWFu\n" * 500, "2", "2"),
    _case("mixed delimiters", text(30) + "".join(text(60, ";").splitlines(True)[31:]), "2", "2"),
    _case("tabs in a file of commas", _with("31.5\tword1\tno"), "0", "1"),
    _case("said to have semicolons", text(), None, "2", data={"csv": {"delimiter": ";"}}),
    _case("ragged rows", "".join(f"{'1,' * (number % 5)}2\n" for number in range(ROWS)), "2", "2"),
    _case("a row with too many fields", _with("31.5,word1,no,more,and more"), "0", "1"),
    _case("a row with too few fields", _with("31.5,word1"), "0", "1"),
    _case("every row longer than the header", "a,b,y\n" + "".join(f"{line},1\n" for line in _LINES[1:]), "2", "1"),
    _case("one line of 10 MB", b"a" * (10 << 20), "2", "2"),
    _case("one cell of 10 MB", _with(b"31.5," + b"w" * (10 << 20) + b",no"), "0", f"0 {ROWS}"),
    _case("one line of 80 MB", b"a,b,y\n" + b"1" * (80 << 20) + b"\n", "1", "1"),
    _case("line ends of old Macs, sound", text().replace("\n", "\r"), "0", f"0 {ROWS}"),
    _case(
        "mixed line ends, sound", text(30).replace("\n", "\r\n") + "".join(_LINES[each] + "\n" for each in range(31, 61)), "0", f"0 {ROWS}"
    ),
    _case("quotes inside of quotes not doubled", _with('31.5,"a "quoted" word",no'), "0", f"0 {ROWS}"),
    _case("a merge conflict", _with("<<<<<<< HEAD"), "0", "1"),
    _case("the header again in the middle", _with("a,b,y"), "0", f"0 {ROWS - 1}"),
    _case("a footer with a total", text() + "Total,,\n", "0", "1"),
    _case("a web page", "<!DOCTYPE html><html><body>404 Not Found</body></html>\n", "1", "1"),
    _case("an XML file", '<?xml version="1.0"?>\n<rows><row a="1 an XML file"/></rows>\n', "1 an XML file", "1 an XML file"),
    _case("a JSON array", '[{"a": 1, "b": "w", "y": "no"}]\n', "1", "1"),
    _case("a Git LFS pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n", "1 Git LFS", "1 Git LFS"),
]
