"""Findings of the doctor for answers that a single broker does not give."""

from typing import Any

import pytest

from streams.broker.admin import TopicState
from streams.broker.lag import PartitionLag
from streams.ops import health
from streams.roles import Role
from streams.topics import TOPICS

MINE = [PartitionLag(Role.SINK, "profiles", partition, 0, 5, 5) for partition in range(4)]


def partition(number: int, leader: int, in_sync: int) -> dict[str, Any]:
    """Return a partition of three replicas as a broker describes it."""
    copies = [1, 2, 3]
    return {
        "partition_index": number,
        "leader_id": leader,
        "replica_nodes": copies,
        "isr_nodes": copies[:in_sync],
    }


def test_partitions_without_a_leader_or_behind_are_named() -> None:
    """Partitions of a missing broker are named; a complete cluster passes."""
    client: Any = None
    whole = TopicState(TOPICS[0], (partition(0, 1, 3), partition(1, 2, 3)))
    (well,) = health._partitions(client, [whole])
    assert (well.ok, well.found) == (True, "2 with a leader, all copies in sync")
    broken = TopicState(TOPICS[1], (partition(0, -1, 0), partition(1, 2, 2)))
    found = list(health._partitions(client, [whole, broken]))
    assert [(finding.ok, finding.found) for finding in found] == [
        (False, "without a leader: comments[0]"),
        (False, "with fewer copies in sync than wanted: comments[1]"),
    ]


def member(*partitions: int) -> dict[str, Any]:
    """Return a member of a group with these partitions of one topic."""
    assigned = [{"topic": "profiles", "partitions": list(partitions)}] if partitions else []
    return {"member_assignment": {"assigned_partitions": assigned} if partitions else ""}


@pytest.mark.parametrize(
    ("group", "ok", "found"),
    [
        (
            {"group_state": "Stable", "members": [member(0, 1), member(2, 3), member()]},
            True,
            "3 workers, 4 of 4",
        ),
        ({"group_state": "Stable", "members": [member(0, 1)]}, False, "1 worker, 2 of 4 partitions"),
        (
            {"group_state": "PreparingRebalance", "members": [member(0, 1)]},
            False,
            "1 worker, rebalancing; nothing waits",
        ),
        ({"group_state": "Dead", "members": []}, True, "no worker; nothing waits"),
    ],
)
def test_a_role_passes_when_all_its_partitions_are_assigned(
    group: dict[str, Any], ok: bool, found: str
) -> None:
    """Spare workers are fine; unassigned partitions and a rebalance are reported."""
    finding = health._role(Role.SINK, group, MINE, 0.0)
    assert finding.ok is ok
    assert found in finding.found
    assert finding.fix
