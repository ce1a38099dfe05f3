"""The gate's settings as TFMA's: each bound names its slice."""

from tensorflow_model_analysis.proto import config_pb2

from components.config import EvaluatorConfig
from components.evaluation import class_bounds, eval_config


def thresholds(config):
    """{slice: threshold} of accuracy, "" for the whole split."""
    [accuracy] = [metric for metric in eval_config(config, 3).metrics_specs[0].metrics if metric.class_name == "SparseCategoricalAccuracy"]
    assert not accuracy.HasField("threshold")  # TFMA would apply it to every slice
    return {
        dict(bound.slicing_specs[0].feature_values).get("image/class/label", ""): bound.threshold for bound in accuracy.per_slice_thresholds
    }


def test_the_plain_bound_holds_for_the_whole_split_only():
    found = thresholds(EvaluatorConfig(min_accuracy=0.7))
    assert found.keys() == {""}
    assert found[""].value_threshold.lower_bound.value == 0.7


def test_a_bound_of_a_single_class_wins_over_that_of_each_class():
    config = EvaluatorConfig(min_class_accuracy=0.5, class_min_accuracy={"2": 0.9})
    assert class_bounds(config, 3) == {"0": 0.5, "1": 0.5, "2": 0.9}
    assert {label: bound.value_threshold.lower_bound.value for label, bound in thresholds(config).items() if label} == class_bounds(
        config, 3
    )


def test_the_last_blessed_model_may_be_better_by_the_drop_or_is_not_compared():
    compared = thresholds(EvaluatorConfig(max_accuracy_drop=0.02))[""]
    assert compared.change_threshold.absolute.value == -0.02
    assert compared.change_threshold.direction == config_pb2.MetricDirection.HIGHER_IS_BETTER
    assert not thresholds(EvaluatorConfig(max_accuracy_drop=None))[""].HasField("change_threshold")


def test_the_whole_split_and_each_class_are_measured():
    specs = eval_config(EvaluatorConfig(), 3).slicing_specs
    assert [list(spec.feature_keys) for spec in specs] == [[], ["image/class/label"]]
