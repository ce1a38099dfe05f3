"""Numbers with a unit are numbers, in the table that people read, in the config and for every reader."""


def test_a_column_of_one_unit_is_a_number(write, init, some):
    result = init(
        write(
            mass=[f"{number / 2} kg" for number in range(100)],
            took=["1 day", *(f"{n * 7 % 30 + 2} days" for n in range(99))],
            y=some("a", "b"),
        )
    )
    assert {name: feature.kind for name, feature in result.config.features.items()} == {"mass": "number", "took": "number"}
    assert result.config.data.csv.units == {"mass": "kg", "took": "days"}
    assert "numbers with unit kg" in " ".join(result.out.split())


def test_several_units_stay_a_category_and_are_told(write, init, some):
    result = init(write(size=some("1 kg", "2 kg", "500 g"), z=some(), y=some("a", "b")))
    assert result.config.features["size"].kind == "category"
    assert "Numbers in column 'size' have several units" in result.out


def test_thousands_and_millions_by_a_letter_beside_bare_numbers_are_told(write, init, some):
    views = ["214", "1.6K", "980", "2.5M", "20"]
    result = init(write(views=[*views, *some(*views)[:95]], z=some(), y=some("a", "b")))
    assert result.config.features["views"].kind == "category"
    assert "Numbers in column 'views' have several units (none " in result.out


def test_numbers_of_houses_are_told_of_no_units(write, init, some):
    houses = [f"{number % 40 + 1}{'abc'[number % 3] if number % 4 == 0 else ''}" for number in range(100)]
    assert "several units" not in init(write(house=houses, z=some(), y=some("a", "b"))).out


def test_a_label_with_a_unit_is_a_number_to_predict(write, init, some):
    result = init(write(z=some(), label=[f"{number * 7 % 101} cm" for number in range(100)]))
    assert (result.config.task.kind, result.config.data.csv.units) == ("regression", {"label": "cm"})
