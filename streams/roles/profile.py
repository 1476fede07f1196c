"""The application of the profile role: enriched posts, facts and ticks -> profiles, candidates."""

from functools import partial

from models.fold import Fold
from streams import topics
from streams.agents import daily
from streams.agents.facts import customer_step, erasure_step, feedback_step, handle_step
from streams.agents.profile import Authors, enriched_step, fact_step, tick_step
from streams.agents.shadow import Shadow
from streams.app import application, dead_letters
from streams.delivery import ReliableApp, agent, long_agent
from streams.delivery.state import KeyedState
from streams.roles import Role
from streams.settings import Settings


def build(settings: Settings, shadow: Shadow | None) -> ReliableApp:
    """Build the application with its states; `shadow` judges every author too."""
    states, customers, handles, clock = (
        KeyedState(topics.changelog(name)) for name in ("authors", "customers", "handles", "clock")
    )
    app = application(Role.PROFILE, settings, states, customers, handles, clock)
    authors = Authors(states, clock, Fold(settings.rules), shadow)
    letters = dead_letters(Role.PROFILE, settings)
    brands = {brand.name for brand in settings.brands}
    agent(app, topics.ENRICHED, enriched_step(authors, letters))
    agent(app, topics.AUTHOR_FACTS, fact_step(authors))
    agent(app, topics.CUSTOMERS, customer_step(customers, letters))
    agent(app, topics.HANDLE_FACTS, handle_step(handles))
    agent(app, topics.FEEDBACK, feedback_step(brands, letters))
    agent(app, topics.ERASURES, erasure_step(letters))
    long_agent(app, topics.TICKS, tick_step(authors, letters))
    if settings.window.tick == "daily":
        app.task(partial(daily.run, app, settings.topics.partitions, lambda: authors.today(0).day))
    return app
