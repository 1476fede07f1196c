"""The whole way on one machine: broker, worker, real posts, and the board at the end."""

import contextlib
import importlib.resources
import os
import shlex
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

from models.errors import SuperfanError, UsageError
from models.store import Store
from streams.broker import admin, feeding
from streams.broker.embedded import embedded_broker
from streams.broker.lag import Lag, lag
from streams.roles import ROLES, Role
from streams.settings import DEMO_CONFIG, Settings, load
from streams.sources import lines
from streams.sources.lines import route
from streams.views.board import board
from streams.views.report import write_report

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
    """Run the demo. Leaves the store and the report behind, and ends every process it started.

    The store is made beside its place and put there when it is whole: until then an earlier one stays.
    Raises `UsageError`, before anything is begun, when a file cannot be written or is not the demo's.
    """
    for file, option in ((store, "--store"), (report, "--report")):
        _refuse_unwritable(file, option)
    _refuse_foreign(store)
    began = time.monotonic()
    stages = Stages()
    console.print(
        "[bold]Superfan demo[/]: 14,485 real posts about six US airlines through Apache Kafka.\n"
        "Texts are real; authors are pseudonyms, followers and customer records are invented.\n"
    )
    with tempfile.TemporaryDirectory(prefix=".superfan-demo-", dir=store.parent) as beside:
        built = Path(beside) / store.name
        settings = _through(console, built, workers, stages)
        with stages.timed("report"):
            opened = Store(settings.store_url.get_secret_value())
            try:
                write_report(report, opened, settings)
                first = _print_result(console, opened)
            finally:
                opened.close()  # the last to close it: its write-ahead log is in the file now
        for leftover in ("-wal", "-shm"):  # of the one that is replaced, whose pages they would bring back
            Path(f"{store}{leftover}").unlink(missing_ok=True)
        built.replace(store)
    stages.seconds["everything"] = time.monotonic() - began
    console.print(_timings(stages))
    said = [f"Written: {store} (the store) and {report} (open it in a browser)."]
    if first is not None:
        said.append(f"Next: {_command(store)} candidates show {shlex.quote(first)}")
    console.print("", *said, sep="\n", soft_wrap=True, markup=False)


def _through(console: Console, store: Path, workers: int, stages: Stages) -> Settings:
    """The stream from beginning to end, into a store that is not there yet; returns its settings."""
    with ExitStack() as stack, _saying_so(console):
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
        _work_off(console, settings, client, check, stages)
    return settings


@contextmanager
def _saying_so(console: Console) -> Iterator[None]:
    """Whoever interrupts what is inside is told that it ends: worker and broker take some seconds."""
    try:
        yield
    except KeyboardInterrupt:
        console.print("Stopping …")
        raise


def _work_off(
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
            why, _, fix = said.partition("\nNext: ")
            raise DemoError(
                "A worker ended",
                why.rstrip(".") or f"with code {self.process.returncode}",
                fix.rstrip(".") or "run `superfan doctor`",
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


def _refuse_unwritable(file: Path, option: str) -> None:
    """Raises `UsageError` for a file that could not be written in the end."""
    folder = file.parent
    if not folder.is_dir():
        why, fix = f"there is no folder {folder}", "make it"
    elif not os.access(folder, os.W_OK | os.X_OK) or (file.exists() and not os.access(file, os.W_OK)):
        why, fix = "this user may not write there", "let this user write there"
    elif file.exists() and not file.is_file():
        why, fix = "it is no file", "move it away"
    else:
        return
    raise UsageError(f"{file} cannot be written", why, f"{fix}, or name another file with {option}")


def _refuse_foreign(store: Path) -> None:
    """Raises `UsageError` for a file that may hold anything but what a demo leaves: the bundled authors,
    about whom nobody has decided."""
    if not store.exists():
        return
    opened = Store(f"sqlite:///{store.resolve()}", create=False)
    try:
        why = None if opened.schema_revision() else "it is no store of Superfan"
        if why is None:
            bundled = {route(line).key for line in lines.read(data("posts.jsonl.gz"))}
            others = (key for key in opened.profile_keys() if key.partition("/")[2].encode() not in bundled)
            if (other := next(others, None)) is not None:
                why = f"it holds {other}, who is not of the demo"
            elif {"accepted", "declined"} & opened.counts().keys():
                why = "it holds what people decided"
    except SuperfanError as error:
        why = error.why
    finally:
        opened.close()
    if why is not None:
        raise UsageError(
            f"{store} is not the demo's to replace", why, "move it away, or name another file with --store"
        )


def _command(store: Path) -> str:
    """How a shell here runs `superfan` on this store: by name if that is on the PATH, else by place."""
    program, found = Path(sys.executable).with_name("superfan"), shutil.which("superfan")
    name = "superfan"
    if program.exists() and not (found and program.samefile(found)):
        name = shlex.quote(os.path.relpath(program))
    if store.resolve() == Path("superfan.db").resolve():
        return name
    return f"SUPERFAN_STORE_URL={shlex.quote(f'sqlite:///{store}')} {name}"


def _print_result(console: Console, store: Store) -> str | None:
    """Print both boards; returns the first key of them, if there is any."""
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
    return next((candidate.key for candidate in (*ready, *rest)), None)


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
