"""Is everything there that a worker needs? Each finding says what was found and what to do."""

import shutil
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from kafka.errors import KafkaError

from models.errors import SuperfanError
from models.store import Store
from streams import admin
from streams.lag import lag
from streams.roles import Role
from streams.settings import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was found, and the fix when it is not well."""

    check: str
    ok: bool
    found: str
    fix: str = ""


def probe(settings: Settings, roles: Collection[Role] = tuple(Role)) -> list[Finding]:
    """What a worker of these roles cannot do without: broker, topics, and for the sink the store."""
    return [*_broker(settings), *([_store(settings)] if Role.SINK in roles else [])]


def diagnose(settings: Settings) -> list[Finding]:
    """Everything `probe` checks, and what a person may want to know before the first start."""
    return [*probe(settings), _pipeline(settings), _java(), _disk()]


def _broker(settings: Settings) -> list[Finding]:
    try:
        with admin.admin_client(settings) as client:
            found = [Finding("broker", True, f"answers at {settings.broker_url}")]
            states = admin.compare(client, settings)
            wrong = [s for s in states if s.differences]
            found.append(
                Finding(
                    "topics",
                    not wrong,
                    f"{len(states)} as they should be"
                    if not wrong
                    else "; ".join(f"{s.topic.name}: {', '.join(s.differences)}" for s in wrong),
                    "" if not wrong else "run `superfan topics apply`",
                )
            )
            if not wrong:
                behind = lag(client, settings.topics.partitions)
                said = ", ".join(f"{role} {state.behind:,}" for role, state in behind.items())
                found.append(Finding("lag", True, f"records not yet processed: {said}"))
            return found
    except (SuperfanError, KafkaError, OSError) as error:
        what = error.why if isinstance(error, SuperfanError) else str(error)
        return [
            Finding(
                "broker",
                False,
                f"no answer at {settings.broker_url}: {what}",
                "start one with `superfan broker`, or set SUPERFAN_BROKER_URL",
            )
        ]


def _store(settings: Settings) -> Finding:
    store = Store(settings.store_url.get_secret_value())
    try:
        store.ping()
        found, expected = store.schema_revision(), store.expected_revision()
        if found != expected:
            return Finding(
                "store",
                False,
                f"schema {found or 'empty'}, should be {expected}",
                "start a worker with the sink role: it brings the schema up to date",
            )
        return Finding("store", True, f"answers, schema {found}")
    except SuperfanError as error:
        return Finding("store", False, f"{error.what}: {error.why}", error.fix)
    finally:
        store.close()


def _pipeline(settings: Settings) -> Finding:
    def check() -> str:
        from nlp.pipeline import Annotator, TextIn

        started = time.monotonic()
        annotator = Annotator(settings.brands)
        (annotation,) = annotator.annotate([TextIn(text="I love it")])
        return (
            f"loads in {time.monotonic() - started:.1f} s, says {annotation.sentiment.label} of “I love it”"
        )

    return _tried("pipeline", check, "install Superfan again: its files are not complete")


def _java() -> Finding:
    from streams.kafka_files import find_java

    return _tried(
        "java", lambda: str(find_java()), "install Java 17 or newer; only the embedded broker needs it"
    )


def _disk() -> Finding:
    free = shutil.disk_usage(".").free / 2**30
    return Finding(
        "disk",
        free > 1,
        f"{free:.1f} GiB free here",
        "" if free > 1 else "make room: Kafka stops when it is full",
    )


def _tried(check: str, action: Callable[[], str], fix: str) -> Finding:
    try:
        return Finding(check, True, action())
    except Exception as error:
        return Finding(check, False, str(error) or type(error).__name__, fix)
