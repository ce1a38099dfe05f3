"""Records that are no rows: the header once more, where files were put together, and totals, units and notes around a table.

bytes of the header, and of what stands in front of such a record -> where they are in a block -> is it the whole of the record, or of its
first field that is not empty?
"""

from collections.abc import Iterable, Iterator

from components.example_gen.readers.dialect import Dialect, fields
from components.example_gen.readers.records import Records

NO_ROW = "no row"
_AROUND = b" \t\xef\xbb\xbf"  # a byte order mark, too, in the middle of a file


def marked(blocks: Iterable[Records], dialect: Dialect) -> Iterator[Records]:
    """The records of a whole file, of which `broken` has NO_ROW for those that are none.

    A header of one column may stand further down as a value: a word is soon said again.
    """
    firsts = [text.encode() for text in dialect.not_rows]
    header: bytes | None = None
    for block in blocks:
        text = block.data.tobytes() if dialect.header or firsts else b""
        found = {number for first in firsts for number in _holding(text, block, first) if _first(text, block, number, dialect) == first}
        if dialect.header:
            is_begin, header = header is None, _record(text, block, 0).strip(_AROUND) if header is None else header
            if dialect.delimiter[0].encode() in header:
                found |= {number for number in _holding(text, block, header) if _record(text, block, number).strip(_AROUND) == header}
            found -= {0} if is_begin else set()
        yield block._replace(broken={**block.broken, **dict.fromkeys(found, NO_ROW)}) if found else block


def _holding(text: bytes, block: Records, part: bytes) -> Iterator[int]:
    """The numbers of the records that hold these bytes."""
    at = text.find(part)
    while at >= 0:
        number = int(block.starts.searchsorted(at, "right")) - 1
        if number >= 0:
            yield number
        at = text.find(part, int(block.ends[number]) if number >= 0 and block.ends[number] > at else at + 1)


def _record(text: bytes, block: Records, number: int) -> bytes:
    return text[block.starts[number] : block.ends[number]]


def _first(text: bytes, block: Records, number: int, dialect: Dialect) -> bytes:
    [cells] = fields([_record(text, block, number).decode()], dialect)
    return next((cell.strip() for cell in cells if cell.strip()), "").encode()
