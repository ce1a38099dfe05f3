"""Several columns of 0 and 1 after --label are one label of several names."""

import pytest


@pytest.fixture
def comments(write, some):
    return write(length=some(), toxic=some(0, 1), obscene=some(0, 0, 1), threat=some(0, 0, 0, 1))


def test_columns_of_0_and_1_are_labels_and_no_features(init, comments):
    result = init(comments, "--label", "toxic, obscene,threat")
    assert result.status == 0, result.err
    written = result.config
    assert (written.label, written.task.kind, list(written.features)) == (("toxic", "obscene", "threat"), "multilabel", ["length"])
    assert "Label 'labels', made of 'toxic', 'obscene', 'threat': multilabel (columns of 0 and 1).\n3 classes: toxic " in result.out


def test_a_name_with_a_comma_is_itself_or_in_quotes(init, write, some):
    path = write(**{"length": some(), '"toxic, mild"': some(0, 1), "obscene": some(0, 1)})
    assert init(path, "--label", "toxic, mild", output="one.yaml").config.label == "toxic, mild"
    assert init(path, "--label", '"toxic, mild",obscene', output="two.yaml").config.label == ("toxic, mild", "obscene")


def test_what_is_left_out_or_cannot_be_learnt_is_said(init, write, some):
    result = init(write(length=some(), a=["", *some(0, 1)[1:]], b=[0] * 100), "--label", "a,b")
    assert "Note: 1 row has no value in one of the label's columns and is left out.\n" in result.out
    assert "Note: No row has a 1 in 'b', which cannot be learnt.\n" in result.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("toxic,obscen",), "Expected --label to be a column of the data: 'length', 'toxic', 'obscene', 'threat'. Received: 'obscen'."),
        (("toxic,length",), "Expected columns of 0 and 1 in --label, where it names several. Received: '"),
        (("toxic,threat", "--task", "binary"), "Expected --task multilabel with several columns in --label. Received: binary."),
    ],
)
def test_columns_that_cannot_be_labels_are_refused_in_one_line(init, comments, arguments, said):
    result = init(comments, "--label", *arguments)
    assert (result.status, result.text, result.err.count("\n")) == (2, None, 1)
    assert result.err.startswith(said)


def test_columns_without_a_1_are_refused(init, write, some):
    result = init(write(length=some(), a=[0] * 100, b=[0] * 100), "--label", "a,b")
    assert result.err == "Expected a 1 in one of the columns a, b. Received: none. Give other columns in --label.\n"
