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


def test_a_label_with_a_unit_is_a_number_to_predict(write, init, some):
    result = init(write(z=some(), label=[f"{number * 7 % 101} cm" for number in range(100)]))
    assert (result.config.task.kind, result.config.data.csv.units) == ("regression", {"label": "cm"})
