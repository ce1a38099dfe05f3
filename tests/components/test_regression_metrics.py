"""RMSE, MAE, R2 and quantile losses against scikit-learn's."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics
from tensorflow_model_analysis.metrics import metric_types

from components import regression_metrics
from components.config import BoundConfig, EvaluatorConfig


@pytest.fixture(scope="module")
def predictions():
    """Labels and predictions of 500 prices, float64 (500,) each."""
    random = np.random.default_rng(0)
    labels = random.normal(200_000, 80_000, 500)
    return labels, labels * 0.9 + random.normal(0, 20_000, 500)


def measure(labels, predictions, workers=1, gate="{}"):
    """What TFMA's combiner does, divided over `workers`."""
    [computation] = regression_metrics._computations("regression", gate)
    combiner = computation.combiner
    accumulators = []
    for rows in np.array_split(np.arange(len(labels)), workers):
        sums = combiner.create_accumulator()
        for row in rows:
            element = metric_types.StandardMetricInputs(label=labels[row : row + 1], prediction=predictions[row : row + 1])
            sums = combiner.add_input(sums, element)
        accumulators.append(sums)
    return {key.name: value for key, value in combiner.extract_output(combiner.merge_accumulators(accumulators)).items()}


@pytest.mark.parametrize("workers", [1, 7, 600])  # of 600 some have no row
def test_the_metrics_are_scikit_learns_however_rows_are_divided_over_workers(predictions, workers):
    assert measure(*predictions, workers) == {
        "rmse": pytest.approx(sklearn_metrics.mean_squared_error(*predictions) ** 0.5, rel=1e-9),
        "mae": pytest.approx(sklearn_metrics.mean_absolute_error(*predictions), rel=1e-9),
        "r2": pytest.approx(sklearn_metrics.r2_score(*predictions), rel=1e-9),
        "quantile_loss": pytest.approx(sklearn_metrics.mean_pinball_loss(*predictions), rel=1e-9),
    }


def test_a_quantile_that_has_a_bound_is_measured_too_with_its_own_side_weighing_more(predictions):
    bounds = tuple(BoundConfig(metric="quantile_loss", quantile=quantile, max=1) for quantile in (0.9, 0.05, 0.5))
    found = measure(*predictions, workers=3, gate=EvaluatorConfig(bounds=bounds).to_json())
    for name, quantile in (("quantile_loss_0.9", 0.9), ("quantile_loss_0.05", 0.05), ("quantile_loss", 0.5)):
        assert found[name] == pytest.approx(sklearn_metrics.mean_pinball_loss(*predictions, alpha=quantile), rel=1e-9)
    assert len(found) == 6


def test_labels_far_from_zero_keep_their_digits(predictions):
    labels, predicted = (values / 80_000 + 1e9 for values in predictions)
    assert measure(labels, predicted, workers=3)["r2"] == pytest.approx(sklearn_metrics.r2_score(labels, predicted), rel=1e-6)


def test_a_row_without_a_label_does_not_count(predictions):
    labels, predicted = (values.copy() for values in predictions)
    labels[100:] = np.nan
    assert measure(labels, predicted, workers=5) == pytest.approx(measure(labels[:100], predicted[:100]))


def test_without_rows_nothing_can_be_told_and_of_equal_labels_no_share_of_their_variance():
    assert all(np.isnan(value) for value in measure(np.zeros(0), np.zeros(0)).values())
    found = measure(np.full(3, 5.0), np.asarray([5.0, 6.0, 4.0]))
    assert np.isnan(found["r2"])
    assert found["mae"] == pytest.approx(2 / 3)
