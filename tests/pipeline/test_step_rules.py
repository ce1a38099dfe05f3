"""A step that cannot train what a config asks for is refused before the run, in one line."""

import pytest

from pipeline import config
from trainer.errors import ConfigError

COSTLY = "trainer.step={kind: reinforce, costs: %s}"


def loaded(*changes):
    return config.load("configs/digits.yaml", ["trainer.loop=gradient_tape", *changes])


def refused(*changes):
    with pytest.raises(ConfigError) as caught:
        loaded(*changes)
    return str(caught.value)


def table(tmp_path, task):
    (tmp_path / "rows.csv").write_text("a,y\n1,2\n2,3\n")
    path = tmp_path / "table.yaml"
    path.write_text(
        f"name: rows\ndata: {{format: csv, path: rows.csv}}\nfeatures: {{a: number}}\nlabel: y\ntask: {task}\n"
        "trainer: {loop: gradient_tape}\n"
    )
    return str(path)


@pytest.mark.parametrize("step", ["reinforce", "maml", "gan"])
@pytest.mark.parametrize("task", ["regression", "{kind: multilabel, separator: ;}"])
def test_a_step_of_classes_is_refused_other_tasks(tmp_path, step, task):
    with pytest.raises(ConfigError, match=rf"trainer\.step: Expected a task of classes.* for `{step}`\. Received: `task: (regr|multil)"):
        config.load(table(tmp_path, task), [f"trainer.step={step}"])


def test_a_cost_of_a_class_that_there_is_not_is_refused_with_the_classes():
    assert "trainer.step.costs: Expected classes, some of '0', '1'" in refused(COSTLY % "[[3, 12, 5]]")
    assert loaded(COSTLY % "[[3, 8, 5]]").trainer.step.costs == (("3", "8", 5.0),)


@pytest.mark.parametrize(
    ("costs", "said"),
    [
        ("[[3, 8]]", "Expected a list of [TRUE, PREDICTED, COST], two classes and a number from 0 to 1,000,000. Received: [3, 8]."),
        ("[[3, 8, -1]]", "Received: [3, 8, -1]."),
        ("[[true, false, 1]]", "Received: [True, False, 1]. Names that YAML takes for something else need quotes."),
        ("[[3, 8, 1], [3, 8, 2]]", "Expected each pair of classes once. Received: [3, 8] twice."),
        ("4", "Received: 4."),
    ],
)
def test_costs_that_are_none_are_refused_in_one_line(costs, said):
    found = refused(COSTLY % costs)
    assert said in found and found.count("trainer.step") == 1


def test_a_policy_gradient_takes_no_other_loss_and_no_class_weights(tmp_path):
    assert "trainer.loss: Expected `auto` with `trainer.step: reinforce`" in refused(
        "trainer.step={kind: reinforce, weight: 1.0}", "trainer.loss=categorical_focal_crossentropy"
    )
    with pytest.raises(ConfigError, match=r"task\.class_weights: Expected `none` with `trainer\.step: reinforce`, whose `costs` weigh"):
        config.load(table(tmp_path, "{kind: multiclass, class_weights: balanced}"), ["trainer.step=reinforce"])


@pytest.mark.parametrize("step", ["reinforce", "maml", "gan"])
def test_a_step_that_cannot_weigh_rows_is_refused_a_column_of_weights(tmp_path, step):
    with pytest.raises(
        ConfigError, match=rf"weight: Expected none with `trainer\.step: {step}`, wh.*\. Remove it, or set `trainer\.step: st"
    ):
        config.load(table(tmp_path, "multiclass"), [f"trainer.step={step}", "weight=w"])
    assert config.load(table(tmp_path, "multiclass"), ["trainer.step=sam", "weight=w"]).problem.weight == "w"


def test_pictures_that_no_table_lists_have_no_column_of_weights(tmp_path):
    assert "weight: Expected none with `data.format: digits`, whose rows are a picture and a number. Remove it." in refused("weight=w")
    (tmp_path / "pictures.yaml").write_text("name: pictures\ndata: {format: images, path: pictures}\nweight: w\n")
    with pytest.raises(ConfigError, match=r"weight: Expected none with `data\.format: images`, where a row is a picture in a folder"):
        config.load(tmp_path / "pictures.yaml")
