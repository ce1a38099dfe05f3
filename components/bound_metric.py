"""Gives a bound to a metric that another one computes: TFMA takes thresholds only from the metric whose own name it is."""

from typing import Any

from tensorflow_model_analysis.metrics import metric_types


class BoundMetric(metric_types.Metric):
    """Computes nothing; its threshold is for the metric called `name`."""

    def __init__(self, name: str) -> None:
        super().__init__(_nothing, name=name)


def _nothing(name: str, **_: Any) -> list[metric_types.MetricComputation]:
    del name
    return []
