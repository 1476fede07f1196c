"""Counters and histograms for the hot path: one addition a call, no lock.

The ones of prometheus-client take one to eight microseconds a call. A record needs several calls: more
than a tenth of the profile role's work. Only the thread of the worker's loop may count; any may read.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Generic, TypeVar

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class CounterSeries:
    """One series of a counter."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, by: float = 1) -> None:
        """Add to the count."""
        self.value += by


class HistogramSeries:
    """One series of a histogram.

    `counts[i]` is the number of values above bound i - 1 and up to bound i; the last one counts those
    above all bounds.
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


S = TypeVar("S", CounterSeries, HistogramSeries)


class _Family(Collector, Generic[S]):
    """A metric and its series by label values. A metric without labels has one series from the start."""

    def __init__(self, name: str, meaning: str, labels: Sequence[str]) -> None:
        self._name, self._meaning, self._labels = name, meaning, tuple(labels)
        self._series: dict[tuple[str, ...], S] = {}
        if not labels:
            self.labels()

    def labels(self, *values: str) -> S:
        """Return the series with these label values, in the order of the labels; it is made on first use."""
        found = self._series.get(values)
        if found is None:
            if len(values) != len(self._labels):
                raise ValueError(f"{self._name} has the labels {self._labels}")
            found = self._series[values] = self._new()
        return found

    def _new(self) -> S:
        raise NotImplementedError


class Counter(_Family[CounterSeries]):
    """A number that only grows."""

    def inc(self, by: float = 1) -> None:
        """Add to the single series of a metric without labels."""
        self.labels().inc(by)

    def describe(self) -> Iterator[CounterMetricFamily]:
        """Yield name, kind and meaning, without values, for the registry."""
        yield CounterMetricFamily(self._name, self._meaning, labels=self._labels)

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the current values."""
        (family,) = self.describe()
        for labels, series in list(self._series.items()):
            family.add_metric(labels, series.value)
        yield family

    def _new(self) -> CounterSeries:
        return CounterSeries()


class Histogram(_Family[HistogramSeries]):
    """A distribution of values; `buckets` are the upper bounds, ascending."""

    def __init__(self, name: str, meaning: str, labels: Sequence[str], buckets: Sequence[float]) -> None:
        self._bounds = tuple(map(float, buckets))
        super().__init__(name, meaning, labels)

    def observe(self, value: float) -> None:
        """Count a value in the single series of a metric without labels."""
        self.labels().observe(value)

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """Yield name, kind and meaning, without values, for the registry."""
        yield HistogramMetricFamily(self._name, self._meaning, labels=self._labels)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield the current values. A value just counted may be missing in the sum."""
        (family,) = self.describe()
        bounds = [*map(floatToGoString, self._bounds), "+Inf"]
        for labels, series in list(self._series.items()):
            upto = list(accumulate(series.counts))
            family.add_metric(labels, list(zip(bounds, upto, strict=True)), series.sum)
        yield family

    def _new(self) -> HistogramSeries:
        return HistogramSeries(self._bounds)
