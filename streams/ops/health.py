"""Checks of settings, broker, store, text pipeline and machine; each failed one comes with a fix."""

import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, RetriableError

from models.errors import SuperfanError
from models.store import StoreError
from models.tables import NICHES
from streams.agents.shadow import shadow_of
from streams.broker import admin
from streams.broker.admin import TopicState
from streams.broker.clients import group_less_consumer
from streams.broker.lag import FETCH_BYTES, PartitionLag, partition_lags, waiting_seconds
from streams.ops.store_copy import compare
from streams.roles import ROLES, Role
from streams.settings import Settings
from streams.store import open_store, store_of

CLOCKS_APART = 5.0
"""difference in seconds above which lags and latencies are wrong"""
OLDEST = 300.0
"""seconds that a record may wait for a role, as in the alert on rising lag"""
RETRY_SECONDS = 20.0
"""time in which the broker must answer a question"""
FREE_GIB = 1.0
OLDEST_KAFKA = (4, 0)
_BLANKS = ("replace", "todo", "tbd", "fixme", "xxx", "...", "<")
"""beginnings of a lawful basis that was never filled in"""

Clock = Callable[[], float]
"""Returns this machine's time in epoch seconds."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check, with a fix if it failed."""

    check: str
    ok: bool
    found: str
    fix: str = ""

    def row(self) -> dict[str, object]:
        """Return the finding as a row of output; the fix is empty if the check passed."""
        return {"check": self.check, "ok": self.ok, "found": self.found, "fix": "" if self.ok else self.fix}


Question = Callable[[KafkaAdminClient, Sequence[TopicState]], Iterator[Finding]]
"""Asks the broker something; gets the current state of the topics."""


def probe(settings: Settings, roles: Collection[Role] = tuple(Role)) -> list[Finding]:
    """Check the needs of a worker of these roles: broker, topics, and for the sink the store."""
    found = list(_of_broker(settings, {"topics": partial(_topics, settings)}))
    return [*found, *([_store(settings)] if Role.SINK in roles else [])]


def diagnose(settings: Settings, now: Clock = time.time) -> list[Finding]:
    """Run all checks: those of `probe`, and settings, roles, clocks, text pipeline, disk and Java.

    Reads only: nothing is written to broker or store. `now` is this machine's clock.
    """
    questions: dict[str, Question] = {
        "topics": partial(_topics, settings),
        "partitions": _partitions,
        "roles": partial(_roles, settings, now),
        "clock": partial(_clock_of_broker, now),
        "store": partial(_store_copy, settings),
    }
    found = [*_settings(settings), *_of_broker(settings, questions), _store(settings)]
    found += [*_clock_of_store(settings, now), _pipeline(settings), _disk()]
    if not next(finding.ok for finding in found if finding.check == "broker"):
        found.append(_java())  # only a broker of our own needs it
    return found


# --- settings


def _settings(settings: Settings) -> Iterator[Finding]:
    """Find settings that are valid and yet cannot be intended."""
    wrong = list(_wrong_settings(settings))
    yield from wrong
    if not wrong:
        read = ", ".join(f"{name} on “{source.lawful_basis}”" for name, source in settings.sources.items())
        yield Finding("settings", True, f"{len(settings.brands)} brands; {read}")


def _wrong_settings(settings: Settings) -> Iterator[Finding]:
    for name, source in settings.sources.items():
        if source.lawful_basis.casefold().lstrip().startswith(_BLANKS):
            yield Finding(
                "settings",
                False,
                f"the lawful basis of {name} is “{source.lawful_basis}”",
                f"name your own assessment at sources.{name}.lawful_basis, or do not read {name}",
            )
    owners = defaultdict(set)
    for brand in settings.brands:
        for platform, handles in brand.handles.items():
            for handle in handles:
                owners[f"@{handle.casefold()} on {platform}"].add(brand.name)
        if unknown := sorted(set(brand.niche) - set(NICHES)):
            yield Finding(
                "settings",
                False,
                f"{brand.name} is about {', '.join(unknown)}, which is not a known niche",
                f"choose from {', '.join(NICHES)}",
            )
    for handle, names in owners.items():
        if len(names) > 1:
            both = " and ".join(sorted(names))
            yield Finding("settings", False, f"{handle} is a handle of {both}", "keep it at one of them")
    try:
        shadow_of(settings)
    except SuperfanError as error:
        yield Finding("settings", False, f"{error.what}: {error.why}", error.fix)


# --- the broker


def _of_broker(settings: Settings, questions: Mapping[str, Question]) -> Iterator[Finding]:
    """Check that the broker answers, then yield the findings of all questions."""
    try:
        with admin.admin_client(settings) as client:
            yield from _broker(settings, client)
            states = admin.compare(client, settings)
            for check, question in questions.items():
                try:
                    yield from _retried(partial(question, client, states))
                except KafkaError as error:
                    fix = "allow this user to describe cluster, topics and groups, or read the broker's log"
                    yield Finding(check, False, f"the broker refused to answer: {error}", fix)
    except (SuperfanError, KafkaError, OSError) as error:
        what = error.why if isinstance(error, SuperfanError) else str(error)
        yield Finding(
            "broker",
            False,
            f"no answer at {settings.broker_url}: {what}",
            "start one with `superfan broker`, or set SUPERFAN_BROKER_URL",
        )


def _retried(ask: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """Ask again while the error is transient, as for groups on a new broker."""
    deadline = time.monotonic() + RETRY_SECONDS
    while True:
        try:
            return list(ask())
        except RetriableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def _broker(settings: Settings, client: KafkaAdminClient) -> Iterator[Finding]:
    cluster = client.describe_cluster()
    release = client.get_broker_version_data(cluster["controller_id"]).broker_version
    yield Finding(
        "broker",
        release >= OLDEST_KAFKA,
        f"answers at {settings.broker_url}; {len(cluster['brokers'])} in the cluster, protocol of "
        f"Kafka {'.'.join(map(str, release))}",
        "upgrade to Kafka 4 or newer: older versions are not tested",
    )


def _topics(settings: Settings, _: KafkaAdminClient, states: Sequence[TopicState]) -> Iterator[Finding]:
    if missing := [state.topic.name for state in states if not state.exists]:
        yield Finding("topics", False, f"missing: {', '.join(missing)}", "run `superfan topics apply`")
    for state in states:
        if wrong := [difference for difference in state.differences if difference.name != admin.PARTITIONS]:
            config = ",".join(f"{name}={_listed(wanted)}" for name, _, wanted in wrong)
            yield Finding(
                "topics",
                False,
                f"{state.topic.name}: {', '.join(map(str, wrong))}",
                f"kafka-configs.sh --bootstrap-server {','.join(settings.bootstrap)} --alter "
                f"--topic {state.topic.name} --add-config '{config}'",
            )
        if (count := len(state.partitions)) not in {0, settings.topics.partitions}:
            yield Finding(
                "topics",
                False,
                f"{state.topic.name} has {count} partitions, not {settings.topics.partitions}",
                "set topics.partitions to the number that all topics have; if topics differ, delete the odd "
                "one while it is empty and run `superfan topics apply`: all need the same number",
            )
    if all(state.exists and not state.differences for state in states):
        yield Finding(
            "topics", True, f"{len(states)} there, with {settings.topics.partitions} partitions each"
        )


def _listed(value: str) -> str:
    """Return a value in the form that Kafka's command-line tool wants."""
    return f"[{value}]" if "," in value else value


def _partitions(_: KafkaAdminClient, states: Sequence[TopicState]) -> Iterator[Finding]:
    """Check that each partition has a leader and that its replicas are in sync."""
    headless, behind, count = [], [], 0
    for state in states:
        for partition in state.partitions:
            count += 1
            name = f"{state.topic.name}[{partition['partition_index']}]"
            if partition["leader_id"] < 0:
                headless.append(name)
            elif len(partition["isr_nodes"]) < len(partition["replica_nodes"]):
                behind.append(name)
    if headless:
        fix = "start the brokers that hold them: nobody can read or write these partitions"
        yield Finding("partitions", False, f"without a leader: {_some(headless)}", fix)
    if behind:
        fix = "start the broker that is away, or wait until its copies have caught up"
        yield Finding("partitions", False, f"with fewer copies in sync than wanted: {_some(behind)}", fix)
    if count and not headless and not behind:
        yield Finding("partitions", True, f"{count} with a leader, all copies in sync")


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _roles(
    settings: Settings, now: Clock, client: KafkaAdminClient, states: Sequence[TopicState]
) -> Iterator[Finding]:
    """Check the workers and the lag of each role. Yields nothing while partitions are missing."""
    if any(len(state.partitions) != settings.topics.partitions for state in states):
        return
    found = partition_lags(client, settings.topics.partitions)
    with group_less_consumer(settings, max_partition_fetch_bytes=FETCH_BYTES) as consumer:
        ages = waiting_seconds(consumer, found, now_ms=round(now() * 1000))
    groups = client.describe_groups([spec.group for spec in ROLES.values()])
    for role, spec in ROLES.items():
        mine = [each for each in found if each.role is role]
        yield _role(role, groups[spec.group], mine, max((ages.get(each, 0.0) for each in mine), default=0.0))


def _role(role: Role, group: Mapping[str, Any], mine: Sequence[PartitionLag], oldest: float) -> Finding:
    members = group["members"]
    records = sum(each.behind for each in mine)
    waits = f"{records:,} wait, the oldest for {_duration(oldest)}" if records else "nothing waits"
    if not members:
        fix = f"start one: `superfan worker --role {role}`"
        return Finding(role, not records, f"no worker; {waits}", fix)
    workers = f"{len(members)} worker{'s' if len(members) > 1 else ''}"
    if group["group_state"] != "Stable":
        fix = "check again in a minute; if it persists, see deploy/runbooks/SuperfanRebalanceStorm.md"
        return Finding(role, False, f"{workers}, rebalancing; {waits}", fix)
    taken = sum(
        len(topic["partitions"])
        for member in members
        for topic in (member["member_assignment"] or {}).get("assigned_partitions", ())
    )
    said = f"{workers}, {taken} of {len(mine)} partitions; {waits}"
    if taken < len(mine):
        fix = "restart a worker of this role, so that all partitions are assigned"
        return Finding(role, False, said, fix)
    fix = "if it grows (`superfan lag`), see deploy/runbooks/SuperfanLagKeepsRising.md; else wait"
    return Finding(role, oldest <= OLDEST, said, fix)


def _duration(seconds: float) -> str:
    """Return a duration in its largest fitting unit: 7 s, 12 min, 5 h, 3 d."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


# --- clocks


def _clock_of_broker(now: Clock, client: KafkaAdminClient, _: Sequence[TopicState]) -> Iterator[Finding]:
    """Check the broker's clock: the controller's last fetch from itself has the time of the request."""
    before = now()
    quorum = client.describe_metadata_quorum()
    (state,) = quorum["topics"][0]["partitions"]
    fetched = {voter["replica_id"]: voter["last_fetch_timestamp"] for voter in state["current_voters"]}
    at = fetched.get(state["leader_id"]) or 0
    if at > 0:
        yield _clocks("broker", at / 1000, before, now())


def _clock_of_store(settings: Settings, now: Clock) -> Iterator[Finding]:
    try:
        with store_of(settings) as store:
            before = now()
            found = store.clock()
            if found is not None:
                yield _clocks("store", found, before, now())
    except SuperfanError:
        return  # reported by the check of the store


def _clocks(whose: str, found: float, before: float, after: float) -> Finding:
    """Compare a clock with this machine's; it was read between `before` and `after`."""
    ahead = found - after if found > after else min(0.0, found - before)
    if abs(ahead) < CLOCKS_APART:
        return Finding("clock", True, f"the {whose}'s and this machine's agree")
    which = "ahead of" if ahead > 0 else "behind"
    return Finding(
        "clock",
        False,
        f"the {whose}'s is {_duration(abs(ahead))} {which} this machine's",
        "synchronise both with the same time server (`timedatectl`, chrony)",
    )


# --- what is not the broker


def _store(settings: Settings) -> Finding:
    try:
        with open_store(settings) as store:
            return Finding("store", True, f"answers, schema {store.expected_revision()}")
    except SuperfanError as error:
        return Finding("store", False, f"{error.what}: {error.why}", error.fix)


def _store_copy(
    settings: Settings, client: KafkaAdminClient, states: Sequence[TopicState]
) -> Iterator[Finding]:
    """Compare the store with its topics; nothing is found where either is missing."""
    if any(len(state.partitions) != settings.topics.partitions for state in states):
        return
    try:
        with open_store(settings) as store:
            found, fix = compare(settings, client, store)
    except StoreError:
        return  # `_store` reports it
    yield Finding("store", not fix, found, fix)


def _pipeline(settings: Settings) -> Finding:
    def check() -> str:
        from nlp.pipeline import Annotator, TextIn

        started = time.monotonic()
        annotator = Annotator(settings.brands)
        (annotation,) = annotator.annotate([TextIn(text="I love it")])
        size = sum(len(asset.read_bytes()) for asset in files("nlp").joinpath("assets").iterdir())
        if annotation.sentiment.label != "positive":
            raise ValueError(f"“I love it” is annotated as {annotation.sentiment.label}")
        return (
            f"spaCy {version('spacy')}, {size / 2**20:.1f} MiB, loads in {time.monotonic() - started:.1f} s, "
            f"annotates “I love it” as positive; rules {settings.rules.model_version}"
        )

    return _tried("pipeline", check, "reinstall Superfan: its files are incomplete")


def _java() -> Finding:
    from streams.broker.download import find_java

    return _tried(
        "java", lambda: str(find_java()), "install Java 17 or newer; only the embedded broker needs it"
    )


def _disk() -> Finding:
    free = shutil.disk_usage(".").free / 2**30
    return Finding(
        "disk",
        free > FREE_GIB,
        f"{free:.1f} GiB free here",
        "free some space: Kafka stops when the disk is full",
    )


def _tried(check: str, action: Callable[[], str], fix: str) -> Finding:
    try:
        return Finding(check, True, action(), fix)
    except Exception as error:
        return Finding(check, False, str(error) or type(error).__name__, fix)
