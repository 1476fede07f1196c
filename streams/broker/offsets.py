"""Logs and committed offsets as the broker has them, and the command that accepts a replaced topic."""

import time
from collections.abc import Collection
from typing import NamedTuple

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.structs import OffsetAndMetadata, TopicPartition

from streams.broker import feeding
from streams.broker.admin import TopicError, admin_client
from streams.broker.reading import records
from streams.delivery.continuity import Commit, Found, Log, LogEpoch, epoch_codec, epoch_key
from streams.roles import ROLES, Role
from streams.settings import Settings
from streams.topics import BY_NAME, changelog

EPOCHS = changelog("clock")
"""Where the profile role keeps the epochs of its topics."""
LEAVE_SECONDS = 30.0
"""Time a group may need to notice that its last member has ended."""
STOPPED = frozenset({"Empty", "Dead"})


class Accepted(NamedTuple):
    """A partition whose new log a role will read: from which offset, and the offset committed before."""

    role: str
    topic: str
    partition: int
    begin: int
    committed: int | None


def ask(settings: Settings, group: str, topics: Collection[str]) -> Found:
    """Return the logs of the topics that exist, and the group's commits. Raise `BrokerUnavailable`."""
    with admin_client(settings) as client:
        return found(client, group, topics)


def found(client: KafkaAdminClient, group: str, topics: Collection[str]) -> Found:
    """Return the logs of the topics that exist, and the group's commits in any topic."""
    known = set(client.list_topics())
    there = [name for name in topics if name in known]
    described = {
        TopicPartition(topic["name"], partition["partition_index"]): topic["topic_id"]
        for topic in (client.describe_topics(there) if there else ())
        for partition in topic["partitions"]
    }
    begins = client.list_partition_offsets(dict.fromkeys(described, OffsetSpec.EARLIEST))
    ends = client.list_partition_offsets(dict.fromkeys(described, OffsetSpec.LATEST))
    logs = {
        (tp.topic, tp.partition): Log(_id(topic_id), begins[tp].offset, ends[tp].offset)
        for tp, topic_id in described.items()
    }
    commits = {
        (tp.topic, tp.partition): Commit(commit.offset, commit.metadata or "")
        for tp, commit in client.list_group_offsets([group])[group].items()
        if commit.offset >= 0
    }
    return Found(logs, commits)


def accept(settings: Settings, topic: str) -> list[Accepted]:
    """Let the roles that read a topic begin its new log; return what was reset.

    Only partitions whose log is not the one that commits or states are about are reset. Raise
    `TopicError` when no role reads the topic, it does not exist, nothing about it has changed, or
    workers of the role still run.
    """
    readers = [role for role, spec in ROLES.items() if topic in spec.inputs]
    if topic not in BY_NAME or not readers:
        inputs = sorted({name for spec in ROLES.values() for name in spec.inputs})
        raise TopicError(
            f"No role reads a topic {topic}", "there is nothing to accept", f"name one of {', '.join(inputs)}"
        )
    accepted: list[Accepted] = []
    with admin_client(settings) as client:
        for role in readers:
            accepted += _accept(client, settings, role, topic)
    if not accepted:
        raise TopicError(
            f"Nothing about topic {topic} has changed",
            "its log is the one that the role's commits and states are about",
            "to read it again from an earlier time, set the group's offsets with Kafka's own tools",
        )
    return accepted


def _accept(client: KafkaAdminClient, settings: Settings, role: Role, topic: str) -> list[Accepted]:
    group = ROLES[role].group
    state = found(client, group, [topic])
    logs = {partition: log for (_, partition), log in sorted(state.logs.items())}
    if not logs:
        raise TopicError(f"There is no topic {topic}", "it was deleted", "run `superfan topics apply`")
    epochs = _epochs(settings, topic) if role is Role.PROFILE else {}
    replaced = {}
    for partition, log in logs.items():
        commit, entry = state.commits.get((topic, partition)), epochs.get(partition, LogEpoch())
        ids = {entry.topic_id, commit.topic_id if commit else ""} - {""}
        if ids - {log.topic_id} or (commit and commit.offset > log.end):
            replaced[partition] = commit.offset if commit else None
    if not replaced:
        return []
    _wait_until_stopped(client, role, group)
    if role is Role.PROFILE:
        _start_epochs(
            settings,
            topic,
            {p: LogEpoch(epochs.get(p, LogEpoch()).epoch + 1, logs[p].topic_id) for p in replaced},
        )
    client.alter_group_offsets(
        group,
        {TopicPartition(topic, p): OffsetAndMetadata(logs[p].begin, logs[p].topic_id, -1) for p in replaced},
    )
    return [Accepted(role, topic, p, logs[p].begin, before) for p, before in replaced.items()]


def _wait_until_stopped(client: KafkaAdminClient, role: Role, group: str) -> None:
    """Return when the group has no members. A worker that was killed stays one for a session."""
    deadline = time.monotonic() + LEAVE_SECONDS
    while client.describe_groups([group])[group]["group_state"] not in STOPPED:
        if time.monotonic() > deadline:
            raise TopicError(
                f"Workers of role {role} are still running",
                f"group {group} has members, which would commit over what is reset here",
                "stop them all, and run this command again",
            )
        time.sleep(0.5)


def _epochs(settings: Settings, topic: str) -> dict[int, LogEpoch]:
    """Return the newest entry of each partition that the states have for a topic."""
    newest: dict[int, LogEpoch] = {}
    for record in records(settings, EPOCHS):
        if record.key == epoch_key(topic):
            entry = epoch_codec.unpack(record.value)
            if entry.version >= newest.get(record.partition, LogEpoch()).version:
                newest[record.partition] = entry
    return newest


def _start_epochs(settings: Settings, topic: str, entries: dict[int, LogEpoch]) -> None:
    client: KafkaProducer = feeding.producer(settings)
    try:
        sent = [
            client.send(EPOCHS, key=epoch_key(topic), value=epoch_codec.pack(entry), partition=partition)
            for partition, entry in entries.items()
        ]
        client.flush()
        for future in sent:
            future.get(timeout=30)
    finally:
        client.close()


def _id(topic_id: object) -> str:
    """Return a topic id as text; empty for a broker that has none (before Kafka 2.8)."""
    text = str(topic_id or "")
    return "" if set(text) <= {"0", "-"} else text
