"""Runs the applications of one or all roles until a stop is asked for, or until one fails."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial

from models.codec import CorruptState
from models.errors import SuperfanError
from streams.agents.shadow import Shadow
from streams.broker.admin import BrokerUnavailable
from streams.delivery import ReliableApp, broker_lost
from streams.ops import meters
from streams.ops.liveness import HEARTBEAT, Liveness
from streams.ops.logs import describe
from streams.roles import Role
from streams.settings import Settings

log = logging.getLogger(__name__)


class WorkerError(SuperfanError):
    """The worker had to stop."""


class BrokerLost(WorkerError):
    """The worker had to stop because the broker went away: it may run again when the broker is back."""


async def run(
    settings: Settings,
    roles: Sequence[Role],
    *,
    stop: asyncio.Event,
    liveness: Liveness | None = None,
    shadow: Shadow | None = None,
    on_failure: Callable[[], object] = lambda: None,
) -> None:
    """Run roles until `stop`; then finish what was begun, commit, leave the groups.

    `liveness` receives heartbeats, and the reasons why a role is not ready. Heartbeats end when an
    application fails: a worker that hangs in its stop must not look alive. `on_failure` is called then.

    Raise `WorkerError`, or another `SuperfanError`, when an application fails. Nothing that was not
    delivered is committed, and a new worker goes on from there.
    """
    liveness = liveness or Liveness()
    async with AsyncExitStack() as stack:
        heartbeats = asyncio.ensure_future(_send_heartbeats(liveness))
        stack.callback(heartbeats.cancel)
        apps = await asyncio.gather(*(_build(role, settings, shadow, stack) for role in roles))
        failure: BaseException | None
        try:
            await asyncio.gather(*(_start(app) for app in apps))
            log.info("Worker started: %s", ", ".join(roles))
            stack.enter_context(liveness.watching(partial(_unready, apps)))
            failure = await _first_of(stop, apps)
        except Exception as error:
            failure = error
        if failure is not None:
            heartbeats.cancel()
            on_failure()
            log.error("The worker stops: %s", describe(failure))
        await asyncio.gather(*(_stop(app, drain=failure is None) for app in apps))
    if failure is not None:
        raise _explained(failure) from failure
    log.info("Worker stopped")


async def _send_heartbeats(liveness: Liveness) -> None:
    """Send heartbeats as long as this loop moves."""
    while True:
        liveness.heartbeat()
        await asyncio.sleep(HEARTBEAT)


def _unready(apps: Sequence[ReliableApp]) -> list[str]:
    return [f"{app.role}: {why}" for app in apps if (why := app.unready()) is not None]


async def _build(role: Role, settings: Settings, shadow: Shadow | None, stack: AsyncExitStack) -> ReliableApp:
    """Build a role's application. Only its own module is imported, and with that only its own libraries."""
    if role is Role.ENRICH:
        from streams.roles import enrich

        return await enrich.build(settings, stack)
    if role is Role.PROFILE:
        from streams.roles import profile

        return profile.build(settings, shadow)
    from streams.roles import sink

    return await sink.build(settings, stack)


async def _start(app: ReliableApp) -> None:
    meters.watch(app)
    app.in_worker = True
    await app.start()
    app.delivery.start()


async def _stop(app: ReliableApp, *, drain: bool) -> None:
    if drain and not await app.drain_and_commit():
        log.warning("Not finished in time; what is left is processed again later", extra={"role": app.role})
    if not drain:
        app.delivery.forget()  # Faust would commit once more, and wait for a broker that is away
    await app.delivery.stop()
    await app.stop()


async def _first_of(stop: asyncio.Event, apps: Sequence[ReliableApp]) -> BaseException | None:
    """Return None at a stop, or the first failure."""
    stopped = asyncio.ensure_future(stop.wait())
    failed = [asyncio.ensure_future(app.failed()) for app in apps]
    await asyncio.wait([stopped, *failed], return_when=asyncio.FIRST_COMPLETED)
    failure = next((task.result() for task in failed if task.done()), None)
    for task in (stopped, *failed):
        task.cancel()
    return failure


def _explained(failure: BaseException) -> SuperfanError:
    why = describe(failure)
    if broker_lost(failure) or isinstance(failure, BrokerUnavailable):
        fix = "check that it is up and has room (`superfan doctor`)"
        return BrokerLost("The worker lost the broker", why, fix)
    if isinstance(failure, SuperfanError):
        return failure
    if isinstance(failure, CorruptState):
        fix = (
            "do not delete the changelog: keep that record, and run the version of Superfan that wrote it "
            "(deploy/runbooks/SuperfanRecoveryStuck.md)"
        )
        return WorkerError("A stored state cannot be read", why, fix)
    fix = "start the worker again: it goes on from its last commit, nothing is lost"
    return WorkerError("The worker stopped", why, fix)
