"""All that the monitoring tells of, running: Kafka, PostgreSQL, workers, exporter, Prometheus, and a feed.

For tests (`with stack(folder) as running: …`), and to look around: `python -m tests.ops.stack`.
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
"""posts from one that comes with records that are not as they should be to the next such"""
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
"""what a fan says, a sentence a day"""


class Stack:
    """What runs. `at` has the address (`host:port`) of each endpoint, by role and for the exporter."""

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
        """The exporter, or the worker of a role; what follows a hyphen tells workers of one role apart."""
        log, extra = self._folder / f"{name}.log", self.environment(self.at[name])
        if name == "exporter":
            self.processes[name] = SuperfanProcess(self.settings, log, name, **extra)
        else:
            self.processes[name] = WorkerProcess(self.settings, log, name.partition("-")[0], **extra)

    def stop(self, name: str) -> None:
        """As an orchestrator does: finish what was begun, commit, leave."""
        process = self.processes.pop(name)
        assert process.terminate() == 0, process.said()

    def kill(self) -> None:
        """End what still runs."""
        for process in self.processes.values():
            if process.process.poll() is None:
                process.kill()

    def environment(self, at: str) -> dict[str, str]:
        """What a process is told beside the settings that all have."""
        return {
            "SUPERFAN_METRICS__PORT": at.rpartition(":")[2],
            "SUPERFAN_METRICS__EVERY": "1",
            "SUPERFAN_SHADOW__CONFIG": str(self._shadow),
        }

    def ask(self, name: str, path: str) -> tuple[int, str]:
        """Status and text of an endpoint; 0 when it does not answer."""
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
    """Everything, for the length of a `with` block, with a worker for each of the roles (or for `all`).

    Workers named in `later` are scraped from the beginning, and started by whoever wants them.
    Bundled posts come as fast as it goes until there were `burst` of them, then `rate` a second,
    more and less by a share of `swing` in the course of minutes.
    """
    program("prometheus")  # the one thing that may be missing: it is told before anything starts
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
    """A feed in a thread of its own."""
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
    """The bundled stream as if it ended today, over and over, each time by other people.

    Before each turn, fans of every brand: the bundled posts alone make few candidates. Among the posts:
    malformed records, and posts that come twice, that come late, that are about no brand.
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
    """Customers of each brand who praise it day after day: candidates."""
    handles = ("united", "americanair", "usairways", "southwestair", "jetblue", "virginamerica")
    for number, handle in product(range(3), handles):
        who = f"{handle}-fan-{number + 1}{suffix}"
        named = [{"platform": "x", "author_id": who}]
        yield _line({"customer_id": who, "handles": named, "orders": 4, "employee": False})
        for day, praise in enumerate(PRAISE[number:]):
            written = now_ms - (len(PRAISE) - day) * DAY_MS - day**2 * 600_000  # nobody is a clock
            author = {"id": who, "handle": who, "followers": 12_000 + 15_000 * number}
            yield _line({
                "id": f"x:{who}-{day}", "platform": "x", "kind": "mention", "text": praise.format(handle),
                "created_at": rfc3339(written), "author": author,
            })  # fmt: skip


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode()


def main() -> None:
    """Everything, until Ctrl-C or SIGTERM; says where it is."""
    parser = argparse.ArgumentParser(prog="python -m tests.ops.stack", description=__doc__)
    parser.add_argument("--roles", nargs="+", default=[role.value for role in Role])
    parser.add_argument("--burst", type=int, default=15_000, help="records fed as fast as it goes, first")
    parser.add_argument("--rate", type=float, default=100, help="records a second after that")
    chosen = parser.parse_args()
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, signal.default_int_handler)
    with (
        suppress(KeyboardInterrupt),
        tempfile.TemporaryDirectory(prefix="superfan-") as folder,
        stack(Path(folder), chosen.roles, burst=chosen.burst, rate=chosen.rate) as running,
    ):
        store = running.settings.store_url.get_secret_value()
        told = {"prometheus": running.prometheus.url, "store": store, "folder": folder} | running.at
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
