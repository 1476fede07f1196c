"""The layer over Faust on a real Kafka: what Faust alone would lose or double."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from streams import admin, delivery, worker
from streams.broker import Broker
from streams.reading import records
from streams.roles import Role
from streams.settings import Settings
from tests.authors import enriched
from tests.running import feed_keyed, settings_for, wait_until_done


def counted(settings: Settings) -> int:
    """Posts in all profiles as a reader of the topic sees them."""
    newest: dict[bytes, Any] = {}
    for record in records(settings, "profiles"):
        newest[record.key] = json.loads(record.value)
    return sum(profile["windows"]["90d"]["posts"] for profile in newest.values())


async def run_until_done(settings: Settings) -> None:
    """Run the profile role in this process until nothing is left to do."""
    stop = asyncio.Event()
    running = asyncio.ensure_future(worker.run(settings, [Role.PROFILE], stop=stop))
    waiting = asyncio.ensure_future(asyncio.to_thread(wait_until_profiled, settings))
    await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    await running
    await waiting


def wait_until_profiled(settings: Settings) -> None:
    """Returns when the profile role has committed all there is."""
    wait_until_done(settings, roles={Role.PROFILE}, limit=60)


def test_records_fetched_while_recovery_ends_are_counted(
    own_broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is buffered when Faust resumes its flow after recovery is not thrown away."""
    # Few in flight, so that what is fetched has to wait in the buffers.
    settings = settings_for(
        own_broker, f"sqlite:///{tmp_path}/store.db", topics={"partitions": 2}, worker={"in_flight": 3}
    )
    with admin.admin_client(settings) as client:
        admin.apply(client, settings)
    feed_keyed(settings, "enriched", [enriched(n, n % 50) for n in range(500)])
    asyncio.run(run_until_done(settings))
    assert counted(settings) == 500
    feed_keyed(settings, "enriched", [enriched(n, n % 50) for n in range(500, 1000)])

    seek = delivery.Consumer.perform_seek

    async def slow_seek(self: delivery.Consumer) -> None:
        """Leave the fetcher time to fetch before the flow is resumed."""
        await seek(self)
        await asyncio.sleep(1.5)

    monkeypatch.setattr(delivery.Consumer, "perform_seek", slow_seek)
    asyncio.run(run_until_done(settings))
    assert counted(settings) == 1000
