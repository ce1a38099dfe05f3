"""How far a model's numbers are off: RMSE, MAE, R2 and quantile losses, as one TFMA metric."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2

from components.config import MEDIAN, EvaluatorConfig
from components.metric_names import OF_NUMBERS


class RegressionMetrics(metric_types.Metric):
    """`rmse` and `mae` in the label's own units; `r2`, the share of the labels' variance that is explained, NaN where there is none.

    `quantile_loss`, the pinball loss of the median, is half of `mae`. Those of other quantiles, `quantile_loss_0.9`, are measured where
    they have a bound.
    """

    def __init__(self, problem: str, gate: str = "{}", name: str = "regression", code: str = "") -> None:
        """`gate` is an EvaluatorConfig as JSON, `problem` for whoever reads the config back, `code` for TFX's cache."""
        del problem, code
        super().__init__(_computations, name=name, gate=gate)


def _computations(
    name: str,
    gate: str = "{}",
    eval_config: config_pb2.EvalConfig | None = None,
    model_names: list[str] | None = None,
    output_names: list[str] | None = None,
    example_weighted: bool = False,
) -> list[metric_types.MetricComputation]:
    del name, output_names, example_weighted
    bounds = [bound for bound in EvaluatorConfig.from_json(gate).bounds if bound.quantile not in (None, MEDIAN)]
    asked = {bound.measured: bound.quantile for bound in bounds}
    quantiles = np.asarray([MEDIAN, *asked.values()])
    computations = []
    for model_name in model_names or [""]:
        keys = [metric_types.MetricKey(name=each, model_name=model_name) for each in (*OF_NUMBERS, *asked)]
        computations.append(metric_types.MetricComputation(keys=keys, preprocessors=None, combiner=_Combiner(keys, quantiles, eval_config)))
    return computations


@dataclasses.dataclass
class _Sums:
    """What rows add up to; the labels' deviations are about their mean, so that large labels lose no digits."""

    rows: int = 0
    squared: float = 0.0
    absolute: float = 0.0
    mean: float = 0.0
    deviations: float = 0.0
    quantile: np.ndarray | float = 0.0  # of each quantile

    def __iadd__(self, other: _Sums) -> _Sums:
        rows = self.rows + other.rows
        if rows:
            difference = other.mean - self.mean
            self.deviations += other.deviations + difference**2 * self.rows * other.rows / rows
            self.mean += difference * other.rows / rows
        self.rows = rows
        self.squared += other.squared
        self.absolute += other.absolute
        self.quantile = self.quantile + other.quantile
        return self


class _Combiner(beam.CombineFn):
    def __init__(self, keys: list[metric_types.MetricKey], quantiles: np.ndarray, eval_config: config_pb2.EvalConfig | None) -> None:
        self._keys, self._quantiles, self._eval_config = keys, quantiles, eval_config

    def create_accumulator(self) -> _Sums:
        return _Sums()

    def add_input(self, sums: _Sums, element: metric_types.StandardMetricInputs) -> _Sums:
        pairs = metric_util.to_label_prediction_example_weight(
            element, eval_config=self._eval_config, model_name=self._keys[0].model_name, flatten=True, allow_none=True
        )
        for label, prediction, _ in pairs:
            value, error = float(label.item()), float(np.float64(prediction.item()) - label.item())
            if not math.isnan(value):
                sums += _Sums(1, error**2, abs(error), value, 0.0, np.where(error > 0, 1 - self._quantiles, self._quantiles) * abs(error))
        return sums

    def merge_accumulators(self, accumulators: Iterable[_Sums]) -> _Sums:
        merged = self.create_accumulator()
        for sums in accumulators:
            merged += sums
        return merged

    def extract_output(self, sums: _Sums) -> dict[metric_types.MetricKey, float]:
        if not sums.rows:
            return dict.fromkeys(self._keys, float("nan"))
        r2 = 1 - sums.squared / sums.deviations if sums.deviations > 0 else float("nan")
        quantile = np.asarray(sums.quantile / sums.rows).tolist()
        return dict(zip(self._keys, (math.sqrt(sums.squared / sums.rows), sums.absolute / sums.rows, r2, *quantile), strict=True))
