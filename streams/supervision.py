"""Supervision of a worker process: waits for the broker, checks the topics, runs the roles, restarts them."""

import asyncio
import logging
import time
from collections.abc import Sequence

import uvloop

from models.errors import Unavailable
from streams import worker
from streams.agents.shadow import Shadow, shadow_of
from streams.broker import admin
from streams.ops import endpoint
from streams.ops.liveness import Liveness
from streams.roles import Role
from streams.settings import Settings
from streams.shutdown import Stop

log = logging.getLogger(__name__)
FIRST_WAIT, LONGEST_WAIT = 0.5, 15.0
LEAVING = 10.0
"""Shortest time in seconds that committing and leaving the groups may take."""


def run_worker(settings: Settings, roles: Sequence[Role], stop: Stop) -> None:
    """Run until a stop is asked for, then finish what was begun, commit, leave the groups.

    Missing topics are created; topics that differ raise `TopicError`. When the broker goes away or
    the group removed this worker, or the store is not there at the start, everything is stopped. It
    starts again when they are back: nothing was committed that was not delivered, so nothing is lost
    or counted twice. Any other failure is raised. A stop that hangs, after a signal or a failure, ends
    the process with code 1 after twice the drain time or a little more.
    """
    shadow = shadow_of(settings) if Role.PROFILE in roles else None
    # Libraries wait for a broker that went away in that moment, some of them for ever.
    stop.within = settings.worker.drain_timeout + max(settings.worker.drain_timeout, LEAVING)
    liveness = Liveness()
    with endpoint.serving(settings, roles, liveness):
        wait = FIRST_WAIT
        while True:
            wait_for_broker(settings, liveness)
            try:
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    runner.run(_run(settings, roles, stop, liveness, shadow))
            except (worker.BrokerLost, Unavailable) as error:
                stop.unlimit()
                if not stop.asked:
                    log.warning("%s: %s; starting again when it is back", error.what, error.why)
                    time.sleep(wait := min(LONGEST_WAIT, 2 * wait))
                    continue
                log.warning("%s: %s; what is left is processed again later", error.what, error.why)
            stop.ignore()
            return


async def _run(
    settings: Settings, roles: Sequence[Role], stop: Stop, liveness: Liveness, shadow: Shadow | None
) -> None:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    with stop.waking(lambda: loop.call_soon_threadsafe(asked.set)):
        await worker.run(settings, roles, stop=asked, liveness=liveness, shadow=shadow, on_failure=stop.limit)


def wait_for_broker(settings: Settings, liveness: Liveness) -> None:
    """Return when a broker answers and its topics are as they should be; wait as long as it takes."""
    wait = FIRST_WAIT
    while True:
        liveness.heartbeat()
        try:
            with admin.admin_client(settings) as client:
                created = admin.apply(client, settings)
        except admin.BrokerUnavailable as error:
            log.warning("%s; trying again in %.1f s", error.what, wait)
            time.sleep(wait)
            wait = min(LONGEST_WAIT, 2 * wait)
            continue
        if created:
            log.info("Created topics: %s", ", ".join(created))
        return
