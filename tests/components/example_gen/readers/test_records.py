"""Cutting text into records: the same ones, with the same lines, wherever blocks end."""

import pytest

from components.example_gen.readers import records
from components.example_gen.readers.records import cut
from trainer.errors import DataError


def pieces(blocks, quote='"', skip=0):
    """(text, line) of every record."""
    return [
        (found.data[start:end].tobytes(), line)
        for found in cut(blocks, ",", quote, skip)
        for start, end, line in zip(found.starts, found.ends, found.lines.tolist(), strict=True)
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("skip", [0, 2])
def test_wherever_blocks_end_the_records_and_their_lines_are_the_same(size, skip):
    text = b'a,b\r\n\r\n1,"x\r\ny"\r\n2,5" pipe\r3,"p ""q"" r"\r\n4,"never\r\n5,"a"b\n\n6,z'
    whole = [
        (b"a,b", 1),
        (b'1,"x\r\ny"', 3),
        (b'2,5" pipe', 5),
        (b'3,"p ""q"" r"', 6),
        (b'4,"never', 7),
        (b'5,"a"b', 8),
        (b"6,z", 10),
    ]
    expected = [record for record in whole if record[1] > skip]
    assert pieces([text[at : at + size] for at in range(0, len(text), size)], skip=skip) == expected
    assert pieces([text], skip=skip) == expected


def test_a_line_that_is_too_long_for_memory_is_refused_with_its_number(monkeypatch):
    monkeypatch.setattr(records, "MOST_BYTES", 1000)
    with pytest.raises(DataError, match=r"^Expected lines of at most 0 MiB\. Received: a longer one, line 2 of the text\.$"):
        pieces([b"a\n", b"x" * 900, b"y" * 900])


def test_a_quote_that_stays_open_too_long_is_never_closed_and_the_next_lines_are_read(monkeypatch):
    monkeypatch.setattr(records, "RECORD_BYTES", 100)
    found = list(cut([b'a,"b\n', b"c,d\n" * 20, b"e,f\n" * 20, b'g,"h"\n'], ",", '"'))
    assert [reason for block in found for reason in block.broken.values()] == [records.UNCLOSED]
    assert sum(len(block.starts) for block in found) == 42
    assert len(found) > 1  # some of them before the end of the file, so that memory stays flat


def test_a_quote_that_was_just_opened_waits_for_the_next_block(monkeypatch):
    monkeypatch.setattr(records, "RECORD_BYTES", 100)
    found = list(cut([b"c,d\n" * 50 + b'e,"f\n', b'g"\n'], ",", '"'))
    assert [block.broken for block in found] == [{}, {}]
    assert found[1].data.tobytes() == b'e,"f\ng"\n'
