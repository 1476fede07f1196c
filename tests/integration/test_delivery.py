"""The layer over Faust on a real Kafka: what Faust alone would lose or double."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from mode.utils.queues import FlowControlEvent, ThrowableQueue

from models.annotations import Annotation
from models.opinions import EnrichedPost
from models.posts import Author, Post, author_key
from models.records import encode
from streams import admin, delivery, worker
from streams.broker import Broker
from streams.reading import records
from streams.roles import Role
from streams.settings import Settings
from tests.authors import opinion
from tests.running import feed_keyed, settings_for, wait_until_done

SENTIMENT = opinion().sentiment


def enriched(number: int, author: int) -> tuple[bytes, bytes]:
    """Key and value of a record of `enriched`, about a brand of the demo."""
    post = Post(
        id=f"x:{number}",
        platform="x",
        kind="mention",
        text=f"post {number}",
        created_at=f"2015-02-20T10:00:{number % 60:02d}Z",
        author=Author(id=f"u{author}", handle=f"u{author}"),
    )
    annotations = Annotation(text=post.text, lang="en", sentiment=SENTIMENT)
    record = EnrichedPost(post=post, annotations=annotations, brands=(opinion("United"),))
    return author_key("x", f"u{author}").encode(), encode(record)


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


def test_resuming_a_running_flow_keeps_what_is_buffered() -> None:
    """Faust's own flow control empties its buffers at every resume; ours only after a suspension."""

    async def kept(flow: FlowControlEvent) -> int:
        queue: ThrowableQueue = ThrowableQueue(flow_control=flow, clear_on_resume=True)
        flow.resume()
        queue.put_nowait("a record")
        flow.resume()
        return queue.qsize()

    assert asyncio.run(kept(FlowControlEvent())) == 0, "Faust has changed: SteadyFlow may go"
    assert asyncio.run(kept(delivery.SteadyFlow())) == 1
