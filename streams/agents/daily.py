"""The daily tick: at midnight UTC one record to every partition of `ticks`, from one worker."""

import asyncio
import logging
from collections.abc import Callable

from models.record import encode
from models.tick import TickRecord
from models.times import day_of, iso_day
from streams import clock, topics
from streams.delivery import DeliveryError, ReliableApp

log = logging.getLogger(__name__)

CHECK_SECONDS = 5.0


async def run(app: ReliableApp, partitions: int, newest: Callable[[], int]) -> None:
    """Send the tick of each day that begins, as long as the application runs.

    The owner of partition 0 sends; `newest` returns the day that has begun there. Two workers may send
    the same day around a rebalance: the second tick changes nothing. A worker that starts in the
    middle of a day sends that day's tick, unless it was sent.
    """
    sent = 0
    while not app.should_stop:
        await asyncio.sleep(CHECK_SECONDS)
        today = day_of(clock.now_ms())
        if 0 not in app.owned or today <= max(sent, newest()):
            continue
        value = encode(TickRecord(day=iso_day(today)))
        try:
            await asyncio.gather(
                *(app.publish(topics.TICKS, None, value, partition) for partition in range(partitions))
            )
        except DeliveryError as error:
            log.warning(
                "The tick of %s could not be sent: %s; trying again", iso_day(today), error,
                extra={"role": app.role, "topic": topics.TICKS},
            )  # fmt: skip
            continue
        sent = today
        log.info("The day %s has begun", iso_day(today), extra={"role": app.role})
