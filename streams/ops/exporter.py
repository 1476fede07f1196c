"""`superfan exporter`: query broker and store, and serve the results to Prometheus.

One exporter is enough for a cluster. It does not ask the workers, so a stuck or missing worker shows.
"""

import logging
import time
from collections import defaultdict
from contextlib import ExitStack
from itertools import product

from kafka import KafkaConsumer
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from models.errors import SuperfanError
from models.store import Store
from models.tables import COSTS_READ, RATES_UNTIL
from models.times import instant, rfc3339
from streams import clock
from streams.broker import admin
from streams.broker.clients import group_less_consumer
from streams.broker.lag import FETCH_BYTES, PartitionLag, partition_lags, waiting_seconds
from streams.ops import endpoint, metrics
from streams.ops.liveness import Liveness
from streams.ops.metrics import Measured, Rows
from streams.settings import Settings, SettingsError
from streams.shutdown import Stop
from streams.store import store_of

log = logging.getLogger(__name__)

Found = dict[str, Rows]


def run_exporter(settings: Settings, stop: Stop) -> None:
    """Measure every `metrics.every` seconds until `stop`; broker and store may be away meanwhile.

    Raises `SettingsError` when no port is set.
    """
    if settings.metrics.port is None:
        raise SettingsError("The exporter has no port", "metrics.port is not set", "set it, or use --port")
    measured, liveness = Measured(), Liveness()
    with (
        endpoint.serving(settings, ("exporter",), liveness, measured),
        stop.waking(lambda: None),
        store_of(settings) as store,
    ):
        while not stop.asked:
            _measure_until_lost(settings, store, measured, liveness, stop)


def _measure_until_lost(
    settings: Settings, store: Store, measured: Measured, liveness: Liveness, stop: Stop
) -> None:
    """Measure repeatedly over the same connections until `stop`, or until the broker is lost."""
    try:
        with ExitStack() as stack:
            client = stack.enter_context(admin.admin_client(settings))
            consumer = stack.enter_context(
                group_less_consumer(settings, max_partition_fetch_bytes=FETCH_BYTES)
            )
            stack.enter_context(liveness.watching(lambda: ()))
            while not stop.asked:
                liveness.heartbeat()
                asking = of_broker(client, consumer, settings.topics.partitions)
                measured.publish(_merged(asking, of_store(store, settings)))
                stop.wait(settings.metrics.every)
    except admin.TopicError as error:
        log.warning("The lag cannot be measured: %s", error)
        liveness.heartbeat()
        measured.publish(_merged(_dependency("broker", up=True), of_store(store, settings)))
        stop.wait(settings.metrics.every)
    except (SuperfanError, KafkaError, OSError) as error:
        log.warning("The broker does not answer: %s", error)
        liveness.heartbeat()
        measured.publish(_merged(_dependency("broker", up=False), of_store(store, settings)))
        stop.wait(settings.metrics.every)


def of_broker(client: KafkaAdminClient, consumer: KafkaConsumer, partitions: int) -> Found:
    """Return the broker's figures of topics and groups; raises `TopicError` if an input topic is missing."""
    found = partition_lags(client, partitions)
    ages = waiting_seconds(consumer, found, now_ms=clock.now_ms())
    written: dict[tuple[str, ...], float] = defaultdict(float)
    consumed: dict[tuple[str, ...], float] = defaultdict(float)
    for each in found:
        written[each.topic,] += each.end
        consumed[each.role, each.topic] += each.position
    return _dependency("broker", up=True) | {
        metrics.LAG_RECORDS.name: {_labels(each): each.behind for each in found},
        metrics.LAG_SECONDS.name: {_labels(each): age for each, age in ages.items()},
        metrics.TOPIC_RECORDS.name: written,
        metrics.CONSUMED.name: consumed,
        metrics.BENCHMARK.name: {
            ("costs",): instant(COSTS_READ) / 1000,
            ("engagement",): instant(RATES_UNTIL) / 1000,
        },
    }


def of_store(store: Store, settings: Settings) -> Found:
    """Return the store's figures of candidates, or only that the store is away."""
    try:
        counts = store.census()
        overdue = store.notices_overdue(rfc3339(clock.now_ms()))
    except SuperfanError as error:
        log.warning("The store does not answer: %s", error)
        return _dependency("store", up=False)
    brands = [brand.name for brand in settings.brands]
    nobody: Rows = dict.fromkeys(product(brands, ("candidate",), settings.tiers.wanted), 0.0)
    found: Rows = {(brand, state, tier or "unknown"): count for (brand, state, tier), count in counts.items()}
    return _dependency("store", up=True) | {
        metrics.CANDIDATES.name: {**nobody, **found},
        metrics.NOTICES_OVERDUE.name: {(brand,): overdue.get(brand, 0) for brand in brands},
    }


def _dependency(name: str, *, up: bool) -> Found:
    found: Found = {metrics.UP.name: {(name,): float(up)}}
    return found | {metrics.MEASURED.name: {(name,): time.time()}} if up else found


def _labels(lag: PartitionLag) -> tuple[str, ...]:
    return lag.role, lag.topic, str(lag.partition)


def _merged(*parts: Found) -> Found:
    """Join the rows of both dependencies by metric."""
    names = {name for part in parts for name in part}
    return {name: {k: v for part in parts for k, v in part.get(name, {}).items()} for name in names}
