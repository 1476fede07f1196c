"""The demo: broker, worker, store and board of candidates on one machine, with real posts."""

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
from models.post import parse_candidate_key
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
STUCK_SECONDS = 600.0
"""time without progress after which the demo gives up"""


class DemoError(SuperfanError):
    """The demo had to stop."""


@dataclass(slots=True)
class Stages:
    """The duration of each stage in seconds, and its number of records."""

    seconds: dict[str, float] = field(default_factory=dict)
    records: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time the block as a stage."""
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began


def data(name: str) -> Path:
    """Return the path of a bundled file."""
    return Path(str(importlib.resources.files("streams.demo").joinpath(name)))


def run(console: Console, *, store: Path, report: Path, workers: int) -> None:
    """Run the demo: write the store and the report, and end every process that was started.

    The store is built in a temporary folder and moved when complete; until then an earlier one stays.
    Raises `UsageError` at once when a file cannot be written, or belongs to something else.
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
        settings = _run_stream(console, built, workers, stages)
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


def _run_stream(console: Console, store: Path, workers: int, stages: Stages) -> Settings:
    """Run the stream from beginning to end into a new store; returns the settings."""
    with ExitStack() as stack, _announcing_stop(console):
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
        _process(console, settings, client, check, stages)
    return settings


@contextmanager
def _announcing_stop(console: Console) -> Iterator[None]:
    """Print a line on Ctrl-C, since worker and broker take some seconds to stop."""
    try:
        yield
    except KeyboardInterrupt:
        console.print("Stopping …")
        raise


def _process(
    console: Console, settings: Settings, client: KafkaAdminClient, check: Callable[[], None], stages: Stages
) -> None:
    """Feed the stream and wait until every role has caught up."""
    posts = sum(1 for _ in lines.read(data("posts.jsonl.gz")))
    failure: list[BaseException] = []
    fed = threading.Event()

    def feed() -> None:
        try:
            _feed(settings, lambda n: bar.advance(tasks["feed"], n))
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
            if time.monotonic() - last_move > STUCK_SECONDS:
                raise DemoError(
                    "The demo makes no progress",
                    f"nothing moved for {STUCK_SECONDS:.0f} s",
                    "run `superfan doctor`",
                )
            before = now
            time.sleep(0.25)
    stages.records["feed"] = posts


def _feed(settings: Settings, advance: Callable[[int], None]) -> None:
    producer = feeding.producer(settings)
    try:
        feeding.send(producer, lines.read(data("customers.jsonl.gz")))
        feeding.send(producer, lines.read(data("posts.jsonl.gz")), advance=advance)
    finally:
        producer.close()


@dataclass(frozen=True, slots=True)
class _Worker:
    """A worker process and its log."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def check(self) -> None:
        """Raise `DemoError` with its last output if it has ended."""
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
    """Run a worker process with all roles; stopped cleanly at the end."""
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
    """Wait until every role's group has a member with partitions."""
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
    """Raise `UsageError` for a file that cannot be written."""
    folder = file.parent
    if not folder.is_dir():
        why, fix = f"there is no folder {folder}", "create it"
    elif not os.access(folder, os.W_OK | os.X_OK) or (file.exists() and not os.access(file, os.W_OK)):
        why, fix = "this user may not write there", "let this user write there"
    elif file.exists() and not file.is_file():
        why, fix = "it is not a file", "move it away"
    else:
        return
    raise UsageError(f"{file} cannot be written", why, f"{fix}, or name another file with {option}")


def _refuse_foreign(store: Path) -> None:
    """Raise `UsageError` for a store that a demo cannot have written.

    A demo's store holds only bundled authors, and no decisions.
    """
    if not store.exists():
        return
    opened = Store(f"sqlite:///{store.resolve()}", create=False)
    try:
        why = None if opened.schema_revision() else "it is not a store of Superfan"
        if why is None:
            bundled = {route(line).key for line in lines.read(data("posts.jsonl.gz"))}
            others = (
                key for key in opened.profile_keys() if parse_candidate_key(key)[1].encode() not in bundled
            )
            if (other := next(others, None)) is not None:
                why = f"it holds {other}, an author from outside the demo"
            elif {"accepted", "declined"} & opened.counts().keys():
                why = "it holds decisions of people"
    except SuperfanError as error:
        why = error.why
    finally:
        opened.close()
    if why is not None:
        raise UsageError(
            f"The demo may not replace {store}", why, "move it away, or name another file with --store"
        )


def _command(store: Path) -> str:
    """Return the shell command for `superfan` on this store: its name if on the PATH, else its path."""
    program, found = Path(sys.executable).with_name("superfan"), shutil.which("superfan")
    name = "superfan"
    if program.exists() and not (found and program.samefile(found)):
        name = shlex.quote(os.path.relpath(program))
    if store.resolve() == Path("superfan.db").resolve():
        return name
    return f"SUPERFAN_STORE_URL={shlex.quote(f'sqlite:///{store}')} {name}"


def _print_result(console: Console, store: Store) -> str | None:
    """Print both boards; returns the first key on them, None if they are empty."""
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
