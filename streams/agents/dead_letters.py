"""Dead letters for records that cannot be used, and the limit at which a worker stops instead."""

import logging
import time
from collections import Counter, deque

from models.dead_letter import dead_letter
from models.errors import SuperfanError
from models.record import encode
from models.rejection import Reason, Rejected
from streams import topics
from streams.delivery import Work
from streams.ops import logs, meters, metrics

log = logging.getLogger(__name__)

LOG_SECONDS = 10.0
"""Shortest time between two log lines about one reason and topic: a flood of bad records floods no log."""


class TooManyDeadLetters(SuperfanError):
    """The share of rejected records is above its limit: more likely a bad deploy than bad records."""


class DeadLetters:
    """Rejects records of one application and watches their share.

    `max_share` is of the last `of_last` records; the limit does not apply before there were so many.
    """

    def __init__(self, role: str, *, max_share: float, of_last: int) -> None:
        self._role = role
        self._max_share = max_share
        self._recent: deque[Reason | None] = deque(maxlen=of_last)
        self._reasons: Counter[Reason] = Counter()
        self._unlogged: Counter[tuple[str, Reason]] = Counter()
        self._logged_at: dict[tuple[str, Reason], float] = {}
        metrics.DEAD_LETTER_SHARE.labels(role).set_function(self.share)
        metrics.DEAD_LETTER_LIMIT.labels(role).set(max_share)

    def share(self) -> float:
        """Return the share of dead letters among the last records; 0 before there were enough."""
        recent = self._recent
        return sum(list(self._reasons.values())) / len(recent) if len(recent) == recent.maxlen else 0.0

    def accept(self) -> None:
        """Count a usable record."""
        self._note(None)

    def reject(self, work: Work, rejection: Rejected) -> None:
        """Send the record to `dead-letters` under its own key.

        Raise `TooManyDeadLetters` when the share is above the limit. That record is not committed,
        and neither is any record after it.
        """
        self._note(rejection.reason)
        meters.rejected(self._role, rejection)
        self._log(work, rejection.reason)
        tp = work.tp
        letter = dead_letter(
            rejection,
            work.value,
            topic=tp.topic,
            partition=tp.partition,
            offset=work.offset,
            at_ms=work.timestamp_ms,
        )
        work.send(topics.DEAD_LETTERS, work.key, encode(letter))

    def give_up(self, work: Work, error: Exception) -> None:
        """Reject a record whose step failed, as `internal`, and log where and how. See `reject`.

        The text of a foreign error is left out: it may quote the record.
        """
        described = logs.describe(error)
        log.error("A record could not be processed: %s", described, extra=work.fields)
        self.reject(work, Rejected(Reason.INTERNAL, described))

    def _log(self, work: Work, reason: Reason) -> None:
        """Log a rejection, with the number of rejections like it since the last line."""
        like = work.tp.topic, reason
        self._unlogged[like] += 1
        now = time.monotonic()
        if now - self._logged_at.get(like, -LOG_SECONDS) >= LOG_SECONDS:
            self._logged_at[like] = now
            where = logs.position(work.tp.topic, work.tp.partition, work.offset, work.key)
            fields = {"role": self._role, **where, "reason": reason, "count": self._unlogged.pop(like)}
            log.info("Sent to dead letters", extra=fields)

    def _note(self, reason: Reason | None) -> None:
        recent = self._recent
        if len(recent) == recent.maxlen and (oldest := recent[0]) is not None:
            self._reasons[oldest] -= 1
        recent.append(reason)
        if reason is None:
            return
        self._reasons[reason] += 1
        rejected = self._reasons.total()
        if len(recent) == recent.maxlen and rejected > self._max_share * len(recent):
            common, count = self._reasons.most_common(1)[0]
            raise TooManyDeadLetters(
                f"{rejected} of the last {len(recent)} records were rejected",
                f"most of them ({count}) as {common}; the limit is a share of {self._max_share}",
                "read them with `superfan dead-letters list`; fix what sends them, or raise the limit",
            )
