"""Times: what comes round (the hour, the day of the week and of the year) and how late it is among the rows of the train split."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field

from trainer.features import names
from trainer.features.kind import Kind, RawType, one_a_row
from trainer.lazy import tf, tft

MISSING = -(2**63)  # no time that anybody means
_DAY = 86_400
_PERIODS = (_DAY, 7 * _DAY, 31_556_952)  # seconds: a day, a week, the mean Gregorian year
_MONDAY = 4 * _DAY  # 1970-01-01 was a Thursday


class TimeFeature(Kind):
    """A point in time, int64 seconds since 1970-01-01 UTC; missing is no value."""

    raw_type: ClassVar[RawType] = "int"
    missing_value: ClassVar[float | bytes | None] = MISSING

    kind: Literal["time"] = Field("time", description="A point in time.")
    order: Literal["year_first", "day_first", "month_first"] = Field(
        "year_first", description="What 1/2/2024 means; years of four digits at the front, and Unix seconds, are always read."
    )

    @classmethod
    def transform(cls, features: Mapping[str, Self], raw: Mapping[str, tf.Tensor | tf.SparseTensor]) -> dict[str, tf.Tensor]:
        """`times`, float32 (batch, 8 a feature): sine and cosine of each period, how late it is from 0 to 1, and 1 where it is missing."""
        parts = []
        for name in features:
            seconds = one_a_row(raw[name], MISSING)
            missing = tf.equal(seconds, MISSING)
            for period in _PERIODS:
                # Whole numbers first: float32 does not hold the seconds of today.
                angle = tf.cast(tf.math.floormod(seconds - _MONDAY, period), tf.float32) * (2 * math.pi / period)
                parts += [tf.where(missing, 0.0, tf.sin(angle)), tf.where(missing, 0.0, tf.cos(angle))]
            days = tf.cast(seconds, tf.float64) / _DAY
            low = tft.min(tf.where(missing, tf.float64.max, days))
            high = tft.max(tf.where(missing, tf.float64.min, days))
            span = tf.where(high > low, high - low, 1.0)
            late = tf.cast(tf.clip_by_value((days - low) / span, 0.0, 1.0), tf.float32)
            parts += [tf.where(missing, 0.0, late), tf.cast(missing, tf.float32)]
        return {names.TIMES: tf.stack(parts, axis=1)}
