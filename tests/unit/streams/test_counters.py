"""Our counters and histograms, compared with those of prometheus-client."""

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from streams.ops.counters import Counter, Histogram
from streams.ops.metrics import SECONDS

AMOUNTS = st.lists(
    st.tuples(
        st.sampled_from(["a", 'b"\\\n']),
        st.one_of(st.sampled_from(SECONDS), st.floats(min_value=0, max_value=1e6)),
    ),
    max_size=40,
)


def shown(registry: CollectorRegistry) -> list[str]:
    """Return the exposed text without creation times, which ours leave out."""
    text = generate_latest(registry).decode()
    return [line for line in text.splitlines() if "_created" not in line]


@given(AMOUNTS)
def test_our_metrics_are_exposed_like_those_of_the_library(amounts: list[tuple[str, float]]) -> None:
    """Names, bounds, escapes and sums, with labels and without; a value on a bound belongs below it."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    pairs = []
    for labels in (["who"], []):
        name = "some" if labels else "all"
        counters = (
            Counter(f"{name}_total", "what", labels),
            prometheus_client.Counter(f"{name}_total", "what", labels, registry=theirs),
        )
        histograms = (
            Histogram(f"{name}_seconds", "how long", labels, SECONDS),
            prometheus_client.Histogram(
                f"{name}_seconds", "how long", labels, registry=theirs, buckets=SECONDS
            ),
        )
        ours.register(counters[0])
        ours.register(histograms[0])
        pairs.append((labels, counters, histograms))
    for who, amount in amounts:
        for labels, counters, histograms in pairs:
            for counter, histogram in zip(counters, histograms, strict=True):
                (counter.labels(who) if labels else counter).inc(amount)  # type: ignore[attr-defined,union-attr]
                (histogram.labels(who) if labels else histogram).observe(amount)  # type: ignore[attr-defined,union-attr]
    assert shown(ours) == shown(theirs)


def test_a_series_must_have_a_value_for_each_label() -> None:
    """One too few or too many is a mistake, not a series."""
    for values in ((), ("a", "b")):
        with pytest.raises(ValueError, match="has the labels"):
            Counter("some_total", "what", ["who"]).labels(*values)
