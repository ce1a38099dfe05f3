"""The gate's settings as TFMA's: thresholds of the whole split, however many classes have bounds of their own."""

from tensorflow_model_analysis.proto import config_pb2

from components.config import EvaluatorConfig
from components.evaluation import class_bounds, eval_config
from tests.problems import of_pictures


def threshold(config, class_name="BoundMetric"):
    """That of a metric, None if it has none."""
    metrics = [each for each in eval_config(config, of_pictures(3)).metrics_specs[0].metrics if each.class_name == class_name]
    return next((metric.threshold for metric in metrics if metric.HasField("threshold")), None)


def test_the_plain_bound_is_the_least_accuracy():
    assert threshold(EvaluatorConfig(min_accuracy=0.7)).value_threshold.lower_bound.value == 0.7


def test_a_bound_of_a_single_class_wins_over_that_of_each_class():
    config = EvaluatorConfig(min_class_accuracy=0.5, class_min_accuracy={"2": 0.9})
    assert class_bounds(config, of_pictures(3)) == {0: 0.5, 1: 0.5, 2: 0.9}


def test_where_classes_have_bounds_none_may_be_below_its_own():
    for config in (EvaluatorConfig(min_class_accuracy=0.5), EvaluatorConfig(class_min_accuracy={"2": 0.9})):
        below = threshold(config, "MacroMetrics").value_threshold
        assert below.HasField("upper_bound")
        assert below.upper_bound.value == 0
    assert threshold(EvaluatorConfig(), "MacroMetrics") is None


def test_the_last_blessed_model_may_be_better_by_the_drop_or_is_not_compared():
    compared = threshold(EvaluatorConfig(max_accuracy_drop=0.02))
    assert compared.change_threshold.absolute.value == -0.02
    assert compared.change_threshold.direction == config_pb2.MetricDirection.HIGHER_IS_BETTER
    assert not threshold(EvaluatorConfig(min_accuracy=0.7, max_accuracy_drop=None)).HasField("change_threshold")
    assert threshold(EvaluatorConfig(max_accuracy_drop=None)) is None


def test_what_tfma_is_asked_does_not_grow_with_the_classes():
    """It matches each slice with the threshold of each slice: a thousand classes took two minutes, and more would not end."""
    few, many = (eval_config(EvaluatorConfig(min_class_accuracy=0.5), of_pictures(classes)) for classes in (10, 100_000))
    assert many.ByteSize() - few.ByteSize() == len("100000") - len("10")
    for config in (few, many):
        assert [list(spec.feature_keys) for spec in config.slicing_specs] == [[]]  # the whole split alone
