"""Benchmark of recovery: a million authors from their changelog, compared with Faust's own tables.

`make bench BENCH=recovery`. The states are folded from generated posts. `streams.delivery.state` and a
stock Faust table read the same changelog on the same broker, each in a process of its own.
"""

import argparse
import asyncio
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import faust
from aiokafka import AIOKafkaProducer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from models.author import AuthorState
from models.codec import Codec
from streams import topics
from streams.broker import admin
from streams.broker.embedded import embedded_broker
from streams.delivery.state import KeyedState, restore
from streams.settings import DEMO_CONFIG, Settings, load
from tests.authors import fold, opinion, post

CHANGELOG = topics.changelog("authors")
POOL = 2000
"""distinct states; each stands for many authors"""


def main() -> None:
    """Fill a changelog, let each recover it, print what it took."""
    parser = argparse.ArgumentParser(prog="make bench BENCH=recovery BENCH_ARGS=…", description=__doc__)
    parser.add_argument("--authors", type=int, default=1_000_000)
    parser.add_argument("--role", choices=["ours", "faust"], help=argparse.SUPPRESS)
    parser.add_argument("--broker", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.role:
        recover = _ours if chosen.role == "ours" else _faust
        sys.stdout.write(json.dumps(recover(load(DEMO_CONFIG, broker_url=chosen.broker))) + "\n")
        return
    console = Console(stderr=True)
    found = {}
    with (
        tempfile.TemporaryDirectory(prefix="superfan-bench-") as folder,
        embedded_broker(Path(folder)) as broker,
    ):
        settings = load(DEMO_CONFIG, broker_url=broker.url)
        with admin.admin_client(settings) as client:
            admin.apply(client, settings)
        size = asyncio.run(_fill(settings, chosen.authors, console))
        console.print(f"{chosen.authors:,} states, {size / 2**20:,.0f} MiB")
        for role in ("ours", "faust"):
            console.print(f"Recovering: {role} …")
            command = [sys.executable, "-m", "tests.bench.recovery", "--role", role]
            done = subprocess.run([*command, "--broker", broker.url], stdout=subprocess.PIPE, check=True)
            found[role] = json.loads(done.stdout)
    _print(found, chosen.authors)


async def _fill(settings: Settings, authors: int, console: Console) -> int:
    rng, codec = random.Random(1), Codec(AuthorState)
    pool = []
    for _ in range(POOL):
        count = min(200, int(rng.paretovariate(1.1)) + 2)
        posts = [
            post(
                rng.randrange(10**9),
                rng.randrange(90),
                opinion(label=rng.choice(["positive", "neutral", "negative"])),
            )
            for _ in range(count)
        ]
        pool.append(codec.pack(fold(posts)))
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap,
        linger_ms=20,
        compression_type="lz4",
        max_batch_size=2**20,
    )
    await producer.start()
    size = 0
    for number in track(range(authors), "Filling the changelog", console=console):
        value = pool[number % POOL]
        size += len(value)
        partition = number % settings.topics.partitions
        await producer.send(CHANGELOG, key=b"x:u%d" % number, value=value, partition=partition)
    await producer.stop()
    return size


def _ours(settings: Settings) -> dict[str, Any]:
    states = KeyedState(CHANGELOG)
    before = _memory()
    restored = asyncio.run(
        restore(
            [states],
            range(settings.topics.partitions),
            bootstrap=settings.bootstrap,
            wanted=lambda: True,
        )
    )
    assert restored is not None
    return {"authors": len(states), "seconds": restored.seconds, "memory": _memory() - before}


def _faust(settings: Settings) -> dict[str, Any]:
    app = faust.App(
        topics.PROFILE_APP,
        broker=settings.broker_url,
        store="memory://",
        topic_partitions=settings.topics.partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        autodiscover=False,
        key_serializer="raw",
        value_serializer="raw",
        stream_recovery_delay=0.0,
        broker_max_poll_records=1000,
    )
    table = app.Table("authors", key_type=bytes, value_type=bytes, partitions=settings.topics.partitions)
    app.agent(app.topic(topics.ENRICHED, key_type=bytes, value_type=bytes))(_count)
    began: list[float] = []
    result: dict[str, Any] = {}
    app.on_partitions_assigned.connect(lambda *_, **__: began.append(time.monotonic()))
    before = _memory()

    async def run() -> None:
        recovered = asyncio.Event()

        async def on_recover() -> None:
            recovered.set()

        table.on_recover(on_recover)
        app.in_worker = True
        await app.start()
        await asyncio.wait_for(recovered.wait(), 600)
        result.update(authors=len(table), seconds=time.monotonic() - began[-1], memory=_memory() - before)
        await app.stop()

    app.finalize()
    asyncio.run(run())
    return result


async def _count(stream: Any) -> None:
    async for _ in stream:
        pass


def _memory() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _print(found: dict[str, dict[str, Any]], authors: int) -> None:
    table = Table(title=f"Recovery of {authors:,} authors", title_justify="left")
    for column in ("", "seconds", "records/s", "memory", "to Faust's"):
        table.add_column(column, justify="right" if column else "left")
    base = found["faust"]["seconds"]
    for role, name in (("ours", "Superfan"), ("faust", "a stock Faust table")):
        one = found[role]
        table.add_row(
            name,
            f"{one['seconds']:.1f}",
            f"{one['authors'] / one['seconds']:,.0f}",
            f"{one['memory'] / 2**20:,.0f} MiB",
            f"{base / one['seconds']:.1f}x",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
