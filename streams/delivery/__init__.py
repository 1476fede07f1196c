"""Delivery before commit, in order: the layer that makes Faust safe to count with.

Promised for an application built by `ReliableApp`:

* *At least once.* An input offset is committed only after the broker confirmed every record that its
  processing sent: changelog, outputs, dead letters. All offsets before it in its partition come first.
* *States first.* States are sent in the order in which processing wrote them, across all agents of
  the application. What processing sends after a state of its partition leaves when that state was
  confirmed. So the changelog of a key ends in its newest state, and no output is ahead of the states.
* *Nothing is skipped.* A delivery that fails stops the application with that error.
* *Bounded work.* At most `window` records are begun and not yet delivered; the rest waits in Kafka.
* *One owner.* Nothing is begun, and nothing more is sent, for an assignment that has ended. Nothing is
  sent once the group may have removed this worker: a worker that was paused beyond its session stops at
  its next send (`Lease`). States are those of the changelog, but for partitions that stayed from one
  assignment to the very next.
* *No record stops a role.* An exception in the step of a record takes back what the step sent and
  wrote, and the record goes to the dead letters (`streams.delivery.agents`).
* *No dead role.* Whatever ends an agent, a fetcher or another task of the application stops it.
* *No other log.* A topic that was made anew, or lost records that were read, stops the application
  (`streams.delivery.continuity`).

Not promised: that a record is processed once (folds must be idempotent). Kafka cannot fence a request
that was on its way when a worker was paused. Such a state may be older than the newest; recovery
refuses it.

`faust.py` lists the traps of Faust that are closed here. No other package imports Faust or aiokafka.
"""

from streams.delivery.agents import (
    STOPPING,
    BatchStep,
    GiveUp,
    LongStep,
    Step,
    agent,
    batch_agent,
    long_agent,
)
from streams.delivery.application import ReliableApp
from streams.delivery.errors import (
    DeliveryError,
    Fenced,
    LogReplaced,
    ReadDenied,
    RoleEnded,
    broker_lost,
)
from streams.delivery.faust import Consumer
from streams.delivery.lease import Lease
from streams.delivery.outbox import Delivery
from streams.delivery.work import ARRIVED, TP, Work, all_or_nothing

__all__ = [
    "ARRIVED",
    "STOPPING",
    "TP",
    "BatchStep",
    "Consumer",
    "Delivery",
    "DeliveryError",
    "Fenced",
    "GiveUp",
    "Lease",
    "LogReplaced",
    "LongStep",
    "ReadDenied",
    "ReliableApp",
    "RoleEnded",
    "Step",
    "Work",
    "agent",
    "all_or_nothing",
    "batch_agent",
    "broker_lost",
    "long_agent",
]
