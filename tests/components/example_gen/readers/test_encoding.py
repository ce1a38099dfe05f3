"""Which encoding bytes are in: what they say themselves is a fact, and everything else a guess."""

import pytest

from components.example_gen.readers.encoding import MARK, NotTextError, detect, to_utf8

JAPANESE = "名前,住所\n山田太郎,東京都千代田区まるのうち\n佐藤花子,カメラ店\n"
FRENCH = "nom,ville\nJosé,Montréal\nÉlodie,Orléans\nZoë,Besançon\n"


@pytest.mark.parametrize(
    ("text", "codec", "found", "sure"),
    [
        ("a,b\n1,2\n", "ascii", "utf-8", True),
        (JAPANESE, "utf-8", "utf-8", True),
        (JAPANESE, "utf-8-sig", "utf-8-sig", True),
        (JAPANESE, "utf-16", "utf-16", True),
        (FRENCH, "utf-16-le", "utf-16-le", False),
        (JAPANESE, "utf-16-be", "utf-16-be", False),
        (JAPANESE, "cp932", "cp932", False),
        (JAPANESE, "euc_jp", "euc_jp", False),
        (JAPANESE, "iso2022_jp", "iso2022_jp", False),
        (FRENCH, "cp1252", "cp1252", False),
        ("item,price\ncoffee,3 €\ntea,“2 €”\n", "cp1252", "cp1252", False),
        ("Straße;Größe\nMüllerweg;12\nGänsemarkt;14\n", "latin-1", "cp1252", False),
        ("imię,miasto\nŁukasz,Łódź\nŚwiętosława,Gdańsk\nŻaneta,Kraków\n", "cp1250", "cp1250", False),
        ("miasto;cena\n" + "Gdańsk;586571 zł\nWrocław;730 zł\nŁódź;99 zł\n" * 9, "cp1250", "cp1250", False),
        ("имя,город\nИван,Москва\nОльга,Санкт-Петербург\n", "cp1251", "cp1251", False),
        ("имя,город\nИван,Москва\nОльга,Санкт-Петербург\n", "koi8_r", "koi8_r", False),
        ("имя,город,ответ\n" + "Мария,Нижний Новгород,нет\nПётр,Казань,да\n" * 150, "koi8_r", "koi8_r", False),
        ("місто,країна\nОлександрія,Україна\nХарків,Їжак\n", "koi8_u", "koi8_u", False),
        ("имя,город\nИван,Москва\nОльга,Санкт-Петербург\n", "cp866", "cp866", False),
        ("имя,город\nИван,Москва\nОльга,Санкт-Петербург\n", "iso8859_5", "iso8859_5", False),
        ("navn,by\nPål,Ålesund\nBåård,Å\nå,på\n", "cp1252", "cp1252", False),
        ("όνομα,πόλη\nΓιώργος,Αθήνα\nΜαρία,Θεσσαλονίκη\n", "cp1253", "cp1253", False),
        ("ﾅﾏｴ,ｷﾝｶﾞｸ\nｶﾌﾞｼｷｶﾞｲｼﾔ ﾔﾏﾀﾞ,100\nﾀﾅｶ ｼﾞﾛｳ,200\n", "cp932", "cp932", False),
        ("size,label\n" + "7.58,良\n5.16,不良\n2.74,x\n" * 60, "cp932", "cp932", False),
        ("size,label\n" + "7.58,有\n5.16,無\n" * 60, "cp932", "cp932", False),
        ("said,n\n" + "I don’t,3\nit’s “so”,4\n’tis,5\n" * 20, "cp1252", "cp1252", False),
        ("ОТВЕТ,N\n" + "ДОМ,1\nСЕМЬЯ,2\nМОСКВА,3\n" * 9, "cp866", "cp866", False),
        ("姓名,城市\n张伟,北京\n王芳,上海\n", "gb18030", "gb18030", False),
        ("이름,도시\n김철수,서울\n이영희,부산\n", "cp949", "cp949", False),
    ],
)
def test_the_encoding_is_found_and_whether_that_is_sure(text, codec, found, sure):
    result = detect([text.encode(codec)])
    assert (result.codec, result.sure) == (found, sure)
    assert b"".join(to_utf8([text.encode(codec)], result.codec)).decode() == text


def test_characters_that_are_cut_in_two_by_blocks_are_one():
    for codec in ("utf-8", "cp932", "utf-16"):
        raw = (JAPANESE * 20).encode(codec)
        blocks = [raw[at : at + 7] for at in range(0, len(raw), 7)]
        assert b"".join(to_utf8(blocks, codec)).decode() == JAPANESE * 20
    assert b"".join(to_utf8([b"\xef", b"\xbb\xbfa", "名".encode()[:2], b"b", b"c"], "utf-8")).decode() == f"a{MARK}bc"
    assert b"".join(to_utf8([b"a", "\ufeffb".encode()], "utf-8")).decode() == "a\ufeffb"  # no mark of the text's beginning
    raw = ("a,b\n" * 50 + JAPANESE).encode()
    assert detect([raw[:202], raw[202:210], raw[210:]])[:2] == ("utf-8", True)


def test_a_few_wrong_bytes_do_not_make_another_encoding_of_utf_8():
    """Any bytes are CP1252, in which every `été` of the file would be another text; what is broken is one row."""
    for text in (FRENCH, JAPANESE):
        raw = text.encode() * 20
        result = detect([raw + b"caf\xe9,\xff\n" + raw])
        assert (result.codec, result.sure) == ("utf-8", False)
        assert result.why.startswith("nearly all of it is valid UTF-8, but the byte 0xE9 near offset")
        assert b"".join(to_utf8([raw, b"\xe9,\n"], result.codec)).decode() == text * 20 + MARK + ",\n"


def test_one_wrong_byte_far_behind_makes_a_doubt_of_the_fact_and_is_marked():
    raw = JAPANESE.encode() * 100
    result = detect([raw, b"caf\xe9,1\n", raw])
    assert (result.codec, result.sure) == ("utf-8", False)
    assert result.why == f"all of it is valid UTF-8, but the byte 0xE9 near offset {len(raw) + 3:,} is not UTF-8"
    assert b"".join(to_utf8([b"caf\xe9,1\n"], "utf-8")).decode() == f"caf{MARK},1\n"


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
        (b"PK\x03\x04" + bytes(20), "a ZIP archive"),
        (b"\x1f\x8b\x08", "a gzip file inside another"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an Excel 97 workbook or another old Office document"),
        (bytes(range(256)) * 4, "binary data, with a NUL byte at offset 0"),
    ],
)
def test_what_is_no_text_is_told_by_name(start, name):
    with pytest.raises(NotTextError) as caught:
        detect([start])
    assert str(caught.value) == name
