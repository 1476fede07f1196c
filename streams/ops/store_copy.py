"""Compare the store with the topics that it is a copy of."""

from typing import NamedTuple

from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.structs import TopicPartition

from models.rejection import Rejected
from models.store import Delete, Store
from streams.broker.lag import committed, offsets
from streams.broker.reading import records
from streams.roles import ROLES, Role
from streams.settings import Settings
from streams.store import KINDS, change_of

MAX_COUNTED = 20_000
"""Records of a topic up to which its keys are counted; reading more takes a person's time."""
REBUILD = "run `superfan store rebuild`"
RESTART = "restart the worker of the sink: it reads on from the position of the store"


class Comparison(NamedTuple):
    """One finding: `fix` is empty where the store agrees with its topics."""

    found: str
    fix: str = ""


def compare(settings: Settings, client: KafkaAdminClient, store: Store) -> Comparison:
    """Return the first difference of the store from its topics, or a summary; the topics must exist."""
    numbers = range(settings.topics.partitions)
    tps = [TopicPartition(topic, number) for topic in KINDS for number in numbers]
    starts, ends = offsets(client, tps, OffsetSpec.EARLIEST), offsets(client, tps, OffsetSpec.LATEST)
    commits = committed(client, ROLES[Role.SINK].group)
    positions = store.positions()
    summary = []
    for topic, kind in KINDS.items():
        for tp in (tp for tp in tps if tp.topic == topic):
            where = f"{topic}, partition {tp.partition}"
            position = positions.get((kind, tp.partition))
            if position is not None and position > ends[tp]:
                found = f"ahead of {where}: at {position}, which ends at {ends[tp]}; it was created anew"
                return Comparison(found, REBUILD)
            if position is not None and position < min(commits.get(tp, 0), ends[tp]):
                found = f"behind in {where}: at {position}, the sink had committed {commits[tp]}"
                return Comparison(found, RESTART)
        held = sum(ends[tp] - starts[tp] for tp in tps if tp.topic == topic)
        size = store.size(kind)
        current = all(positions.get((kind, tp.partition)) == ends[tp] for tp in tps if tp.topic == topic)
        if current and held <= MAX_COUNTED:
            live = _live_keys(settings, topic)
            if live != size:
                return Comparison(f"it has {size:,} {topic}, the topic {live:,}", REBUILD)
        elif held and not size and all(commits.get(tp, 0) >= ends[tp] for tp in tps if tp.topic == topic):
            # Not while records wait: then the sink is behind, which the check of its role reports.
            return Comparison(f"it has no {topic}, the topic has {held:,} records", RESTART)
        summary.append(f"{size:,} {topic}")
    return Comparison(f"holds {' and '.join(summary)}, in agreement with the topics")


def _live_keys(settings: Settings, topic: str) -> int:
    live: dict[str, bool] = {}
    for record in records(settings, topic):
        try:
            change = change_of(topic, record.key, record.value)
        except Rejected:
            continue
        live[change.key] = not isinstance(change, Delete)
    return sum(live.values())
