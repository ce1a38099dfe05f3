"""One unit behind all numbers of a column is no part of them; several are told, and what is no amount is left alone."""

import pyarrow as pa
import pytest

from components.example_gen.readers import cells, csv_file, units
from components.example_gen.readers.sniffer import sniff


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        (["5 kg", "12.5 kg", "0.3 kg"], "kg"),
        (["5kg", "12,5kg", "1.200,5kg"], "kg"),
        (["30 min", "5 min", "", "NA", "7 min"], "min"),
        (["1 year", "2 years", "3 years"], "years"),
        (["20.5 °C", "-3 °C", "0 °C"], "°C"),
        (["３㎏", "４㎏", "５㎏"], "kg"),
        (["1 m²", "2 m²", "3 m²"], "m2"),
        (["3個", "12個", "1,200個"], "個"),
        (["100 km/h", "90 km/h", "80 km/h"], "km/h"),
        (["2WD", "4WD", "2WD", "4WD"], None),  # two values are names
        (["14時", "15時", "9時"], None),  # times
        (["5 Mar 2020", "6 Mar 2020", "7 Mar 2020"], None),
        (["5%", "6%", "7%"], None),  # read without this
        (["1e5", "2e5", "3e5"], None),
        (["12 High Street", "13 Low Street", "7 Main Street"], None),
        (["A 5", "B 6", "C 7"], None),
    ],
)
def test_the_unit_of_a_column_is_the_one_that_all_its_numbers_have(values, unit):
    assert units.find(["x"], [values])[0].get("x") == unit


def test_several_units_are_told_and_none_is_taken():
    found, doubts = units.find(["mass"], [["5 kg", "6 kg", "700 g"]])
    assert found == {}
    assert doubts == ["Numbers in column 'mass' have several units ('kg' 2, 'g' 1) and are not read as numbers: write one unit."]


def test_only_the_columns_own_unit_is_taken_away():
    texts = units.without(pa.array(["5 kg", "７㎏ ", "8", "9 g", "kg", None, "1 year"]), "kg")
    assert texts.to_pylist() == ["5", "7", "8", "9 g", "kg", None, "1 year"]
    assert units.without(pa.array(["1 year", "2 years", "3 y"]), "years").to_pylist() == ["1", "2", "3 y"]
    assert cells.numbers(texts).wrong == {3: "'9 g' is no number", 4: "'kg' is no number", 6: "'1 year' is no number"}


def test_numbers_with_a_unit_are_read_as_a_file_writes_its_numbers(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("mass;name\n1.200,5 kg;a\n2,25 kg;b\n30 kg;c\n?;d\n" + "4,5 kg;e\n" * 10, "utf-8")
    dialect = sniff(path).dialect
    assert (dialect.decimal, dialect.thousands, dialect.units) == (",", ".", {"mass": "kg"})
    [part] = csv_file.open_csv([path], dialect, {"mass": pa.float64(), "name": pa.string()})
    [rows] = part.read(pytest.fail)
    assert rows.batch.column("mass").to_pylist()[:5] == [1200.5, 2.25, 30.0, None, 4.5]
