"""The application of the enrich role: mentions, comments, hashtags -> enriched."""

from contextlib import AsyncExitStack
from functools import partial

from streams import topics
from streams.agents.annotators import Annotators, build_enricher
from streams.agents.enrich import enrich_step
from streams.app import application, dead_letters
from streams.delivery import ReliableApp, batch_agent
from streams.roles import Role
from streams.settings import Settings


async def build(settings: Settings, stack: AsyncExitStack) -> ReliableApp:
    """Start the text processes, which end with `stack`, and build the application on them."""
    processes = settings.worker.processes
    annotators = Annotators(partial(build_enricher, settings.brands, settings.lawful), processes)
    stack.callback(annotators.stop)
    await annotators.start()
    app = application(Role.ENRICH, settings)
    letters = dead_letters(Role.ENRICH, settings)
    batch_agent(
        app,
        topics.POSTS,
        enrich_step(annotators, letters),
        letters.give_up,
        size=settings.worker.batch,
        linger=0.01,
        concurrency=max(1, processes) + 1,  # one batch waits while each process works
    )
    return app
