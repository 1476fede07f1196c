"""Checks that each log a role reads is still the one it stopped in.

A topic that was deleted and made anew begins at offset 0 again, and so does one whose disk was lost.
A log restored from an older copy ends before the offset a role has committed. Offsets then mean other
records than before: going on would drop records, or take new ones for replays. So each commit carries
the id of the topic as its metadata. Each state partition remembers the ids of the topics it was made
from (`Epochs`). Both are compared with the broker's whenever partitions are assigned. The ends of the
logs are compared with the offsets read every ten seconds.

`superfan topics accept TOPIC` (`streams.broker.offsets`) lets the role begin the new log. Posts need
nothing else: their own ids keep them from counting twice. Customers, handles and ticks are compared
by position, and the new log's positions would look like replays. So the command also starts a new
*epoch* of the topic in the profile role's states: positions are offsets plus 2^40 for each epoch, and
go on growing.

Not promised:

* The loss of a changelog of states is not noticed.
* Roles enrich and sink do not notice a topic that was replaced while no worker ran. The broker deletes
  their commits together with the topic, and they read the whole new log.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

import msgspec
from faust.types import TP

from models.codec import Codec
from streams.delivery.errors import LogReplaced
from streams.delivery.state import KeyedState

CHECK_SECONDS = 10.0
"""Time between two comparisons of the logs with the offsets read."""


class Log(NamedTuple):
    """The log of a partition on the broker: its topic's id, first offset, and one past the last."""

    topic_id: str
    begin: int
    end: int


class Commit(NamedTuple):
    """The committed offset of a group in a partition; `topic_id` is empty when the commit has none."""

    offset: int
    topic_id: str


class Found(NamedTuple):
    """An answer of the broker; partitions that do not exist, or have no commit, are missing."""

    logs: Mapping[tuple[str, int], Log]
    commits: Mapping[tuple[str, int], Commit]


Ask = Callable[[Collection[str]], Found]
"""Asks the broker about the logs of these topics and the role's commits in them. May block."""


class LogEpoch(msgspec.Struct, array_like=True, frozen=True):
    """The log that a state partition was made from, and how often it was replaced and accepted."""

    epoch: int = 0
    topic_id: str = ""

    @property
    def version(self) -> int:
        """Grows with every acceptance."""
        return self.epoch + 1


epoch_codec = Codec(LogEpoch)


def epoch_key(topic: str) -> bytes:
    """Return the key under which a state partition keeps the epoch of a topic."""
    return b"log:" + topic.encode()


def check_commits(role: str, found: Found, tps: Iterable[TP]) -> None:
    """Raise `LogReplaced` for the first partition whose commit is about another or a longer log."""
    for tp in tps:
        log, commit = found.logs.get(tp), found.commits.get(tp)
        if log is None or commit is None:
            continue
        where = f"partition {tp.partition} ends at offset {log.end}, committed is {commit.offset}"
        if commit.topic_id and log.topic_id and commit.topic_id != log.topic_id:
            raise LogReplaced(role, tp.topic, f"{where}, in the topic of id {commit.topic_id}; {_now(log)}")
        if log.end < commit.offset:
            raise LogReplaced(role, tp.topic, where)


def check_reading(role: str, found: Found, ids: Mapping[str, str], read: Mapping[TP, int]) -> None:
    """Raise `LogReplaced` when a log that is being read was replaced, or ends before the offset `read`.

    `ids` are those of the topics when the reading began.
    """
    for tp, offset in read.items():
        log = found.logs.get(tp)
        if log is None:
            continue
        where = f"partition {tp.partition} ends at offset {log.end}, read up to {offset}"
        before = ids.get(tp.topic, "")
        if before and log.topic_id and before != log.topic_id:
            raise LogReplaced(role, tp.topic, f"{where}, in the topic of id {before}; {_now(log)}")
        if log.end < offset:
            raise LogReplaced(role, tp.topic, where)


def went_back(role: str, tp: TP, expected: int, offset: int) -> LogReplaced:
    """Return the error for a record whose offset is before that of the record that was read last."""
    why = f"partition {tp.partition} was read up to offset {expected}, and then gave offset {offset}"
    return LogReplaced(role, tp.topic, why)


class Epochs:
    """The epochs of the topics, kept beside the states of each partition."""

    def __init__(self, role: str, state: KeyedState) -> None:
        self._role = role
        self.changelog = state.changelog
        self._state = state

    def of(self, tps: Iterable[TP], found: Found) -> tuple[dict[TP, int], list[tuple[TP, LogEpoch]]]:
        """Return the epoch of each partition, and the entries to store for topics seen for the first time.

        Raise `LogReplaced` when the states of a partition were made from another log.
        """
        epochs: dict[TP, int] = {}
        fresh: list[tuple[TP, LogEpoch]] = []
        for tp in tps:
            log = found.logs.get(tp)
            entry = epoch_codec.unpack(self._state.read(tp.partition, epoch_key(tp.topic)))
            epochs[tp] = entry.epoch
            if log is None or not log.topic_id:
                continue
            if not entry.topic_id:
                fresh.append((tp, LogEpoch(entry.epoch, log.topic_id)))
            elif entry.topic_id != log.topic_id:
                raise LogReplaced(
                    self._role,
                    tp.topic,
                    f"the states of partition {tp.partition} were made from the topic of id "
                    f"{entry.topic_id}; {_now(log)}",
                )
        return epochs, fresh

    def note(self, tp: TP, value: bytes) -> None:
        """Keep an entry that the changelog has confirmed."""
        self._state.keep(tp.partition, epoch_key(tp.topic), value)


def _now(log: Log) -> str:
    return f"it is {log.topic_id} now"
