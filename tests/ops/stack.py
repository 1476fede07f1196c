"""Run everything that is monitored: Kafka, PostgreSQL, workers, exporter, Prometheus and a feed.

For tests: `with stack(folder) as running: …`. To explore by hand: `python -m tests.ops.stack`.
"""

import argparse
import json
import math
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count, product
from pathlib import Path
from typing import Any

from models.times import DAY_MS, instant, rfc3339
from streams.broker import admin, feeding
from streams.broker.embedded import embedded_broker
from streams.demo import data
from streams.roles import Role
from streams.settings import Settings
from streams.sources import lines
from tests.bundled import looser
from tests.databases import PostgreSQL, postgresql
from tests.malformed import kinds
from tests.ops.programs import Prometheus, free_port, get, program, prometheus
from tests.running import SuperfanProcess, WorkerProcess, settings_for

AMISS = 50
"""number of posts between two that come with malformed records"""
LATE_DAYS = 200
SWING_SECONDS = 25
PRAISE = (
    "I love flying with @{}, the crew on my flight this morning was wonderful!",
    "Thank you @{} for the best flight of my life, amazing service from start to end",
    "@{} never disappoints: comfortable seats, great snacks, and we were early. Awesome!",
    "Just booked my next trip with @{}. Best airline, I am a happy customer for life",
    "My kids got a tour of the cockpit, they are so happy. @{} you are amazing, thank you",
    "So impressed by @{} today: bag in hand in five minutes, fantastic job everybody",
)
"""posts of a fan, one per day"""


class Stack:
    """A running stack. `at` has the address (`host:port`) of each endpoint, by role and for the exporter."""

    prometheus: Prometheus

    def __init__(
        self,
        settings: Settings,
        database: PostgreSQL,
        folder: Path,
        roles: Collection[str],
        later: Collection[str],
    ) -> None:
        self.settings = settings
        self.database = database
        self.at = {name: f"127.0.0.1:{free_port()}" for name in (*roles, "exporter", *later)}
        self.processes: dict[str, SuperfanProcess] = {}
        self._folder = folder
        self._shadow = folder / "shadow.toml"
        self._shadow.write_text(looser())
        for name in (*roles, "exporter"):
            self.start(name)

    def start(self, name: str) -> None:
        """Start the exporter or a worker. A suffix after a hyphen distinguishes workers of one role."""
        log, extra = self._folder / f"{name}.log", self.environment(self.at[name])
        if name == "exporter":
            self.processes[name] = SuperfanProcess(self.settings, log, name, **extra)
        else:
            self.processes[name] = WorkerProcess(self.settings, log, name.partition("-")[0], **extra)

    def stop(self, name: str) -> None:
        """Stop a process as an orchestrator does, so that it drains, commits and leaves its group."""
        process = self.processes.pop(name)
        assert process.terminate() == 0, process.said()

    def kill(self) -> None:
        """Kill the processes that still run."""
        for process in self.processes.values():
            if process.process.poll() is None:
                process.kill()

    def environment(self, at: str) -> dict[str, str]:
        """Return the environment of a process, in addition to the common settings."""
        return {
            "SUPERFAN_METRICS__PORT": at.rpartition(":")[2],
            "SUPERFAN_METRICS__EVERY": "1",
            "SUPERFAN_SHADOW__CONFIG": str(self._shadow),
        }

    def ask(self, name: str, path: str) -> tuple[int, str]:
        """Return the status and the text of an endpoint; the status is 0 without a response."""
        return get(f"http://{self.at[name]}{path}")


@contextmanager
def stack(
    folder: Path,
    roles: Collection[str] = tuple(Role),
    *,
    later: Collection[str] = (),
    burst: int = 4000,
    rate: float = 100,
    swing: float = 0,
) -> Iterator[Stack]:
    """Run a stack with one worker per role (or one for `all`) within a `with` block.

    Workers named in `later` are scraped from the beginning, but the caller starts them. The feed sends
    `burst` records as fast as possible, then `rate` records per second, which oscillates by a share of
    `swing` over some minutes.
    """
    program("prometheus")  # the one program that may be missing: skip before anything starts
    with ExitStack() as closing:
        broker = closing.enter_context(embedded_broker(folder / "broker"))
        database = closing.enter_context(postgresql())
        settings = settings_for(broker, database.new_database())
        with admin.admin_client(settings) as client:
            admin.apply(client, settings)
        running = Stack(settings, database, folder, roles, later)
        closing.callback(running.kill)
        running.prometheus = closing.enter_context(
            prometheus(folder / "prometheus", list(running.at.values()))
        )
        closing.enter_context(_fed(settings, burst, rate, swing))
        yield running


@contextmanager
def _fed(settings: Settings, burst: int, rate: float, swing: float) -> Iterator[None]:
    """Feed the stream from a separate thread."""
    enough = threading.Event()

    def paced() -> Iterator[bytes]:
        due = 0.0
        for number, value in enumerate(stream()):
            if number > burst:
                now = time.monotonic()
                due = (due or now) + 1 / (rate * (1 + swing * math.sin(now / SWING_SECONDS)))
                enough.wait(max(0.0, due - now))
            if enough.is_set():
                return
            yield value

    def feed() -> None:
        client = feeding.producer(settings)
        try:
            feeding.send(client, paced())
        finally:
            client.close()

    thread = threading.Thread(target=feed, name="feed")
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


def stream() -> Iterator[bytes]:
    """Yield the bundled stream, shifted to end today, over and over with new authors each time.

    Fans of every brand come before each turn, because the bundled posts alone make few candidates. Among
    the posts are malformed records, duplicates, late posts and posts about no brand.
    """
    customers, posts = (
        [json.loads(line) for line in lines.read(data(name))]
        for name in ("customers.jsonl.gz", "posts.jsonl.gz")
    )
    now_ms = time.time_ns() // 1_000_000
    shift = (now_ms - instant(posts[-1]["created_at"])) // DAY_MS * DAY_MS
    bad = [value for value, _ in kinds(now_ms / 1000)]
    for turn in count():
        suffix = f"-{turn}" if turn else ""
        for customer in customers:
            handles = [h | {"author_id": h["author_id"] + suffix} for h in customer["handles"]]
            yield _line(customer | {"customer_id": customer["customer_id"] + suffix, "handles": handles})
        yield from _fans(suffix, now_ms)
        for number, post in enumerate(posts):
            author = post["author"] | {name: post["author"][name] + suffix for name in ("id", "handle")}
            at = instant(post["created_at"]) + shift
            moved = post | {"id": post["id"] + suffix, "author": author, "created_at": rfc3339(at)}
            yield _line(moved)
            if number % AMISS == 0:
                yield bad[number // AMISS % len(bad)]
                yield _line(moved)
                late = rfc3339(at - LATE_DAYS * DAY_MS)
                yield _line(moved | {"id": moved["id"] + "-late", "created_at": late})
                yield _line(moved | {"id": moved["id"] + "-other", "text": "Good morning, everybody"})


def _fans(suffix: str, now_ms: int) -> Iterator[bytes]:
    """Yield customers of each brand, and their daily praise, so that they become candidates."""
    handles = ("united", "americanair", "usairways", "southwestair", "jetblue", "virginamerica")
    for number, handle in product(range(3), handles):
        who = f"{handle}-fan-{number + 1}{suffix}"
        named = [{"platform": "x", "author_id": who}]
        yield _line({"customer_id": who, "handles": named, "orders": 4, "employee": False})
        for day, praise in enumerate(PRAISE[number:]):
            written = (
                now_ms - (len(PRAISE) - day) * DAY_MS - day**2 * 600_000
            )  # uneven intervals, unlike a program's
            author = {"id": who, "handle": who, "followers": 12_000 + 15_000 * number}
            yield _line({
                "id": f"x:{who}-{day}", "platform": "x", "kind": "mention", "text": praise.format(handle),
                "created_at": rfc3339(written), "author": author,
            })  # fmt: skip


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode()


def main() -> None:
    """Run a stack until Ctrl-C or SIGTERM, and print its addresses."""
    parser = argparse.ArgumentParser(prog="python -m tests.ops.stack", description=__doc__)
    parser.add_argument("--roles", nargs="+", default=[role.value for role in Role])
    parser.add_argument("--burst", type=int, default=15_000, help="records fed at full speed first")
    parser.add_argument("--rate", type=float, default=100, help="records per second after that")
    chosen = parser.parse_args()
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, signal.default_int_handler)
    with (
        suppress(KeyboardInterrupt),
        tempfile.TemporaryDirectory(prefix="superfan-") as folder,
        stack(Path(folder), chosen.roles, burst=chosen.burst, rate=chosen.rate) as running,
    ):
        store = running.settings.store_url.get_secret_value()
        addresses = {"prometheus": running.prometheus.url, "store": store, "folder": folder} | running.at
        sys.stdout.write(json.dumps(addresses, indent=2) + "\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
