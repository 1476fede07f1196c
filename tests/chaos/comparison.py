"""Compare the result of a chaos run with the oracle and with the same records without faults."""

import json
from collections import Counter
from typing import Any

from models.author import AuthorState
from models.codec import Codec, version_of
from models.counted_post import counted_post
from models.fold import Fold
from models.record import encode
from models.store import Store
from models.times import day_from_iso
from nlp.enrichment import Enricher
from streams import topics
from streams.broker.reading import records
from streams.offline.backtest import Backtest
from streams.settings import Settings
from tests.chaos import expectation, naive
from tests.chaos.outcome import Outcome
from tests.chaos.world import TICK_DAY, World
from tests.running import compacted, differences, without_revision


def compare(outcome: Outcome, settings: Settings, world: World) -> None:
    """Compare topics, rows and stored states with the oracle and with a run without faults.

    Differences and figures are added to the outcome.
    """
    expected = yardstick(settings, world)
    found = {
        "profiles": compacted(settings, "profiles"),
        "candidates": compacted(settings, "candidates"),
    }
    store = Store(settings.store_url.get_secret_value())
    try:
        rows = {
            "profiles": _plain(store.profiles()),
            "candidates": _plain(store.candidates()),
        }
    finally:
        store.close()
    oracle = expectation.expected(world.truth, world.customers, world.feedback, TICK_DAY)
    outcome.differences += [
        f"oracle: {said}"
        for said in expectation.disagreements(found["profiles"], found["candidates"], oracle)
    ]
    for name, wanted in expected.items():
        outcome.differences += [f"{name}: {said}" for said in differences(found[name], wanted)]
        outcome.differences += [f"SQL {name}: {said}" for said in differences(rows[name], wanted)]
    recovered = _recovered(settings)
    outcome.differences += [f"state: {said}" for said in differences(recovered, expected["profiles"])]
    outcome.profiles = len(found["profiles"])
    outcome.candidates = Counter(c["state"] for c in found["candidates"].values())
    outcome.counted = sum(p["windows"]["90d"]["posts"] for p in found["profiles"].values())
    _count_log(outcome, settings)


def _count_log(outcome: Outcome, settings: Settings) -> None:
    """Count replays, duplicates and the errors of the negative control in the topics."""
    newest: dict[tuple[int, bytes], int] = {}
    for record in records(settings, topics.changelog("authors")):
        key = (record.partition, record.key)
        if record.value is None:
            newest.pop(key, None)
            continue
        version = version_of(record.value)
        if key in newest:
            outcome.replayed += version == newest[key]
            outcome.stale += version < newest[key]
        newest[key] = max(version, newest.get(key, 0))
    seen: set[tuple[str, int]] = set()
    per_author: Counter[str] = Counter()
    total = 0
    for record in records(settings, topics.ENRICHED):
        *_, post = counted_post(record.value)
        seen.add((post.post_id, post.edited_ms))
        per_author[record.key.decode()] += 1
        total += 1
    outcome.duplicates = total - len(seen)
    control: Counter[str] = Counter()
    for record in records(settings, naive.CHANGELOG):
        control[json.loads(record.key)] = json.loads(record.value)
    off = {key: abs(per_author[key] - control[key]) for key in per_author.keys() | control.keys()}
    outcome.naive_wrong = sum(1 for difference in off.values() if difference)
    outcome.naive_off = sum(off.values())


def _plain(found: Any) -> dict[str, dict[str, Any]]:
    return {record.key: without_revision(json.loads(encode(record))) for record in found}


def _recovered(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the profiles of a worker that recovers from the changelog now."""
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
    """Return the profiles and candidates without faults: every record once, in order, without a broker."""
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
