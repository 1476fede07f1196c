"""Counters and histograms for the hot path: an addition each, no lock.

Those of prometheus-client take one to eight microseconds a call, several a record: together more than a
tenth of what the profile role does. Only one thread may count here, the worker's loop; any may read.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Generic, TypeVar

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Count:
    """A series of a counter."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, by: float = 1) -> None:
        """Count once, or so often."""
        self.value += by


class Spread:
    """A series of a histogram. `counts` has a number for each bound, of what lies above the one before it,
    and one more of what lies above all."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Take note of a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


S = TypeVar("S", Count, Spread)


class _Family(Collector, Generic[S]):
    """A metric: its series, by the values of its labels. Without labels there is one from the start."""

    def __init__(self, name: str, meaning: str, labels: Sequence[str]) -> None:
        self._name, self._meaning, self._labels = name, meaning, tuple(labels)
        self._series: dict[tuple[str, ...], S] = {}
        if not labels:
            self.labels()

    def labels(self, *values: str) -> S:
        """The series with these values, in the order of the labels."""
        found = self._series.get(values)
        if found is None:
            if len(values) != len(self._labels):
                raise ValueError(f"{self._name} has the labels {self._labels}")
            found = self._series[values] = self._new()
        return found

    def _new(self) -> S:
        raise NotImplementedError


class Counter(_Family[Count]):
    """What only grows."""

    def inc(self, by: float = 1) -> None:
        """Count in the one series of a metric without labels."""
        self.labels().inc(by)

    def describe(self) -> Iterator[CounterMetricFamily]:
        """Name, kind and meaning, for the registry."""
        yield CounterMetricFamily(self._name, self._meaning, labels=self._labels)

    def collect(self) -> Iterator[CounterMetricFamily]:
        """The values as they are now."""
        (family,) = self.describe()
        for labels, series in list(self._series.items()):
            family.add_metric(labels, series.value)
        yield family

    def _new(self) -> Count:
        return Count()


class Histogram(_Family[Spread]):
    """How values are spread; `buckets` are upper bounds, ascending."""

    def __init__(self, name: str, meaning: str, labels: Sequence[str], buckets: Sequence[float]) -> None:
        self._bounds = tuple(map(float, buckets))
        super().__init__(name, meaning, labels)

    def observe(self, value: float) -> None:
        """Take note of a value in the one series of a metric without labels."""
        self.labels().observe(value)

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """Name, kind and meaning, for the registry."""
        yield HistogramMetricFamily(self._name, self._meaning, labels=self._labels)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The values as they are now; one that just comes in may be in the sum and not yet in a bucket."""
        (family,) = self.describe()
        bounds = [*map(floatToGoString, self._bounds), "+Inf"]
        for labels, series in list(self._series.items()):
            upto = list(accumulate(series.counts))
            family.add_metric(labels, list(zip(bounds, upto, strict=True)), series.sum)
        yield family

    def _new(self) -> Spread:
        return Spread(self._bounds)
