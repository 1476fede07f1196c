"""The whole way on one machine: broker, worker, real posts, and the board at the end."""

import contextlib
import importlib.resources
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from models.errors import SuperfanError
from models.store import Store
from streams import admin, feeding, lines
from streams.board import board
from streams.broker import embedded_broker
from streams.lag import Lag, lag
from streams.reporting import write_report
from streams.roles import ROLES, Role
from streams.settings import DEMO_CONFIG, Settings, load

BOARD_ROWS = 12
PATIENCE = 600.0
"""Seconds after which a demo that does not move on is given up."""


class DemoError(SuperfanError):
    """The demo could not go on."""


@dataclass(slots=True)
class Stages:
    """How long each stage took, in seconds, and how many records went through it."""

    seconds: dict[str, float] = field(default_factory=dict)
    records: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time a stage that is a block."""
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began


def data(name: str) -> Path:
    """A file of the bundled stream."""
    return Path(str(importlib.resources.files("streams.demo").joinpath(name)))


def run(console: Console, *, store: Path, report: Path, workers: int) -> None:
    """Run the demo. Leaves the store and the report behind, and ends every process it started."""
    began = time.monotonic()
    stages = Stages()
    console.print(
        "[bold]Superfan demo[/]: 14,485 real posts about six US airlines through Apache Kafka.\n"
        "Texts are real; authors are pseudonyms, followers and customer records are invented.\n"
    )
    _make_room(store)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="superfan-demo-")))
        with stages.timed("broker"):
            broker = stack.enter_context(embedded_broker(folder / "broker", console=console))
        console.print(f"Apache Kafka answers after {broker.started_in:.1f} s.")
        settings = load(DEMO_CONFIG, broker_url=broker.url, store_url=f"sqlite:///{store.resolve()}")
        with stages.timed("topics"), admin.admin_client(settings) as client:
            admin.apply(client, settings)
        started = [
            stack.enter_context(_worker(settings, folder / f"worker-{number}.log"))
            for number in range(workers)
        ]

        def check() -> None:
            if broker.process.poll() is not None:
                code = broker.process.returncode
                raise DemoError("The broker ended", f"with code {code}", "run `superfan broker` to see why")
            for worker in started:
                worker.check()

        client = stack.enter_context(admin.admin_client(settings))
        with stages.timed("start of the worker"):
            _wait_for_members(client, check)
        console.print(f"Worker ready after {stages.seconds['start of the worker']:.1f} s.")
        _through(console, settings, client, check, stages)
    with stages.timed("report"):
        opened = Store(settings.store_url.get_secret_value())
        try:
            write_report(report, opened, settings)
            _print_result(console, opened)
        finally:
            opened.close()
    stages.seconds["everything"] = time.monotonic() - began
    console.print(_timings(stages))
    console.print(f"\nWritten: {store} (the store) and {report} (open it in a browser).")
    console.print(
        'Next: `superfan candidates show "BRAND/x:AUTHOR"` shows one card; `superfan --help` the rest.'
    )


def _through(
    console: Console, settings: Settings, client: KafkaAdminClient, check: Callable[[], None], stages: Stages
) -> None:
    """Feed the stream and wait until every role has worked it off."""
    posts = sum(1 for _ in lines.read(data("posts.jsonl.gz")))
    failure: list[BaseException] = []
    fed = threading.Event()

    def feed() -> None:
        try:
            producer = feeding.producer(settings)
            try:
                feeding.send(producer, lines.read(data("customers.jsonl.gz")))
                feeding.send(
                    producer,
                    lines.read(data("posts.jsonl.gz")),
                    advance=lambda n: bar.advance(tasks["feed"], n),
                )
            finally:
                producer.close()
        except SuperfanError as error:
            failure.append(error)
        stages.seconds["feed"] = time.monotonic() - began
        fed.set()

    with Progress(
        TextColumn("{task.description:>10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    ) as bar:
        tasks = {"feed": bar.add_task("feed", total=posts)}
        tasks |= {role.value: bar.add_task(role.value, total=None) for role in Role}
        began = last_move = time.monotonic()
        threading.Thread(target=feed, daemon=True).start()
        before: dict[Role, Lag] = {}
        while True:
            now = lag(client, settings.topics.partitions)
            done = fed.is_set()
            for role, state in now.items():
                bar.update(tasks[role.value], total=state.total or None, completed=state.total - state.behind)
                if state.behind:
                    stages.seconds.pop(role.value, None)
                elif done or before.get(role) != state:
                    stages.seconds.setdefault(role.value, time.monotonic() - began)
                stages.records[role.value] = state.total
            if failure:
                raise failure[0]
            if done and before == now and not any(state.behind for state in now.values()):
                break
            if before != now:
                last_move = time.monotonic()
            check()
            if time.monotonic() - last_move > PATIENCE:
                raise DemoError(
                    "The demo stands still", f"nothing moved for {PATIENCE:.0f} s", "run `superfan doctor`"
                )
            before = now
            time.sleep(0.25)
    stages.records["feed"] = posts


@dataclass(frozen=True, slots=True)
class _Worker:
    """A worker process and where it talks to."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def check(self) -> None:
        """Raises `DemoError`, with its last words, when it has ended."""
        if self.process.poll() is not None:
            said = self.log.read_text(errors="replace").strip()[-1500:]
            raise DemoError(
                "A worker ended", said or f"with code {self.process.returncode}", "run `superfan doctor`"
            )


@contextmanager
def _worker(settings: Settings, log: Path) -> Iterator[_Worker]:
    """A worker process with all roles; stopped in order at the end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SUPERFAN_")}
    environment |= {
        "SUPERFAN_CONFIG": str(DEMO_CONFIG),
        "SUPERFAN_BROKER_URL": settings.broker_url,
        "SUPERFAN_STORE_URL": settings.store_url.get_secret_value(),
        "SUPERFAN_LOG_FORMAT": "text",  # a person reads it, if a worker ends
    }
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-m", "streams", "worker"], env=environment, stderr=out)
    try:
        yield _Worker(process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_members(client: KafkaAdminClient, check: Callable[[], None]) -> None:
    """Returns when every role's group has a member with partitions."""
    groups = [spec.group for spec in ROLES.values()]
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        check()
        with contextlib.suppress(KafkaError):
            found = client.describe_groups(groups)
            if all(found[group]["group_state"] == "Stable" and found[group]["members"] for group in groups):
                return
        time.sleep(0.2)
    raise DemoError(
        "The worker did not start", "no role was ready within two minutes", "run `superfan doctor`"
    )


def _make_room(store: Path) -> None:
    """Take the store of an earlier demo away; refuse to touch anything else."""
    if not store.exists():
        return
    opened = Store(f"sqlite:///{store.resolve()}")
    try:
        demo_brands = {brand.name for brand in load(DEMO_CONFIG).brands}
        others = set(opened.brands()) - demo_brands if opened.schema_revision() else set()
    finally:
        opened.close()
    if others:
        raise DemoError(
            f"{store} holds other data",
            f"there are profiles of {sorted(others)[0]!r} in it",
            "move it away, or name another file with --store",
        )
    for suffix in ("", "-wal", "-shm"):
        Path(f"{store}{suffix}").unlink(missing_ok=True)


def _print_result(console: Console, store: Store) -> None:
    everyone = list(store.candidates())
    ready = [candidate for candidate in everyone if candidate.state == "candidate"]
    console.print(
        f"\n[bold]{len(ready)} candidate{'' if len(ready) == 1 else 's'}[/] in the wanted tier micro "
        "(10,000 up to 60,000 followers). Eight days of mostly complaints yield few."
    )
    out = Console(highlight=False, width=shutil.get_terminal_size((140, 24)).columns)
    if ready:
        out.print(board(ready[:BOARD_ROWS], title="Candidates"))
    rest = [candidate for candidate in everyone if candidate.state != "candidate"]
    console.print(
        f"\nThe wider board, all tiers: {len(rest)} more authors praise a brand again and again but are too "
        f"small, too large, or not (yet) enough to be candidates. The best {min(BOARD_ROWS, len(rest))}:"
    )
    out.print(board(rest[:BOARD_ROWS], title="Wider board"))


def _timings(stages: Stages) -> Table:
    table = Table(
        box=None, header_style="bold", pad_edge=False, title="How long it took", title_justify="left"
    )
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    table.add_column("records", justify="right")
    table.add_column("records/s", justify="right")
    for name, seconds in stages.seconds.items():
        records = stages.records.get(name)
        rate = f"{records / seconds:,.0f}" if records and seconds else ""
        table.add_row(name, f"{seconds:.1f}", f"{records:,}" if records else "", rate)
    return table
