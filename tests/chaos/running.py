"""Carries out a plan of faults on a real Kafka, a real PostgreSQL and real workers, and compares."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError

from models.author import AuthorState, Fold
from models.codec import Codec, version_of
from models.counted_post import counted_post
from models.record import encode
from models.store import Store
from models.times import day_from_iso
from nlp.enrichment import Enricher
from streams import topics
from streams.broker import admin, embedded, feeding
from streams.broker.lag import lag
from streams.broker.reading import records
from streams.offline.backtest import Backtest
from streams.settings import Settings
from tests.chaos import expectation, naive
from tests.chaos.plan import ALL_ROLES, SESSION, SLOTS, Amounts, Event, draw
from tests.chaos.world import TICK_DAY, Sent, World
from tests.databases import PostgreSQL
from tests.running import (
    WorkerProcess,
    compacted,
    differences,
    environment,
    settings_for,
    without_revision,
)

log = logging.getLogger(__name__)

STUCK = 120.0
"""seconds without any progress when the plan is done, after which the run has failed"""
CONTROL_STUCK = 20.0
"""seconds without any progress after which the negative control is started again"""
CONTROL_STARTS = 5
"""times it is, before the run has failed"""
SLOW_PAUSE = 0.25
"""seconds the broker is held at a time while it is slow"""


@dataclass
class Outcome:
    """What a run came to: every figure is counted from outside, from the topics and the store."""

    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    fed: int = 0
    counted: int = 0
    """distinct posts in the profiles at the end"""
    profiles: int = 0
    candidates: Counter[str] = field(default_factory=Counter)
    """by their state"""
    duplicates: int = 0
    """records of `enriched` beyond the first of their post: fed twice or enriched again"""
    replayed: int = 0
    """states written again without having changed: a record that was processed before"""
    stale: int = 0
    """states in the changelog that are older than one before them: recovery refuses these"""
    leaving: list[float] = field(default_factory=list)
    """seconds from SIGTERM to the end of a worker"""
    ended: list[str] = field(default_factory=list)
    """workers that ended by themselves, and what they said"""
    slow_ms: list[float] = field(default_factory=list)
    """how long a produce took while the broker was slow"""
    differences: list[str] = field(default_factory=list)
    """to the oracle, and to every field of the records without any fault; must be none"""
    naive_wrong: int = 0
    """authors whose count is wrong in the negative control"""
    naive_off: int = 0
    """by how many records in all"""
    naive_stuck: int = 0
    """how often it stopped reading for good, and had to be started again"""
    seconds: float = 0.0


class Slot:
    """A place for a worker and, beside it, for a process of the negative control: faults hit both."""

    def __init__(self, number: int, settings: Settings, folder: Path) -> None:
        self.number = number
        self._settings = settings
        self._folder = folder
        self.worker: WorkerProcess | None = None
        self._naive: subprocess.Popen[bytes] | None = None
        self._log_size = 0

    def start(self) -> None:
        """Start what is not running."""
        session = {
            "SUPERFAN_WORKER__SESSION_TIMEOUT": str(SESSION),
            "SUPERFAN_WORKER__DELIVERY_TIMEOUT": str(SESSION * 0.75),
            "SUPERFAN_LOG_LEVEL": "info",
        }
        if self.worker is None:
            role = "all" if self.number in ALL_ROLES else "profile"
            log_file = self._folder / f"worker-{self.number}.log"
            self._log_size = log_file.stat().st_size if log_file.exists() else 0
            self.worker = WorkerProcess(self._settings, log_file, role, **session)
        if self._naive is None:
            with (self._folder / f"naive-{self.number}.log").open("ab") as out:
                self._naive = subprocess.Popen(
                    [sys.executable, naive.__file__, self._settings.broker_url,
                     str(self._settings.topics.partitions), str(SESSION)],
                    env=environment(self._settings), stdout=out, stderr=out, cwd=self._folder,
                )  # fmt: skip

    def restart_ended(self) -> str | None:
        """As an orchestrator does; returns what our worker said, if it was ours that ended."""
        said = None
        if self.worker is not None and self.worker.process.poll() is not None:
            code, words = self.worker.process.returncode, self.worker.said()[-600:]
            said = f"worker {self.number} ended by itself with {code}: {words}"
            self.worker = None
            self.start()
        if self._naive is not None and self._naive.poll() is not None:
            self._naive = None
            self.start()
        return said

    def restart_control(self) -> None:
        """Start the negative control again; our worker is left alone."""
        if self._naive is not None:
            self._naive.kill()
            self._naive.wait()
            self._naive = None
        self.start()

    def signal(self, sign: signal.Signals) -> None:
        """To both processes and to the text pipelines of ours."""
        for process in self._processes():
            for pid in (process.pid, *_children(process.pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, sign)

    def kill(self) -> None:
        """As a crash would: no last words."""
        for process in self._processes():
            children = _children(process.pid)
            process.kill()
            process.wait()
            for child in children:  # one that is paused could not see that its parent is gone
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGCONT)
        self.worker = self._naive = None

    def leave(self) -> float | None:
        """SIGTERM, twice: the second must not lose anything either. Returns how long our worker took."""
        ours, took, began = self.worker, None, time.monotonic()
        for process in self._processes():
            process.send_signal(signal.SIGTERM)
        if ours is not None:
            time.sleep(0.2)
            with contextlib.suppress(ProcessLookupError):
                ours.process.send_signal(signal.SIGTERM)
        for process in self._processes():
            try:
                process.wait(60)
                if ours is not None and process is ours.process:
                    took = time.monotonic() - began
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                if ours is not None and process is ours.process:
                    raise AssertionError(f"a worker did not leave: {ours.said()}") from None
        # Before Python has come as far as to hear it, SIGTERM ends it as it ends any program.
        in_order = {0} if ours is not None and ours.log.stat().st_size > self._log_size else {0, -15}
        if ours is not None and ours.process.returncode not in in_order:
            raise AssertionError(f"a worker left with {ours.process.returncode}: {ours.said()}")
        self.worker = self._naive = None
        return took

    def kill_text_process(self) -> None:
        """Kill a text pipeline under the worker."""
        if self.worker is not None:
            for pid in _children(self.worker.process.pid):
                if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)

    def _processes(self) -> Iterator["subprocess.Popen[Any]"]:
        if self.worker is not None:
            yield self.worker.process
        if self._naive is not None:
            yield self._naive


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


class Watched:
    """A value that is looked at again and again, and since when it is what it is."""

    def __init__(self) -> None:
        self.value: Any = None
        self.seen = self._since = time.monotonic()

    @property
    def idle(self) -> float:
        """Seconds for which it was seen to be the same; 0 when it was seen once."""
        return self.seen - self._since

    def see(self, value: Any) -> None:
        """Note what it is now."""
        self.seen = time.monotonic()
        if value != self.value:
            self.value, self._since = value, self.seen


class Run:
    """One chaos run. `say` is told what happens as it happens."""

    def __init__(
        self,
        seed: int,
        amounts: Amounts,
        world: World,
        *,
        database: PostgreSQL,
        folder: Path,
        say: Callable[[str], object] = print,
    ) -> None:
        self.outcome = Outcome(seed, fed=len(world.stream))
        self._plan = draw(seed, amounts)
        self._seconds = amounts.seconds
        self._world = world
        self._database = database
        self._say = say
        self._broker = embedded.start(folder / "broker")
        self._settings = settings_for(self._broker, database.new_database())
        self._slots = [Slot(number, self._settings, folder) for number in range(SLOTS)]
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._feeding_failed: BaseException | None = None

    def close(self) -> None:
        """End everything that was started."""
        for slot in self._slots:
            slot.kill()
        self._broker.stop()

    def execute(self) -> Outcome:
        """Run the plan to its end, wait until nothing is left to do, and compare."""
        with admin.admin_client(self._settings) as client:
            admin.apply(client, self._settings)
            _create_control(client, self._settings)
        for slot in self._slots:
            slot.start()
        feeder = threading.Thread(target=self._feed, daemon=True)
        began = time.monotonic()
        feeder.start()
        for event in self._plan:
            self._wait(began + event.at)
            self._say(f"{time.monotonic() - began:6.1f} s  {event.fault} {_whom(event)}")
            self.outcome.faults[event.fault] += 1
            self._apply(event)
        while self._later or feeder.is_alive():
            self._wait(time.monotonic() + 0.5)
        if self._feeding_failed is not None:
            raise self._feeding_failed
        self._say(f"{time.monotonic() - began:6.1f} s  the plan is done; waiting for the rest")
        self._until_done()
        for slot in self._slots:
            self._leave(slot)
        self.outcome.seconds = time.monotonic() - began
        self._compare()
        return self.outcome

    # --- faults

    def _apply(self, event: Event) -> None:
        slot = self._slots[event.slot]
        match event.fault:
            case "kill -9":
                slot.kill()
                self._at(0.5, slot.start)
            case "SIGSTOP beyond the session":
                slot.signal(signal.SIGSTOP)
                self._at(event.lasts, lambda: slot.signal(signal.SIGCONT))
            case "worker leaves":
                slot.signal(signal.SIGCONT)
                self._leave(slot)
            case "worker joins":
                slot.start()
            case "broker restart":
                self._broker.stop()
                time.sleep(event.lasts)
                self._broker = embedded.start(self._broker.data_dir, port=self._broker.port)
            case "slow broker":
                self._slow(event.lasts)
            case "database away":
                self._database.stop()
                self._at(event.lasts, self._database.start)
            case "text process killed":
                slot.kill_text_process()

    def _leave(self, slot: Slot) -> None:
        took = slot.leave()
        if took is not None:
            self.outcome.leaving.append(took)

    def _slow(self, lasts: float) -> None:
        """Hold the broker again and again; a produce from outside tells how slow it is."""
        over = threading.Event()
        # Connected before: on a broker that is awake a fifteenth of the time, that may take as long as this.
        client: KafkaProducer = feeding.producer(self._settings)
        client.send(CONTROL, value=b"").get(timeout=30)
        probe = threading.Thread(target=self._probe, args=(client, over), daemon=True)
        probe.start()
        until = time.monotonic() + lasts
        while time.monotonic() < until:
            self._broker.process.send_signal(signal.SIGSTOP)
            time.sleep(SLOW_PAUSE)
            self._broker.process.send_signal(signal.SIGCONT)
            time.sleep(0.02)
        over.set()
        probe.join()

    def _probe(self, client: KafkaProducer, over: threading.Event) -> None:
        """Every produce that began while the broker was slow counts, the one under way at the end too."""
        try:
            while not over.is_set():
                began = time.monotonic()
                client.send(CONTROL, value=b"").get(timeout=30)
                self.outcome.slow_ms.append(1000 * (time.monotonic() - began))
        finally:
            client.close()

    def _at(self, seconds: float, action: Callable[[], None]) -> None:
        self._later.append((time.monotonic() + seconds, action))

    def _wait(self, until: float) -> None:
        """Wait, doing what is due meanwhile, and starting again what ended by itself."""
        while True:
            due = [entry for entry in self._later if entry[0] <= time.monotonic()]
            for entry in due:
                self._later.remove(entry)
                entry[1]()
            for slot in self._slots:
                if said := slot.restart_ended():
                    self._say(said)
                    self.outcome.ended.append(said)
            if (left := until - time.monotonic()) <= 0:
                return
            time.sleep(min(0.1, left))

    # --- the stream

    def _feed(self) -> None:
        """Send everything over nearly all of the plan; a day begins in the middle of it.

        In small portions, so that there is work in flight whenever a fault strikes.
        """
        client: KafkaProducer = feeding.producer(self._settings)
        try:
            chunk = 50
            stream = [*self._world.first, *self._world.stream]
            pause = 0.95 * self._seconds / (len(stream) / chunk)
            due = time.monotonic()
            ticked = False
            for start in range(0, len(stream), chunk):
                self._send(client, stream[start : start + chunk])
                if not ticked and start > len(stream) / 2:
                    ticked = True
                    self._tick(client)
                due += pause
                time.sleep(max(0.0, due - time.monotonic()))
            self._tick(client)
        except BaseException as error:
            self._feeding_failed = error
        finally:
            client.close()

    def _send(self, client: KafkaProducer, chunk: list[Sent]) -> None:
        """Until the broker has confirmed all; what it may have taken twice is one more duplicate."""
        while chunk:
            futures = [(one, client.send(one.topic, key=one.key, value=one.value)) for one in chunk]
            chunk = []
            for one, future in futures:
                try:
                    future.get(timeout=60)
                except KafkaError:
                    chunk.append(one)

    def _tick(self, client: KafkaProducer) -> None:
        feeding.send_ticks(client, day_from_iso(TICK_DAY), self._settings.topics.partitions)

    def _until_done(self) -> None:
        """Wait until nothing is left to read, for our roles and for the negative control.

        Plain Faust may leave a partition unread after a rebalance, for ever: ours must not wait for that.
        """
        ours, control = Watched(), Watched()
        while True:
            self._wait(time.monotonic() + 0.5)
            with admin.admin_client(self._settings) as client:
                ours.see(lag(client, self._settings.topics.partitions))
                control.see(_control_behind(client, self._settings))
            left = sum(one.behind for one in ours.value.values())
            # Seen twice, since what is committed may have led to more.
            if not left and not control.value and ours.idle and control.idle:
                return
            if left and ours.idle > STUCK:
                said = [slot.worker.said()[-500:] for slot in self._slots if slot.worker is not None]
                raise AssertionError(f"no progress for {STUCK} s: {ours.value}; workers said {said}")
            if not left and control.value and control.idle > CONTROL_STUCK:
                if self.outcome.naive_stuck == CONTROL_STARTS:
                    raise AssertionError(f"the negative control leaves {control.value} records unread")
                self._say(f"the negative control stopped reading, {control.value} to go: started again")
                self.outcome.naive_stuck += 1
                control = Watched()
                for slot in self._slots:
                    slot.restart_control()

    # --- the comparison

    def _compare(self) -> None:
        expected = yardstick(self._settings, self._world)
        found = {
            "profiles": compacted(self._settings, "profiles"),
            "candidates": compacted(self._settings, "candidates"),
        }
        store = Store(self._settings.store_url.get_secret_value())
        try:
            rows = {
                "profiles": _plain(store.profiles()),
                "candidates": _plain(store.candidates()),
            }
        finally:
            store.close()
        world = self._world
        oracle = expectation.expected(world.truth, world.customers, world.feedback, TICK_DAY)
        self.outcome.differences += [
            f"oracle: {said}"
            for said in expectation.disagreements(found["profiles"], found["candidates"], oracle)
        ]
        for name, wanted in expected.items():
            self.outcome.differences += [f"{name}: {said}" for said in differences(found[name], wanted)]
            self.outcome.differences += [f"SQL {name}: {said}" for said in differences(rows[name], wanted)]
        recovered = _recovered(self._settings)
        self.outcome.differences += [
            f"state: {said}" for said in differences(recovered, expected["profiles"])
        ]
        self.outcome.profiles = len(found["profiles"])
        self.outcome.candidates = Counter(c["state"] for c in found["candidates"].values())
        self.outcome.counted = sum(p["windows"]["90d"]["posts"] for p in found["profiles"].values())
        self._count_log()

    def _count_log(self) -> None:
        newest: dict[tuple[int, bytes], int] = {}
        for record in records(self._settings, topics.changelog("authors")):
            key = (record.partition, record.key)
            if record.value is None:
                newest.pop(key, None)
                continue
            version = version_of(record.value)
            if key in newest:
                self.outcome.replayed += version == newest[key]
                self.outcome.stale += version < newest[key]
            newest[key] = max(version, newest.get(key, 0))
        seen: set[tuple[str, int]] = set()
        per_author: Counter[str] = Counter()
        total = 0
        for record in records(self._settings, topics.ENRICHED):
            *_, post = counted_post(record.value)
            seen.add((post.post_id, post.edited_ms))
            per_author[record.key.decode()] += 1
            total += 1
        self.outcome.duplicates = total - len(seen)
        control: Counter[str] = Counter()
        for record in records(self._settings, naive.CHANGELOG):
            control[json.loads(record.key)] = json.loads(record.value)
        off = {key: abs(per_author[key] - control[key]) for key in per_author.keys() | control.keys()}
        self.outcome.naive_wrong = sum(1 for difference in off.values() if difference)
        self.outcome.naive_off = sum(off.values())


CONTROL = "chaos-probe"


def _create_control(client: KafkaAdminClient, settings: Settings) -> None:
    partitions = settings.topics.partitions
    client.create_topics(
        [NewTopic(naive.CHANGELOG, partitions, 1), NewTopic(CONTROL, 1, 1)], wait_for_metadata=True
    )


def _control_behind(client: KafkaAdminClient, settings: Settings) -> int:
    from kafka.admin import OffsetSpec
    from kafka.structs import TopicPartition

    tps = [TopicPartition(topics.ENRICHED, p) for p in range(settings.topics.partitions)]
    ends = client.list_partition_offsets(dict.fromkeys(tps, OffsetSpec.LATEST))
    committed = client.list_group_offsets([naive.APP])[naive.APP]
    return sum(ends[tp].offset - max(0, committed[tp].offset if tp in committed else 0) for tp in tps)


def _whom(event: Event) -> str:
    worker = event.fault not in {"broker restart", "slow broker", "database away"}
    return " ".join(
        [
            *([f"(worker {event.slot})"] if worker else []),
            *([f"for {event.lasts:.1f} s"] if event.lasts else []),
        ]
    )


def _plain(found: Any) -> dict[str, dict[str, Any]]:
    return {record.key: without_revision(json.loads(encode(record))) for record in found}


def _recovered(settings: Settings) -> dict[str, dict[str, Any]]:
    """The profiles that a worker would publish that starts from the changelog now."""
    codec, fold = Codec(AuthorState), Fold(settings.rules)
    states: dict[str, bytes] = {}
    for record in records(settings, topics.changelog("authors")):
        key = record.key.decode()
        if record.value is None:
            states.pop(key, None)
        elif key not in states or version_of(record.value) >= version_of(states[key]):
            states[key] = record.value
    return _plain(
        profile
        for author, state in states.items()
        for profile, _ in fold.current(author, codec.unpack(state))
    )


def yardstick(settings: Settings, world: World) -> dict[str, dict[str, dict[str, Any]]]:
    """The profiles and candidates without any fault: every record once, in order, without a broker."""
    test = Backtest(Fold(settings.rules), Enricher(settings.brands, settings.lawful), 0, lambda _: None)
    test.customers(world.customers)
    test.feedback(world.feedback, [brand.name for brand in settings.brands])
    for value in world.truth:
        platform, author, post = counted_post(value)
        test.apply(f"{platform}:{author}", post)
    test.tick(day_from_iso(TICK_DAY))
    pairs = list(test.profiles())
    return {
        "profiles": _plain(profile for profile, _ in pairs),
        "candidates": _plain(candidate for _, candidate in pairs if candidate is not None),
    }
