"""Which encoding bytes are in, and their text as UTF-8.

no text at all? -> byte order mark? -> UTF-16 by its NULs? -> UTF-8 by a strict decode -> else the likeliest legacy one, as a guess
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

SAMPLE_BYTES = 1 << 16  # of text that is not ASCII, by which a legacy encoding is guessed
MARK = "\ufdd0"  # stands for a byte that is not of the encoding; Unicode promises that no text holds it

_BINARY = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip file inside another",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"\x28\xb5\x2f\xfd": "a Zstandard file",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    b"%PDF": "a PDF document",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"FEA1": "a Feather file",
    b"ORC": "an ORC file",
    b"\x93NUMPY": "a NumPy array",
    b"\x89HDF": "an HDF5 file",
    b"SQLite format 3": "an SQLite database",
    b"\xd0\xcf\x11\xe0": "an Excel 97 workbook or another old Office document",
    b"version https://git-lfs": "the pointer of a file that Git LFS has not fetched (`git lfs pull`)",
    b"<?xml": "an XML file",
    b"\0\0\x08\x01": "IDX labels",
    b"\0\0\x08\x03": "IDX images",
}
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
# In order of preference where two are as likely. Single-byte relatives of cp1252 (Latin-1, Latin-9) are left out: it holds what they hold.
_ASIAN = ("cp932", "euc_jp", "gb18030", "big5", "cp949")
_CYRILLIC = ("cp1251", "koi8_r", "koi8_u", "cp866", "iso8859_5")
_LEGACY = (*_ASIAN, "cp1252", "cp1250", *_CYRILLIC, "cp1253", "cp1254", "cp1255", "cp1256", "cp874")
_UPPER, _LOWER = "А-ЯЁЂ-Џ", "а-яёђ-џ"
_CYRILLIC_WORD = re.compile(f"[{_UPPER}]?[{_LOWER}]+|[{_UPPER}]+")  # in another code page small and capital letters change places
_FREQUENT_CYRILLIC = re.compile("[оеаинтсрвліОЕАИНТСРВЛІ]")  # two of three letters of Russian; Greek and Hebrew taken for it have few
_BEYOND_ASCII = re.compile(r"\w*[^\W\x00-\x7f]\w*|[^\w\x00-\x7f]")  # words, and signs
_KANA = re.compile(r"[ぁ-んァ-ヶ]")
# CP932's kana, signs and frequent kanji; in other encodings these bytes are rare
_FREQUENT_JAPANESE = re.compile(rb"([\x00-\x7f]|[\x81-\x83\x88-\x98][\x40-\x7e\x80-\xfc])+")
_IN_A_WORD = re.compile(rb"[A-Za-z][\x81-\x98][A-Za-z]")  # the curly apostrophe of cp1252, `don\x92t`
_SOUND = 20  # characters beyond ASCII that are valid UTF-8, for each byte that is not
_OUT_OF_PLACE = re.compile(r"[^\W\d_][¹²³¼½¾£¥¯¿¡³]|[¹²³¯¥£¼½¾][^\W\d_]|[\x80-\x9f]")  # what other code pages look like in cp1252


class NotTextError(ValueError):
    """The bytes are no text; the message is what they are, "a ZIP archive"."""


class Encoding(NamedTuple):
    """An encoding and how it is known.

    Attributes:
      codec: Python's name of it.
      sure: whether the bytes say so, by a byte order mark or because all of them are valid; else it is a guess.
      why: the reason, a clause for people.
    """

    codec: str
    sure: bool
    why: str


def binary_name(start: bytes) -> str:
    """What a file that begins with `start` is, "a ZIP archive", where that is no text; else empty."""
    if start.startswith(b"PK\x03\x04") and (b"xl/" in start or b"[Content_Types]" in start):
        return "an Excel workbook or another Office document"
    if start[:1024].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "a web page"
    return next((name for beginning, name in _BINARY.items() if start.startswith(beginning)), "")


def detect(blocks: Iterable[bytes]) -> Encoding:
    """The encoding of a text whose bytes are `blocks`; all of them are read.

    Raises:
      NotTextError: it is none.
    """
    found, decoder, offset = None, None, 0
    held = b""  # ASCII so far: nothing to decide by, and nothing that would fail
    for block in blocks:
        if offset == 0:
            found = _by_start(block)
            decoder = found and codecs.getincrementaldecoder(found.codec)()
        if decoder is None and not block.isascii():
            first = next(match.start() for match in re.finditer(rb"[\x80-\xff]", block))
            start = max(0, first - SAMPLE_BYTES // 4)
            found = _by_content((held + block[start:])[-(len(block) - start + 4) :][: 4 * SAMPLE_BYTES])
            decoder = codecs.getincrementaldecoder(found.codec)()
        if decoder is not None and found is not None:
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                what = f"the byte 0x{error.object[error.start]:02X} near offset {offset + error.start:,} is not"
                return found._replace(sure=False, why=f"{found.why}, but {what} {label(found.codec)}")
        held, offset = block[-4:], offset + len(block)
    if found is None:
        return Encoding("utf-8", True, "only ASCII")
    return found


def label(codec: str) -> str:
    """The encoding's name as people write it."""
    names = {"utf-8-sig": "UTF-8", "cp932": "CP932 (Shift_JIS)", "euc_jp": "EUC-JP", "cp1252": "Windows-1252 (Latin-1)"}
    return names.get(codec, codec.upper().replace("_", "-"))


def _by_start(start: bytes) -> Encoding | None:
    for mark, codec, name in _BOMS:
        if start.startswith(mark):
            return Encoding(codec, True, f"{name} by its byte order mark")
    if name := binary_name(start):
        raise NotTextError(name)
    if b"\x1b$B" in start or b"\x1b$@" in start:
        return Encoding("iso2022_jp", False, "ISO-2022-JP by its escape sequences")
    if start.count(0) > len(start) / 1000:  # else they are a few broken rows
        return _utf16(start[:SAMPLE_BYTES])
    if (controls := len(re.findall(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f]", start[:SAMPLE_BYTES]))) > max(3, len(start[:SAMPLE_BYTES]) / 50):
        raise NotTextError(f"binary data, with {controls:,} control characters among its first {len(start[:SAMPLE_BYTES]):,} bytes")
    return None


def _utf16(start: bytes) -> Encoding:
    """UTF-16 without a mark: line ends and separators are an ASCII byte and a NUL, always on the same side."""
    nuls, is_ascii = start.count(0), start.isascii() and not re.search(rb"[\x01-\x08\x0e-\x1f]", start)
    for codec, pattern in (("utf-16-le", rb"[\t\n\r ,;|]\0"), ("utf-16-be", rb"\0[\t\n\r ,;|]")):
        even = sum(match.start() % 2 == 0 for match in re.finditer(pattern, start))
        try:
            text = start[: len(start) // 2 * 2].decode(codec, "strict")
        except UnicodeDecodeError as error:
            if error.start < len(start) - 4:  # a pair cut in two
                continue
            text = start[: error.start].decode(codec)
        if even and not (is_ascii and nuls < 0.4 * len(start)) and "\0" not in text and not re.search(r"[\x01-\x08\x0e-\x1a]", text):
            return Encoding(codec, False, "UTF-16 without a byte order mark, by the places of its NUL bytes")
    raise NotTextError(f"binary data, with a NUL byte at offset {start.index(0):,}")


def _by_content(sample: bytes) -> Encoding:
    """UTF-8 where the sample is, else the likeliest legacy encoding."""
    if _decodes(sample, "utf-8"):
        return Encoding("utf-8", True, "all of it is valid UTF-8")
    import charset_normalizer

    if _is_damaged_utf8(sample):
        return Encoding("utf-8", False, "nearly all of it is valid UTF-8")
    sample = sample[: 2 * SAMPLE_BYTES]
    possible = [codec for codec in _LEGACY if _decodes(sample, codec)]
    if not possible:
        invalid = len(re.findall(MARK, sample.decode("utf-8", mark_errors())))
        if invalid <= max(1, len(sample) // 1000):
            return Encoding("utf-8", False, "nearly all of it is valid UTF-8")
        return Encoding("latin-1", False, "no other encoding fits")
    ranked = [match.encoding for match in charset_normalizer.from_bytes(sample, cp_isolation=possible)]
    best = ranked[0] if ranked else possible[0]
    if "cp1252" in possible and best in {"cp1250", "cp1252", "cp1254"}:
        is_western = not _OUT_OF_PLACE.search(sample.decode("cp1252"))
        if best != "cp1252" and is_western:
            best = "cp1252"
        elif best == "cp1252" and not is_western and "cp1250" in possible and not _OUT_OF_PLACE.search(sample.decode("cp1250")):
            best = "cp1250"
    if "cp932" in possible and best != "cp932" and _is_short_japanese(sample):
        best = "cp932"
    for codec in ("cp932", "euc_jp"):  # two code pages may read the same bytes as fair text; kana are Japanese
        if best in _ASIAN and codec in possible and len(_KANA.findall(sample.decode(codec, "ignore"))) > len(sample) // 50:
            best = codec
            break
    else:
        best = next((codec for codec in _CYRILLIC if codec in possible and _is_cyrillic(sample.decode(codec, "ignore"))), best)
    others = [label(codec) for codec in ranked if codec != best][:2]
    return Encoding(best, False, f"{label(best)} as the likeliest legacy encoding" + (f" before {' and '.join(others)}" if others else ""))


def _is_damaged_utf8(sample: bytes) -> bool:
    """Whether a few bytes spoil UTF-8: text of another encoding is hardly ever valid, and single-byte ones would take any bytes."""
    text = sample.decode("utf-8", mark_errors())
    beyond, invalid = sum(char > "\x7f" for char in text), text.count(MARK)
    return beyond - invalid >= _SOUND * invalid


def _is_short_japanese(sample: bytes) -> bool:
    """Whether all beyond ASCII is frequent in CP932, as a few kanji among numbers are, which statistics take for another language."""
    is_frequent = _FREQUENT_JAPANESE.fullmatch(sample) and re.search(rb"[\x81-\x98][\x80-\xfc]", sample)
    return bool(is_frequent) and not _IN_A_WORD.search(sample) and not _is_cyrillic(sample.decode("cp866"))


def _is_cyrillic(text: str) -> bool:
    """Whether nearly all words beyond ASCII are of Cyrillic letters alone, capitals in front, and often of those that are frequent."""
    words = _BEYOND_ASCII.findall(text)
    letters = sum(map(len, words))
    known = sum(len(word) for word in words if _CYRILLIC_WORD.fullmatch(word))
    return known > 0.9 * letters and len(_FREQUENT_CYRILLIC.findall(text)) > letters / 2


def _decodes(sample: bytes, codec: str) -> bool:
    try:
        codecs.getincrementaldecoder(codec)().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def mark_errors() -> str:
    """The name of the error handler that puts MARK in place of what cannot be decoded."""
    name = "tapeline.mark"
    codecs.register_error(name, lambda error: (MARK, error.end))  # type: ignore[attr-defined]  # of UnicodeDecodeError
    return name


def to_utf8(blocks: Iterable[bytes], codec: str) -> Iterator[bytes]:
    """The text as UTF-8, whole characters in every block; MARK in place of every byte that is not of the encoding."""
    name = codecs.lookup(codec).name
    decoder = codecs.getincrementaldecoder("utf-8-sig" if name == "utf-8" else name)(mark_errors())  # a mark is never a part of the text
    for block in blocks:
        if name == "utf-8" and block.isascii() and not decoder.getstate()[0]:  # no character is half read: as nearly always
            decoder.setstate((b"", 0))  # behind the text's beginning, where a mark may be
            yield block
        else:
            yield decoder.decode(block).encode()
    yield decoder.decode(b"", final=True).encode()
