"""How far each role is behind, measured from outside the workers: a stuck one shows."""

from dataclasses import dataclass

from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from streams.roles import ROLES, Role


@dataclass(frozen=True, slots=True)
class Lag:
    """Records of a role's inputs: all there are, and those not yet committed."""

    total: int
    behind: int


def lag(client: KafkaAdminClient, partitions: int) -> dict[Role, Lag]:
    """The lag of every role; topics must exist."""
    names = [name for spec in ROLES.values() for name in spec.inputs]
    tps = [TopicPartition(name, p) for name in names for p in range(partitions)]
    ends = _offsets(client, tps, OffsetSpec.LATEST)
    starts = _offsets(client, tps, OffsetSpec.EARLIEST)
    lags: dict[Role, Lag] = {}
    for role, spec in ROLES.items():
        committed = _committed(client, spec.group)
        mine = [tp for tp in tps if tp.topic in spec.inputs]
        lags[role] = Lag(
            total=sum(ends[tp] - starts[tp] for tp in mine),
            behind=sum(ends[tp] - max(committed.get(tp, 0), starts[tp]) for tp in mine),
        )
    return lags


def _offsets(
    client: KafkaAdminClient, tps: list[TopicPartition], spec: OffsetSpec
) -> dict[TopicPartition, int]:
    found = client.list_partition_offsets(dict.fromkeys(tps, spec))
    return {tp: offset.offset for tp, offset in found.items()}


def _committed(client: KafkaAdminClient, group: str) -> dict[TopicPartition, int]:
    try:
        offsets = client.list_group_offsets([group])[group]
    except KafkaError:
        return {}
    return {tp: found.offset for tp, found in offsets.items() if found.offset >= 0}
