"""The command line. Data on standard output, talk on standard error.

Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 3 unhealthy. A command is a thin layer:
it reads settings, calls the module that does the work, and prints.
"""

import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import typer
from kafka.errors import KafkaError
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text
from sqlalchemy.exc import SQLAlchemyError
from typer.exceptions import TyperException

from models.errors import SuperfanError, UsageError
from models.tables import TIER_PRESETS
from streams.ops import logs
from streams.roles import Role
from streams.settings import Settings, config_path, load
from streams.views.output import Output, print_fields, print_findings, print_rows, printable

if TYPE_CHECKING:
    from models.store import Store
    from streams.ops.health import Finding

talk = Console(stderr=True, highlight=False)
log = logging.getLogger(__name__)


class _Group(typer.core.TyperGroup):
    """Turns the project's errors into one readable line and an exit code; `--debug` shows the traceback."""

    debug: ClassVar[bool] = False

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """`--config` and `--debug` may stand behind the command, too, where people write them."""
        end = args.index("--") if "--" in args else len(args)
        ahead: list[str] = []
        behind: list[str] = []
        words = iter(args[:end])
        for word in words:
            if word == "--config":
                ahead += [word, *islice(words, 1)]
            elif word == "--debug" or word.startswith("--config="):
                ahead.append(word)
            else:
                behind.append(word)
        with _while_read():
            return super().parse_args(ctx, [*ahead, *behind, *args[end:]])

    def invoke(self, ctx: Any) -> Any:
        try:
            with _while_read():
                return super().invoke(ctx)
        except (typer.Exit, typer.Abort, TyperException):
            raise
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except Exception as error:
            # The last words of a service are its log's, which knows what may be said of a record.
            if _Group.debug or (logs.serving() and not isinstance(error, _EXPECTED)):
                raise
            _tell(*_told(error))
            raise typer.Exit(2 if isinstance(error, UsageError) else 1) from None


@contextmanager
def _while_read() -> Iterator[None]:
    """Ends with 0 when the reader of our output (head, less) has seen enough: there is nobody to flush to."""
    try:
        yield
    except (BrokenPipeError, SystemExit) as end:
        # Rich ends the process with 1 on a broken pipe.
        if isinstance(end, SystemExit) and not isinstance(end.__context__, BrokenPipeError):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None


_EXPECTED = (SuperfanError, OSError, KafkaError, SQLAlchemyError)


def _told(error: Exception) -> tuple[str, str, str]:
    """What went wrong, why, and what to do."""
    if isinstance(error, SuperfanError):
        return error.what, error.why, error.fix
    if isinstance(error, _EXPECTED):
        fix = "run `superfan doctor`; `superfan --debug …` shows where it happened"
        return type(error).__name__, str(error) or "no reason given", fix
    return (
        "A flaw in Superfan",
        logs.words_of(error),
        "run it again as `superfan --debug …`, and report what it shows",
    )


def _tell(what: str, why: str, fix: str) -> None:
    """An error as a person reads it, or as a line of the log where that is for programs."""
    if logs.in_force().json:
        log.error("%s: %s", what, why, extra={"fix": fix})
        return
    talk.print(Text.assemble((printable(what), "bold red"), f": {printable(why)}."), soft_wrap=True)
    talk.print(Text.assemble(("Next:", "bold"), f" {printable(fix)}."), soft_wrap=True)


app = typer.Typer(
    name="superfan",
    cls=_Group,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
topics_app = typer.Typer(
    help="Shows, creates and checks the topics. Examples: `superfan topics list`", no_args_is_help=True
)
candidates_app = typer.Typer(
    help="Who to ask, and why, from the store. Examples: `superfan candidates list`", no_args_is_help=True
)
dead_letters_app = typer.Typer(
    help="Records that could not be used. Examples: `superfan dead-letters list`", no_args_is_help=True
)
nlp_app = typer.Typer(
    help='Looks into the text pipeline. Examples: `superfan nlp explain "I love @JetBlue"`',
    no_args_is_help=True,
)
app.add_typer(topics_app, name="topics")
app.add_typer(candidates_app, name="candidates")
app.add_typer(dead_letters_app, name="dead-letters")
app.add_typer(nlp_app, name="nlp")


class WorkerRole(StrEnum):
    """What a worker runs."""

    ENRICH = "enrich"
    PROFILE = "profile"
    SINK = "sink"
    ALL = "all"

    @property
    def roles(self) -> tuple[Role, ...]:
        """The roles behind the word."""
        return tuple(Role) if self is WorkerRole.ALL else (Role(self.value),)


class StateName(StrEnum):
    """The states of a candidate, as an option."""

    CANDIDATE = "candidate"
    ACCEPTED = "accepted"
    WATCH = "watch"
    COOLED = "cooled"
    DECLINED = "declined"


States = Annotated[list[StateName] | None, typer.Option("--state", help="Only in these states; default all.")]
Out = Annotated[Output, typer.Option("-o", "--output", help="How data is printed; json is JSON Lines.")]
_config: Path | None = None


@app.callback()
def main(
    config: Annotated[
        Path | None,
        typer.Option(
            help="Settings file. Else SUPERFAN_CONFIG, else ./superfan.toml, else the demo's.",
            show_default=False,
        ),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and debug logs.")] = False,
) -> None:
    """Finds a brand's enthusiastic existing customers in the social stream, and says why.

    Examples:

    - `superfan demo`
    - `superfan broker`
    - `superfan worker`
    - `superfan candidates list`
    """
    global _config  # noqa: PLW0603 -- the one option that stands before the command
    _config = config
    _Group.debug = debug
    logs.configure(logs.Logging(debug=debug))


def _settings(**flags: Any) -> Settings:
    settings = load(config_path(_config), **flags)
    logs.configure(logs.Logging(level=settings.log_level, debug=_Group.debug))
    return settings


def _settings_of_service(role: str, **flags: Any) -> Settings:
    """Settings of a command that runs until it is stopped; from here on it logs as they say."""
    how = logs.Logging(json=not sys.stderr.isatty(), role=role, debug=_Group.debug)
    logs.configure(how)  # wrong settings are told in it, too
    logs.serve_to_the_end()
    settings = load(config_path(_config), **flags)
    secret = settings.log_secret
    logs.configure(
        how._replace(
            level=settings.log_level,
            json=how.json if settings.log_format == "auto" else settings.log_format == "json",
            secret=how.secret if secret is None else secret.get_secret_value().encode(),
        )
    )
    return settings


@app.command()
def demo(
    store: Annotated[Path, typer.Option(help="The SQLite file to write.")] = Path("superfan.db"),
    report: Annotated[Path, typer.Option(help="The page to write.")] = Path("report.html"),
    workers: Annotated[int, typer.Option(min=1, max=8, help="Worker processes that share the load.")] = 1,
) -> None:
    """The whole way on this machine: broker, worker, 14,485 real posts, and the board of candidates.

    Examples:

    - `superfan demo`
    - `superfan demo --workers 2`
    """
    from streams.demo import run

    run(talk, store=store, report=report, workers=workers)


@app.command()
def broker(
    data_dir: Annotated[Path, typer.Option(help="Where the broker keeps its data.")] = Path(
        ".superfan/broker"
    ),
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")
    ] = 9092,
) -> None:
    """The embedded Apache Kafka, in the foreground, on loopback only. Ctrl-C or SIGTERM stops it.

    Examples:

    - `superfan broker`
    - `superfan broker --port 19092 --data-dir /var/lib/superfan`
    """
    from streams.broker.embedded import run_foreground

    run_foreground(data_dir=data_dir, port=port, console=talk)


@topics_app.command("list")
def topics_list(output: Out = Output.TABLE) -> None:
    """Every topic of the table, and how it is on the broker.

    Examples:

    - `superfan topics list`
    - `superfan topics list -o json`
    """
    from streams.broker import admin

    settings = _settings()
    with admin.admin_client(settings) as client:
        states = admin.compare(client, settings)
    print_rows(
        output,
        (
            {
                "topic": state.topic.name,
                "key": state.topic.key,
                "cleanup": state.topic.config()["cleanup.policy"],
                "retention_days": state.topic.retention_days,
                "partitions": len(state.partitions) or None,
                "on_broker": str(state) or "as it should be",
                "meaning": state.topic.meaning,
            }
            for state in states
        ),
    )


@topics_app.command("apply")
def topics_apply() -> None:
    """Create the topics that are missing; a topic that differs from the table is an error.

    Examples:

    - `superfan topics apply`
    - `SUPERFAN_TOPICS__PARTITIONS=16 superfan topics apply`
    """
    from streams.broker import admin

    settings = _settings()
    with admin.admin_client(settings) as client:
        created = admin.apply(client, settings)
    for name in created:
        talk.print(f"created {name}")
    talk.print(f"{len(created)} topics created, the others are as they should be.")


@app.command()
def worker(
    role: Annotated[
        WorkerRole, typer.Option(help="What this process runs; roles scale apart.")
    ] = WorkerRole.ALL,
) -> None:
    """Run the stream until SIGTERM or Ctrl-C; then finish what was begun, commit and leave.

    Examples:

    - `superfan worker`
    - `superfan worker --role enrich`
    """
    from streams.shutdown import Stop

    stop = Stop()  # before what takes a second to import
    from streams.supervision import run_worker

    run_worker(_settings_of_service(role), role.roles, stop)


@app.command()
def exporter(
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Where it serves.", show_default="metrics.port")
    ] = None,
) -> None:
    """Ask broker and store how things stand, and serve the answers to Prometheus, until SIGTERM or Ctrl-C.

    One is enough for a cluster: lag in records and seconds, candidates, notices. Workers serve their own
    metrics when `metrics.port` is set.

    Examples:

    - `superfan exporter --port 9465`
    - `SUPERFAN_METRICS__PORT=9464 superfan exporter`
    """
    from streams.ops.exporter import run_exporter
    from streams.shutdown import Stop

    stop = Stop()
    run_exporter(_settings_of_service("exporter", metrics=None if port is None else {"port": port}), stop)


@app.command("lag")
def lag_command(output: Out = Output.TABLE) -> None:
    """How far each role is behind: records that wait, and for how long the oldest has, by topic.

    Examples:

    - `superfan lag`
    - `superfan lag -o json`
    """
    from streams.broker import admin
    from streams.broker.lag import by_topic, onlooker

    settings = _settings()
    with admin.admin_client(settings) as client, onlooker(settings) as consumer:
        print_rows(output, by_topic(client, consumer, settings.topics.partitions))


@app.command()
def feed(
    file: Annotated[Path, typer.Argument(help="JSON Lines, plain or .gz; - is standard input.")],
    topic: Annotated[
        str | None, typer.Option(help="Send all to this topic.", show_default="told by shape")
    ] = None,
    fmt: Annotated[str, typer.Option("--format", help="The shape of the records: superfan.")] = "superfan",
    speed: Annotated[
        float, typer.Option(min=0, help="How many times faster than it happened; 0 is as fast as it goes.")
    ] = 0,
) -> None:
    """Send posts, customers, erasures or feedback to their topics. Feeding a file twice counts once.

    Examples:

    - `superfan feed posts.jsonl`
    - `superfan feed posts.jsonl.gz --speed 3600`
    - `cat customers.jsonl | superfan feed -`
    """
    from streams.broker import feeding
    from streams.sources import lines
    from streams.topics import FED

    if fmt != "superfan":
        raise typer.BadParameter(f"{fmt!r} is not known; known is superfan", param_hint="--format")
    if topic is not None and topic not in FED:
        raise typer.BadParameter(f"{topic!r} is none of {', '.join(FED)}", param_hint="--topic")
    settings = _settings()
    started = time.monotonic()
    client = feeding.producer(settings)
    try:
        with _bar("Feeding", None) as advance:
            sent = feeding.send(client, lines.read(file), topic=topic, speed=speed, advance=advance)
    finally:
        client.close()
    seconds = max(time.monotonic() - started, 1e-9)
    where = ", ".join(f"{count:,} to {name}" for name, count in sorted(sent.items())) or "nothing"
    talk.print(f"Sent {where} in {seconds:.1f} s ({sent.total() / seconds:,.0f} records/s).")


@app.command()
def tick(
    day: Annotated[
        str | None, typer.Option(help="The day that has begun, YYYY-MM-DD, UTC.", show_default="today")
    ] = None,
) -> None:
    """Let a day begin: silent authors decay, and those past the window expire.

    A worker does this by itself at midnight UTC unless `window.tick` is "never". A day that has
    begun before changes nothing.

    Examples:

    - `superfan tick`
    - `superfan tick --day 2026-11-20`
    """
    from models.times import day_of, iso_day
    from streams.broker import feeding

    today = day_of(time.time_ns() // 1_000_000)
    begun = today if day is None else _day(day, "--day")
    if begun > today + 1:
        raise typer.BadParameter(
            f"{day} has not begun: it would expire everyone who is silent until then", param_hint="--day"
        )
    settings = _settings()
    client = feeding.producer(settings)
    try:
        feeding.send_ticks(client, begun, settings.topics.partitions)
    finally:
        client.close()
    talk.print(f"{iso_day(begun)} has begun for {settings.topics.partitions} partitions.")


@app.command()
def forget(
    platform: Annotated[str, typer.Argument(help="Where the person is known, such as x.")],
    author_id: Annotated[str, typer.Argument(help="Their author id there.")],
    forever: Annotated[
        bool, typer.Option("--object", help="Nor is anything counted that comes later.")
    ] = False,
) -> None:
    """Forget a person: nothing that they wrote until now counts, what was published of them is deleted.

    The topics of posts keep what they hold until it is 28 days old.

    Examples:

    - `superfan forget x 2244994945`
    - `superfan forget x 2244994945 --object`
    """
    from models.customer import Erasure, decode_erasure
    from models.record import encode
    from models.rejection import Rejected
    from models.times import rfc3339
    from streams.broker import feeding
    from streams.topics import ERASURES

    now = rfc3339(time.time_ns() // 1_000_000)
    mode: Literal["erase", "object"] = "object" if forever else "erase"
    value = encode(Erasure(platform=platform, author_id=author_id, mode=mode, at=now))
    try:
        decode_erasure(value)
    except Rejected as rejected:
        raise typer.BadParameter(rejected.detail) from None
    client = feeding.producer(_settings())
    try:
        feeding.send(client, [value], topic=ERASURES)
    finally:
        client.close()
    later = "does not count either" if forever else "counts again"
    said = f"{platform}:{author_id} is being forgotten; what they write later {later}."
    talk.print(Text(printable(said)), soft_wrap=True)  # an id is no markup


@app.command()
def backtest(
    posts: Annotated[list[Path], typer.Option(help="Files of posts; may be given several times.")],
    out: Annotated[Path, typer.Option(help="Folder for profiles, candidates and dead letters.")],
    customers: Annotated[Path | None, typer.Option(help="A file of customers.")] = None,
    feedback: Annotated[Path | None, typer.Option(help="A file of feedback.")] = None,
    erasures: Annotated[Path | None, typer.Option(help="A file of erasures.")] = None,
    tick: Annotated[str | None, typer.Option(help="Judge as of this day, YYYY-MM-DD.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="Settings file; stands for the one before the command.")
    ] = None,
    compare: Annotated[
        Path | None,
        typer.Option(help="Judge by this settings file, too: who would enter, leave and move, and why."),
    ] = None,
    output: Annotated[
        Output, typer.Option("-o", "--output", help="How the comparison is printed; json is JSON Lines.")
    ] = Output.TABLE,
) -> None:
    """The same core without a broker: the profiles and candidates that the stream would end with.

    With `--compare` the same posts are judged by a second settings file. Nothing of that file is written
    but the differences: to standard output, and to comparison.jsonl in the folder.

    Examples:

    - `superfan backtest --posts posts.jsonl --customers customers.jsonl --out results`
    - `superfan backtest --posts posts.jsonl --config strict.toml --tick 2015-03-31 --out strict`
    - `superfan backtest --posts posts.jsonl.gz --compare strict.toml --out results -o json`
    """
    from streams.offline import backtest
    from streams.views import comparison

    if tick is not None:
        _day(tick, "--tick")
    settings = load(config_path(config or _config))
    other = None if compare is None else load(compare)
    if other is not None:
        comparison.announce(settings, other, talk)
    with _reading("Backtesting", posts) as advance:
        counts = backtest.run(
            settings,
            posts=posts,
            customers=customers,
            feedback=feedback,
            erasures=erasures,
            tick=tick,
            out=out,
            other=other,
            advance=advance,
        )
    talk.print(f"{counts}. Written to {out}.", soft_wrap=True)
    if other is not None:
        comparison.print_comparison(out / "comparison.jsonl", output, talk)


@app.command()
def tune(
    feedback: Annotated[Path, typer.Option(help="A file of feedback: who was accepted, who declined.")],
    target: Annotated[Path, typer.Option("-o", "--output", help="The settings file to write.")],
    profiles: Annotated[
        Path | None, typer.Option(help="The profiles.jsonl of a backtest.", show_default="the store")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Settings file; stands for the one before the command.")
    ] = None,
    fmt: Annotated[
        Output, typer.Option("--format", help="How the report is printed; json is JSON Lines.")
    ] = Output.TABLE,
) -> None:
    """Learn the weights of the score from decisions; writes a settings file, and switches nothing.

    The present weights stay unless the decisions speak against them. Reported is how well both rank
    decisions that they were not fitted to (mean and spread over folds). Fewer than 20 decisions, or fewer
    than 5 of a kind, are too few.

    Examples:

    - `superfan tune --feedback feedback.jsonl -o candidate.toml`
    - `superfan tune --feedback feedback.jsonl --profiles results/profiles.jsonl -o candidate.toml`
    """
    from models import learning
    from streams.offline import tune
    from streams.store import open_store

    source = config_path(config or _config)
    settings = load(source)
    present = settings.weights.model_dump()
    decided, unusable = tune.read_feedback(feedback)
    if unusable:
        talk.print(f"{unusable:,} lines of {feedback} are no feedback and are left out.", soft_wrap=True)
    if profiles is not None:
        decisions = tune.once(tune.from_file(profiles, decided))
    else:
        with open_store(settings) as store:
            decisions = tune.once(tune.from_store(store, decided))
    if missing := len(decided) - len(decisions):
        talk.print(f"{missing:,} of {len(decided):,} decided authors have no profile and are left out.")
    try:
        tuned = learning.tune(decisions, present)
    except learning.TooLittleFeedback as error:
        raise tune.TuneError(
            "There is too little to learn from", str(error), "keep the present weights, and decide about more"
        ) from None
    tune.write_settings(target, source, tuned, present)
    print_rows(fmt, tune.rows(tuned, present))
    talk.print(tune.advice(tuned), soft_wrap=True)
    talk.print(
        f"Written {target}; nothing is switched. Look at it with `superfan backtest --compare {target}`, "
        "or let it judge in the shadow.",
        soft_wrap=True,
    )
    if load(target).weights.model_dump() != tuned.weights:
        talk.print("SUPERFAN_WEIGHTS is set and stands above the weights of both files.", soft_wrap=True)


@app.command()
def annotate(
    file: Annotated[Path, typer.Argument(help="JSON Lines with `text`; - is standard input.")] = Path("-"),
) -> None:
    """What the text pipeline says about each text: a line out for each line in, in order, at once.

    Examples:

    - `superfan annotate texts.jsonl`
    - `echo '{"text": "I love my new Fly-Fi @JetBlue"}' | superfan annotate`
    """
    from streams.offline.annotate import annotate_lines
    from streams.sources.lines import Files

    for line in annotate_lines(_settings().brands, Files([file], empty=True).at_hand()):
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()


@nlp_app.command("explain")
def nlp_explain(
    text: Annotated[str, typer.Argument(help="The text of a post.")],
    brand: Annotated[
        list[str] | None, typer.Option(help="Look for this brand, not for those of the settings.")
    ] = None,
    target: Annotated[list[str] | None, typer.Option(help="Ask for the sentiment towards this, too.")] = None,
    platform: Annotated[str, typer.Option(help="Where it was posted: handles are a platform's own.")] = "x",
    output: Out = Output.TABLE,
) -> None:
    """What the text pipeline makes of one text, and which words moved its sentiment.

    Every word is taken out once: by how much the answer's probability drops is what the word did for it.
    csv prints these drops only.

    Examples:

    - `superfan nlp explain "I love @JetBlue, but @united is the worst"`
    - `superfan nlp explain "The Acme phone is great, its charger is not" --brand Acme --target charger`
    - `superfan nlp explain "best crew ever" -o json`
    """
    from streams.views.explanation import brands_named, explain_text, print_explanation

    catalogue = _settings().brands
    if brand:
        try:
            catalogue = brands_named(brand, catalogue, platform)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--brand") from None
    print_explanation(explain_text(catalogue, text, targets=target or (), platform=platform), output)


@candidates_app.command("list")
def candidates_list(
    brand: Annotated[str | None, typer.Option(help="Only of this brand.")] = None,
    states: States = None,
    tier: Annotated[list[str] | None, typer.Option(help="Only in these tiers; default all.")] = None,
    min_score: Annotated[float | None, typer.Option(help="Only from this score on.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    output: Out = Output.TABLE,
) -> None:
    """Who to ask: the best first.

    Examples:

    - `superfan candidates list`
    - `superfan candidates list --brand JetBlue --state candidate`
    - `superfan candidates list -o json | head`
    """
    from streams.store import open_store
    from streams.views.board import print_board

    settings = _settings()
    with open_store(settings) as store:
        found = store.candidates(
            brand=_known_brand(brand, settings, store),
            states=_values(states),
            tiers=_known_tiers(tier, settings, store),
            min_score=min_score,
            limit=limit,
        )
        print_board(found, output, talk)


@candidates_app.command("show")
def candidates_show(
    key: Annotated[str, typer.Argument(help="brand/platform:author_id, as `candidates list` prints it.")],
    output: Out = Output.TABLE,
) -> None:
    """One candidate: why, what speaks against, what is not known.

    Examples:

    - `superfan candidates show "Southwest/x:ue5927f1ef6"`
    - `superfan candidates show "Southwest/x:ue5927f1ef6" -o json`
    """
    from streams.store import find_candidate, open_store
    from streams.views.board import print_card

    settings = _settings()
    with open_store(settings) as store:
        candidate = find_candidate(store, key)
        print_card(candidate, store.profile(key), settings.rules, output)


@candidates_app.command("tail")
def candidates_tail(
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="First what is on the topic already.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many.")] = None,
    output: Out = Output.TABLE,
) -> None:
    """Follow the topic `candidates`: a line for each change, until Ctrl-C, SIGTERM or a closed pipe.

    A candidate that must be deleted (it is none any more, or the person asked) has the state "deleted".

    Examples:

    - `superfan candidates tail`
    - `superfan candidates tail --from-beginning --limit 10`
    - `superfan candidates tail -o json | jq .headline`
    """
    from streams.broker.reading import follow_candidates
    from streams.shutdown import Stop
    from streams.views.board import print_changes
    from streams.views.output import reader_left

    stop = Stop()
    settings = _settings()
    talk.print(f"Following `candidates` on {settings.broker_url}; Ctrl-C ends it.", soft_wrap=True)
    with stop.waking(lambda: None):
        changes = follow_candidates(
            settings,
            from_beginning=from_beginning,
            go_on=lambda: not (stop.asked or reader_left()),
            on_unreadable=lambda what: talk.print(Text(printable(f"{what}.")), soft_wrap=True),
        )
        print_changes(islice(changes, limit), output)


@app.command()
def report(
    target: Annotated[
        Path, typer.Option("-o", "--output", help="The page to write; - is standard output.")
    ] = Path("report.html"),
    brand: Annotated[str | None, typer.Option(help="Only authors of this brand.")] = None,
    states: States = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many cards.")] = 60,
) -> None:
    """One static page from the store: the board, a card for each author, what is said of each brand.

    The page needs no network and no script, and prints well. The same store gives the same bytes.

    Examples:

    - `superfan report -o out.html`
    - `superfan report --brand JetBlue --state candidate --limit 20`
    """
    from streams.store import open_store
    from streams.views.report import write_report

    settings = _settings()
    with open_store(settings) as store, _bar("Reading profiles", None) as advance:
        written = write_report(
            target,
            store,
            settings,
            brand=_known_brand(brand, settings, store),
            states=_values(states),
            limit=limit,
            advance=advance,
        )
    where = "to standard output" if str(target) == "-" else target
    talk.print(f"Written: {where}, {written.cards} of {written.found} authors.", soft_wrap=True)
    if not written.found:
        talk.print(
            "Nobody is on the board yet: feed posts (`superfan feed`), or ask for other brands and states."
        )


@dead_letters_app.command("list")
def dead_letters_list(
    reason: Annotated[str | None, typer.Option(help="Only with this reason.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the newest so many.")] = None,
    output: Out = Output.TABLE,
) -> None:
    """The dead letters on their topic, the newest first.

    Examples:

    - `superfan dead-letters list --limit 20`
    - `superfan dead-letters list --reason future -o json`
    """
    from streams.broker.reading import read_dead_letters

    print_rows(
        output, read_dead_letters(_settings(), reason=reason, limit=limit, short=output is Output.TABLE)
    )


@dead_letters_app.command("show")
def dead_letters_show(
    place: Annotated[
        str, typer.Argument(metavar="TOPIC/PARTITION/OFFSET", help="Where the record was, as `list` says.")
    ],
    output: Out = Output.TABLE,
) -> None:
    """One dead letter, whole: why the record could not be used, and all of it.

    Examples:

    - `superfan dead-letters show mentions/3/1041`
    - `superfan dead-letters show mentions/3/1041 -o json | jq -r .payload`
    """
    import msgspec

    from streams.broker.reading import read_dead_letter

    try:
        topic, partition, offset = place.split("/")
        where = topic, int(partition), int(offset)
    except ValueError:
        raise typer.BadParameter(f"{place!r} is no TOPIC/PARTITION/OFFSET such as mentions/3/1041") from None
    found = read_dead_letter(_settings(), *where)
    if found is None:
        raise SuperfanError(
            f"There is no dead letter of {place}",
            "nothing was rejected there, or it was more than 28 days ago",
            "look with `superfan dead-letters list`",
        )
    row = msgspec.to_builtins(found)
    if output is Output.TABLE:
        print_fields(row)
    else:
        print_rows(output, [row])


class Policy(StrEnum):
    """What to do at a record that would be rejected again."""

    STOP = "stop"
    SKIP = "skip"


@dead_letters_app.command("replay")
def dead_letters_replay(
    reason: Annotated[str | None, typer.Option(help="Only those with this reason.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Send at most so many.")] = None,
    policy: Annotated[
        Policy, typer.Option(help="At a record that would be rejected again: stop there, or skip it.")
    ] = Policy.STOP,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Send nothing; say what would be sent.")] = False,
    output: Out = Output.TABLE,
) -> None:
    """Send dead letters back to their topics, when what they were rejected for is mended.

    What today's settings would reject again is not sent, nor a customer or feedback that a later record
    replaced. A post that was sent before counts once.

    Examples:

    - `superfan dead-letters replay --dry-run`
    - `superfan dead-letters replay --reason no_lawful_basis --limit 100`
    - `superfan dead-letters replay --policy skip`
    """
    from streams.broker.dead_letters import Outcome, ReplayError, replay

    counts: Counter[Outcome] = Counter()
    stopped: list[ReplayError] = []

    def rows() -> Iterator[dict[str, Any]]:
        skip = policy is Policy.SKIP
        try:
            for row in replay(settings, reason=reason, limit=limit, skip=skip, dry_run=dry_run):
                counts[row.outcome] += 1
                yield row._asdict()
        except ReplayError as error:
            stopped.append(error)  # told when what was sent before it is printed

    settings = _settings()
    print_rows(output, rows())
    talk.print(
        f"{'Would send' if dry_run else 'Sent'} {counts[Outcome.SENT]:,}; left "
        f"{counts[Outcome.REFUSED]:,} that would be rejected again, "
        f"{counts[Outcome.SUPERSEDED]:,} that a later record replaced.",
        soft_wrap=True,
    )
    if stopped:
        raise stopped[0]


@app.command()
def doctor(output: Out = Output.TABLE) -> None:
    """Check settings, broker, topics, roles, clocks, store and text pipeline. Exit 3 with any finding.

    Each finding comes with its fix. Nothing is written anywhere.

    Examples:

    - `superfan doctor`
    - `superfan doctor -o json | jq 'select(.ok | not)'`
    """
    from streams.ops.health import diagnose

    findings = diagnose(_settings())
    _print_findings(output, findings)


@app.command()
def health(
    role: Annotated[
        WorkerRole, typer.Option(help="Ask only for what this role needs: the store is the sink's.")
    ] = WorkerRole.ALL,
    output: Out = Output.TABLE,
) -> None:
    """For probes: exit 0 when broker, topics and store are there, 3 when not.

    Examples:

    - `superfan health`
    - `superfan health --role enrich`
    - `superfan health -o json`
    """
    from streams.ops.health import probe

    findings = probe(_settings(), role.roles)
    _print_findings(output, findings)


@app.command()
def config() -> None:
    """The settings in force, as JSON, with secrets hidden.

    Examples:

    - `superfan config`
    - `SUPERFAN_TOPICS__PARTITIONS=16 superfan config`
    """
    settings = _settings()
    talk.print(f"from {config_path(_config)}, SUPERFAN_* and flags", soft_wrap=True)
    sys.stdout.write(json.dumps(settings.shown(), indent=2, ensure_ascii=False) + "\n")


def _print_findings(output: Output, findings: Sequence["Finding"]) -> None:
    """Print findings; exits 3 when one is not well."""
    if output is Output.TABLE:
        print_findings((finding.check, finding.ok, finding.found, finding.fix) for finding in findings)
    else:
        print_rows(output, (finding.row() for finding in findings))
    if wrong := sum(not finding.ok for finding in findings):
        talk.print(f"{wrong} of {len(findings)} checks found something.")
        raise typer.Exit(3)


def _day(text: str, option: str) -> int:
    """The day an option names; else wrong usage."""
    from models.times import day_from_iso

    try:
        return day_from_iso(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day; write YYYY-MM-DD", param_hint=option) from None


def _values(states: list[StateName] | None) -> list[str] | None:
    return [state.value for state in states] if states else None


def _known_brand(name: str | None, settings: Settings, store: "Store") -> str | None:
    """The brand of this name in the settings or the store, whatever its case; else wrong usage."""
    if name is None:
        return None
    return _known(name, [*(brand.name for brand in settings.brands), *store.brands()], "--brand")


def _known_tiers(names: list[str] | None, settings: Settings, store: "Store") -> list[str] | None:
    """The same of tiers; null for all of them."""
    if not names:
        return None
    there = sorted({tier for *_, tier in store.census() if tier is not None})
    return [_known(name, [*TIER_PRESETS[settings.tiers.preset], *there], "--tier") for name in names]


def _known(name: str, known: Iterable[str], option: str) -> str:
    for other in (known := list(dict.fromkeys(known))):
        if other.casefold() == name.casefold():
            return other
    raise typer.BadParameter(f"{name!r} is none of {', '.join(known)}", param_hint=option)


@contextmanager
def _bar(what: str, total: int | None) -> Iterator[Any]:
    """A progress bar on standard error, if that is a terminal; yields a function that moves it on."""
    with Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=talk,
        disable=not talk.is_terminal,
    ) as progress:
        task = progress.add_task(what, total=total)
        yield lambda n: progress.advance(task, n)


@contextmanager
def _reading(what: str, files: Sequence[Path]) -> Iterator[Any]:
    """The same by the bytes of files; yields a function of the posts done since, and the bytes read."""
    from streams.sources.lines import Files

    with Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[posts]:,} posts, {task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=talk,
        disable=not talk.is_terminal,
    ) as progress:
        task = progress.add_task(what, total=Files(files).size, posts=0, rate=0.0)
        began = time.monotonic()
        done = 0

        def advance(posts: int, position: int) -> None:
            nonlocal done
            done += posts
            rate = done / max(time.monotonic() - began, 1e-9)
            progress.update(task, completed=position, posts=done, rate=rate)

        yield advance
