"""What init makes of public data sets, where they lie beside the checkout or TAPELINE_DATA says where."""

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("TAPELINE_DATA", Path(__file__).resolve().parents[4] / "shared" / "data"))


@pytest.fixture
def of(init):
    """of(file, *arguments): init's answer about a public file."""

    def run(name, *arguments):
        if not DATA.is_dir():
            pytest.skip("the shared data is not on this machine")
        return init(DATA / name, *arguments)

    return run


def kinds(result):
    return {name: feature.kind for name, feature in result.config.features.items()}


def test_penguins_are_read_as_people_read_them(of):
    result = of("tabular/penguins.csv")
    assert (result.config.label, result.config.task.kind) == ("species", "multiclass")
    categories = {"island", "sex"}
    assert kinds(result) == dict.fromkeys(set(kinds(result)) - categories, "number") | dict.fromkeys(categories, "category")
    assert len(kinds(result)) == 7
    assert "3 classes: Adelie 152, Gentoo 124, Chinstrap 68." in result.out


def test_of_raw_penguins_numbers_and_constants_are_left_out(of):
    result = of("tabular/penguins_raw.csv")
    assert result.config.label == "Species"
    assert kinds(result)["Date Egg"] == "time"
    assert not {"Sample Number", "Individual ID", "Region", "Stage"} & set(kinds(result))
    assert {"Delta 15 N (o/oo)", "Culmen Length (mm)"} < set(kinds(result))


def test_of_accidents_the_twin_of_the_label_is_left_out_and_imbalance_is_said(of):
    result = of("tabular/222127_traffic_accident_2019.csv", "--label", "事故類型区分", "--yes")
    found = kinds(result)
    assert not {"事故類型", "件数", "発生日時　　年"} & set(found)
    assert (found["発生日時　　日"], found["発生日時（年月日）"], found["路線コード"]) == ("category", "time", "category")
    assert "Classes are unbalanced: always answering '車両相互' reaches an accuracy of 0.90." in result.out


def test_each_twin_of_the_accidents_gives_the_other_away(of):
    result = of("tabular/222127_traffic_accident_2019.csv", "--label", "事故内容区分")
    assert not {"事故内容", "死者数"} & set(kinds(result))


def test_the_price_of_houses_is_a_number_to_predict(of):
    result = of("tabular/california_housing.csv", "--label", "median_house_value")
    assert result.config.task.kind == "regression"
    assert kinds(result).pop("ocean_proximity") == "category"
    assert len(kinds(result)) == 9


def test_of_taxi_trips_the_empty_column_is_left_out_and_the_rare_class_is_named(of):
    result = of("tabular/chicago_taxi_simple.csv", "--label", "payment_type")
    assert "pickup_census_tract" not in kinds(result)
    assert (kinds(result)["trip_start_timestamp"], kinds(result)["company"]) == ("time", "category")
    assert "A class with one row, which is in one split only: 'Prcard'." in result.out


def test_the_marks_of_sentences_give_their_label_away(of):
    assert set(kinds(of("text/jcola_in_domain_train-v1.0.tsv"))) == {"source", "sentence", "original"}  # not `diacritic`


def test_messages_without_a_header_are_a_text_and_its_label(of):
    result = of("text/SMSSpamCollection.tsv", "--yes")
    assert result.status == 0
    assert kinds(result) == {"column_2": "text"}
    assert result.config.label == "column_1"
