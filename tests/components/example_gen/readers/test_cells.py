"""Text as numbers and times: what is read, and what is told as wrong."""

import datetime

import pyarrow as pa
import pytest

from components.example_gen.readers import cells


def numbers(texts, **settings):
    column = cells.numbers(pa.array(texts, pa.string()), **settings)
    assert column.values.type == pa.float64()
    return column.values.to_pylist(), column.wrong


def times(texts, **settings):
    """As ISO text, so that a reader sees what was read."""
    column = cells.times(pa.array(texts, pa.string()), **settings)
    assert column.values.type == pa.int64()
    zone = datetime.UTC
    shown = [
        None if value is None else datetime.datetime.fromtimestamp(value, zone).isoformat()[:19] for value in column.values.to_pylist()
    ]
    return shown, column.wrong


def test_numbers_are_read_as_people_write_them():
    assert numbers(["1", "-2.5", ".5", "3.", "1e3", None]) == ([1, -2.5, 0.5, 3, 1000, None], {})
    assert numbers([" 1.5 ", "+2", "３", "\t4"]) == ([1.5, 2, 3, 4], {})


def test_what_is_no_finite_number_is_wrong_and_not_a_number_is_missing():
    values, wrong = numbers(["1", "abc", "1_000", "inf", "nan", "1,5", ""])
    assert values == [1, None, None, None, None, None, None]
    assert wrong == {
        1: "'abc' is no number",
        2: "'1_000' is no number",
        3: "'inf' is no finite number",
        5: "'1,5' is no number",
        6: "'' is no number",
    }


def test_with_a_decimal_comma_a_point_is_no_number():
    values, wrong = numbers(["1,5", "-2", "1.234,5", "3.5", None], decimal=",")
    assert values == [1.5, -2, None, None, None]
    assert wrong == {2: "'1.234,5' is no number", 3: "'3.5' is no number"}


def test_a_marker_of_a_missing_value_is_one_with_spaces_around_it_too():
    assert numbers([" NA ", "1"], missing=("NA",)) == ([None, 1], {})
    assert times([" NA ", "2020-01-02"], missing=("NA",)) == ([None, "2020-01-02T00:00:00"], {})


def test_a_long_value_is_shortened_to_one_line():
    _, wrong = numbers(["1", "many\nwords " * 20])
    assert wrong == {1: "'many words many words many words many w…' is no number"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-01-02", "2020-01-02T00:00:00"),
        ("2020-01-02 03:04", "2020-01-02T03:04:00"),
        ("2020-01-02T03:04:05.678Z", "2020-01-02T03:04:05"),
        ("2020-01-02T03:04:05+09:00", "2020-01-01T18:04:05"),
        ("2020-01-02 03:04:05 -0530", "2020-01-02T08:34:05"),
        ("2020/1/2", "2020-01-02T00:00:00"),
        ("2020年1月2日", "2020-01-02T00:00:00"),
        ("20200102", "2020-01-02T00:00:00"),
        ("2020-02-29", "2020-02-29T00:00:00"),
        ("1577934245", "2020-01-02T03:04:05"),
        ("1577934245678", "2020-01-02T03:04:05"),
        ("1577934245.5", "2020-01-02T03:04:05"),
        ("45292", "2024-01-01T00:00:00"),
        ("2019", "2019-01-01T00:00:00"),
        ("1968.0", "1968-01-01T00:00:00"),
        ("45292.604178", "2024-01-01T14:30:01"),
        ("1969-12-31 23:59:59", "1969-12-31T23:59:59"),
        ("14:37", "1970-01-01T14:37:00"),
        ("2:37:05 pm", "1970-01-01T14:37:05"),
    ],
)
def test_dates_whose_year_is_first_and_unix_time_are_read(text, expected):
    assert times([text, None]) == ([expected, None], {})
    assert times([text, "2020/1/2"])[0][0] == expected  # also where another cell keeps the column from being cast at once


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("令和元年5月1日", "2019-05-01T00:00:00"),
        ("平成31年4月30日 14時05分", "2019-04-30T14:05:00"),
        ("R1.5.1", "2019-05-01T00:00:00"),
        ("H31/4/30", "2019-04-30T00:00:00"),
        ("２０１９年５月１日", "2019-05-01T00:00:00"),
        ("2019年5月1日(水)", "2019-05-01T00:00:00"),
        ("2019/5/1（水・祝）", "2019-05-01T00:00:00"),
        ("2019年5月", "2019-05-01T00:00:00"),
        ("2019-05", "2019-05-01T00:00:00"),
        ("14時05分", "1970-01-01T14:05:00"),
        ("5-Mar-2019", "2019-03-05T00:00:00"),
        ("5 Mar 99", "1999-03-05T00:00:00"),
        ("March 5, 2019 3:04 PM", "2019-03-05T15:04:00"),
        ("Tue Mar  5 15:04:05 2019", "2019-03-05T15:04:05"),
        ("Tue Mar 05 15:04:05 +0900 2019", "2019-03-05T06:04:05"),
        ("05/Mar/2019:15:04:05 +0000", "2019-03-05T15:04:05"),
        ("May 1st, 2020", "2020-05-01T00:00:00"),
        ("2019-Mar-05", "2019-03-05T00:00:00"),
        ("1. Oktober 2019", "2019-10-01T00:00:00"),
        ("Tue, 5 Mar 2019 10:11:12 GMT", "2019-03-05T10:11:12"),
        ("Jan 2019", "2019-01-01T00:00:00"),
    ],
)
def test_dates_with_eras_days_of_the_week_and_names_of_months_are_read_among_others(text, expected):
    assert times([text, None, "2020-01-02"]) == ([expected, None, "2020-01-02T00:00:00"], {})


@pytest.mark.parametrize("text", ["Mar-05", "5 Mar", "令和2年2月30日", "令和元年", "3 May 2019 or so", "R1", "May I, 2019"])
def test_what_is_not_a_whole_date_is_none(text):
    assert times([text, "2020-01-02"]) == ([None, "2020-01-02T00:00:00"], {0: f"'{text}' is no time"})


@pytest.mark.parametrize(
    ("order", "text", "expected"),
    [
        ("day_first", "02/01/2020", "2020-01-02T00:00:00"),
        ("month_first", "01/02/2020", "2020-01-02T00:00:00"),
        ("day_first", "2.1.20 15:04", "2020-01-02T15:04:00"),
        ("month_first", "1/2/2020 3:04 PM", "2020-01-02T15:04:00"),
        ("month_first", "1/2/1999 12:04 am", "1999-01-02T00:04:00"),
        ("day_first", "2020-01-02", "2020-01-02T00:00:00"),
    ],
)
def test_whether_the_day_or_the_month_is_first_is_said_for_the_whole_column(order, text, expected):
    assert times([text], order=order) == ([expected], {})


def test_days_that_no_calendar_has_are_wrong():
    values, wrong = times(["2021-02-29", "2020-13-01", "31/04/2020", "2020-01-02 25:00"], order="day_first")
    assert values == [None] * 4
    assert wrong[0] == "'2021-02-29' is no time"
    assert len(wrong) == 4
