"""Each column is told to be a number, a category, a time or text, and why."""

import pyarrow as pa
import pytest

from components.example_gen.readers.dialect import MISSING, Dialect
from pipeline.init.column import Column
from pipeline.init.kinds import kind_of

PROSE = [f"the {word} number {number} was never seen again" for number in range(60) for word in ("cat", "dog")]
JAPANESE = [f"{name}は{number}年前に東京で本を買った。" for number in range(60) for name in ("太郎", "花子")]


def kind(values, name="x", **dialect):
    texts = [None if value in MISSING else str(value) for value in values]
    return kind_of(Column(name, pa.array(texts, pa.string()), Dialect(**dialect)))


@pytest.mark.parametrize(
    ("values", "expected", "why"),
    [
        (["1.5", "2", "", "-3e2"], "number", "numbers"),
        (range(100), "number", "whole numbers"),
        ([1, 2, 3] * 9, "number", "3 whole numbers; `category` if they are codes"),
        ([0, 1] * 9, "number", "whole numbers"),
        (["04", "11", "27"] * 9, "category", "leading zeros: codes"),
        (["00501", "90210"] * 9, "category", "leading zeros: codes"),
        (["0", "0.5", "10"], "number", "numbers"),
        (["red", "blue", ""] * 9, "category", "2 values"),
        (["2019-01-04", "2020-12-31"], "time", "dates, the year first"),
        (["2019年1月4日", "2020年12月31日"], "time", "dates, the year first"),
        (["2019-01-04 10:30", "2020-12-31 23:59:59"], "time", "dates, the year first"),
        (["20190104", "20201231"], "time", "days as YYYYMMDD"),
        (["20190104", "20201331"], "number", "whole numbers"),
        (PROSE, "text", "8 words on average, 100% different"),
        (JAPANESE, "text", "7 words on average, 100% different"),
        (["a rather long name of a class"] * 50 + ["another rather long name"] * 50, "category", "2 values"),
        (["14:37", "09:05"] * 9, "time", "times of day"),
        (["2:30 PM", "11:05 AM"] * 9, "time", "times of day"),
        (["令和元年5月1日", "平成31年4月30日"] * 9, "time", "dates"),
        (["H31.4.30", "R1.5.1"] * 9, "time", "dates"),
        (["March 5, 2019", "May 12, 2019"] * 9, "time", "dates"),
        (["Tue Mar  5 15:04:05 2019", "Wed Mar  6 01:04:05 2019"] * 9, "time", "dates"),
        (["4:3", "16:9"] * 9, "category", "2 values"),
        (["Mar-05", "6-9"] * 9, "category", "2 values"),
        (["$1.50", "(2)", "12%"] * 9, "number", "numbers"),
    ],
)
def test_values_say_what_a_column_is(values, expected, why):
    assert kind(values)[:2] == (expected, why)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("路線コード", [150, 3700] * 9, "category"),
        ("zip", [90210, 10001] * 9, "category"),
        ("code", range(0, 2000, 7), "number"),
        ("decode", [150, 3700] * 9, "number"),
        ("created_at", [1400269500, 1362683700], "time"),
        ("timestamp_ms", [1400269500000, 1362683700000], "time"),
        ("population", [1400269500, 1362683700], "number"),
        ("Date", [45292, 45293, 45381], "time"),
        ("取引日時", [45292.5, 45293.041667, 45381.75], "time"),
        ("start_time", [45292.51, 45293.1234, 45381.75], "number"),
        ("price", [45292, 45293, 45381], "number"),
        ("price", [45292.25, 45293.5, 45381.75] * 9, "number"),
        ("price", [f"{40000 + number * 0.9737:.6f}" for number in range(90)], "number"),
        ("measured", [f"{40179 + hour / 24:.6f}" for hour in range(90)], "time"),
        ("time_in_bed", [400, 300], "number"),
    ],
)
def test_a_name_decides_where_whole_numbers_could_be_more_than_one_thing(name, values, expected):
    assert kind(values, name).name == expected


@pytest.mark.parametrize(
    ("values", "order", "is_doubtful"),
    [
        (["13/01/2020", "02/03/2021"], "day_first", False),
        (["01/13/2020", "02/03/2021"], "month_first", False),
        (["01/02/2020", "02/03/2021"], "month_first", True),
    ],
)
def test_the_order_of_day_and_month_is_what_the_calendar_allows_else_a_doubt_is_said(values, order, is_doubtful):
    found = kind(values, "when")
    assert (found.name, found.order) == ("time", order)
    assert bool(found.doubt) == is_doubtful


def test_a_decimal_comma_is_one():
    assert kind(["1,5", "2,25"], decimal=",").name == "number"
    assert kind(["1,5", "2,25"]).name == "category"


def test_numbers_with_the_other_decimal_point_are_no_seconds():
    assert kind(["1.5", "22.25"] * 9, decimal=",").name == "category"
