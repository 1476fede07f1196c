"""Carry out a plan of faults on a real Kafka, a real PostgreSQL and real workers, and compare."""

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic, OffsetSpec
from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from models.times import day_from_iso
from streams import topics
from streams.broker import admin, embedded, feeding
from streams.broker.lag import lag
from streams.settings import Settings
from tests.chaos import naive
from tests.chaos.comparison import compare
from tests.chaos.outcome import Outcome
from tests.chaos.plan import SESSION, SLOTS, Amounts, Event, draw
from tests.chaos.slot import Slot
from tests.chaos.world import TICK_DAY, Sent, World
from tests.databases import PostgreSQL
from tests.running import settings_for
from tests.waiting import STUCK

CONTROL = "chaos-probe"
"""topic of the produces that measure how slow the broker is"""
CONTROL_STUCK = 20.0
"""seconds without progress after which the negative control is started again"""
CONTROL_STARTS = 5
"""restarts of the negative control after which the run fails"""
SLOW_PAUSE = 0.25
"""seconds of each pause of the broker while it is slow"""


class Watched:
    """A value that is read repeatedly, with the time of its last change."""

    def __init__(self) -> None:
        self.value: Any = None
        self.seen = self._since = time.monotonic()

    @property
    def idle(self) -> float:
        """Seconds for which it was read unchanged; 0 after the first read."""
        return self.seen - self._since

    def see(self, value: Any) -> None:
        """Note its present value."""
        self.seen = time.monotonic()
        if value != self.value:
            self.value, self._since = value, self.seen


class Run:
    """One chaos run. `pace` stretches its times for a busy machine; `say` receives its log."""

    def __init__(
        self,
        seed: int,
        amounts: Amounts,
        world: World,
        *,
        database: PostgreSQL,
        folder: Path,
        pace: float = 1.0,
        say: Callable[[str], object] = print,
    ) -> None:
        self.outcome = Outcome(seed, fed=len(world.stream))
        self._plan = draw(seed, amounts, pace)
        self._seconds = pace * amounts.seconds
        self._pace = pace
        self._world = world
        self._database = database
        self._say = say
        self._broker = embedded.start(folder / "broker")
        self._settings = settings_for(self._broker, database.new_database())
        self._slots = [Slot(number, self._settings, folder, pace * SESSION) for number in range(SLOTS)]
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._feeding_failed: BaseException | None = None

    def close(self) -> None:
        """End everything that was started."""
        for slot in self._slots:
            slot.kill()
        self._broker.stop()

    def execute(self) -> Outcome:
        """Run the plan, wait until everything is processed, and compare."""
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
        compare(self.outcome, self._settings, self._world)
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
        """Pause the broker again and again, and measure how long a produce takes."""
        over = threading.Event()
        # Connect first: on a broker that runs a fifteenth of the time, that may take as long as the fault.
        client: KafkaProducer = feeding.producer(self._settings)
        client.send(CONTROL, value=b"").get(timeout=STUCK)
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
        """Time every produce that began while the broker was slow, the last one too."""
        try:
            while not over.is_set():
                began = time.monotonic()
                client.send(CONTROL, value=b"").get(timeout=STUCK)
                self.outcome.slow_ms.append(1000 * (time.monotonic() - began))
        finally:
            client.close()

    def _at(self, seconds: float, action: Callable[[], None]) -> None:
        self._later.append((time.monotonic() + seconds, action))

    def _wait(self, until: float) -> None:
        """Wait; meanwhile do what is due and start again what ended by itself."""
        while True:
            due = [entry for entry in self._later if entry[0] <= time.monotonic()]
            for entry in due:
                self._later.remove(entry)
                entry[1]()
            for slot in self._slots:
                if ended := slot.restart_ended():
                    self._say(ended)
                    self.outcome.ended.append(ended)
            if (left := until - time.monotonic()) <= 0:
                return
            time.sleep(min(0.1, left))

    # --- the stream

    def _feed(self) -> None:
        """Send the stream over 95 % of the plan; a new day starts in the middle of it.

        Small portions keep records in flight whenever a fault strikes.
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
        """Send until the broker has confirmed all records; a repeated one is one more duplicate."""
        while chunk:
            futures = [(one, client.send(one.topic, key=one.key, value=one.value)) for one in chunk]
            chunk = []
            for one, future in futures:
                try:
                    future.get(timeout=STUCK)
                except KafkaError:
                    chunk.append(one)

    def _tick(self, client: KafkaProducer) -> None:
        feeding.send_ticks(client, day_from_iso(TICK_DAY), self._settings.topics.partitions)

    def _until_done(self) -> None:
        """Wait until our roles and the negative control have read everything.

        Plain Faust may leave a partition unread for ever after a rebalance: our roles must not wait for it.
        """
        ours, control = Watched(), Watched()
        while True:
            self._wait(time.monotonic() + 0.5)
            with admin.admin_client(self._settings) as client:
                ours.see(lag(client, self._settings.topics.partitions))
                control.see(_control_behind(client, self._settings))
            left = sum(one.behind for one in ours.value.values())
            # Read twice: committed records may have led to new ones.
            if not left and not control.value and ours.idle and control.idle:
                return
            if left and ours.idle > STUCK:
                logs = [slot.worker.said()[-500:] for slot in self._slots if slot.worker is not None]
                raise AssertionError(f"no progress for {STUCK} s: {ours.value}; logs of the workers: {logs}")
            if not left and control.value and control.idle > CONTROL_STUCK * self._pace:
                if self.outcome.naive_stuck == CONTROL_STARTS:
                    raise AssertionError(f"the negative control leaves {control.value} records unread")
                self._say(f"the negative control stopped reading, {control.value} to go: started again")
                self.outcome.naive_stuck += 1
                control = Watched()
                for slot in self._slots:
                    slot.restart_control()


def _create_control(client: KafkaAdminClient, settings: Settings) -> None:
    partitions = settings.topics.partitions
    client.create_topics(
        [NewTopic(naive.CHANGELOG, partitions, 1), NewTopic(CONTROL, 1, 1)], wait_for_metadata=True
    )


def _control_behind(client: KafkaAdminClient, settings: Settings) -> int:
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
