"""The application of the sink role: profiles, candidates -> SQL."""

import asyncio
from contextlib import AsyncExitStack

from streams import topics
from streams.agents.sink import Sink
from streams.app import application, dead_letters
from streams.delivery import ReliableApp, batch_agent
from streams.roles import Role
from streams.settings import Settings
from streams.store import store_of

BATCH = 500


async def build(settings: Settings, stack: AsyncExitStack) -> ReliableApp:
    """Open the store, which is closed with `stack`, bring its schema up to date and build the application."""
    store = stack.enter_context(store_of(settings, create=True))
    await asyncio.to_thread(store.migrate)
    app = application(Role.SINK, settings)
    letters = dead_letters(Role.SINK, settings)
    sink = Sink(store, letters)
    app.start_positions = sink.start_positions
    app.missing = lambda: None if (away := sink.unavailable) is None else f"{away.what}: {away.why}"
    batch_agent(
        app,
        (topics.PROFILES, topics.CANDIDATES),
        sink.step,
        letters.give_up,
        size=BATCH,
        linger=0.02,
        concurrency=1,  # one writer: the order of a partition is the order in the database
    )
    return app
