"""The application of the profile role: enriched posts, facts and ticks -> profiles, candidates."""

from functools import partial

from models.fold import Fold
from streams import topics
from streams.agents import daily
from streams.agents.facts import customer_step, erasure_step, feedback_step, handle_step
from streams.agents.profile import Authors, enriched_step, fact_step, tick_step
from streams.agents.shadow import Shadow
from streams.app import application, dead_letters
from streams.delivery import ReliableApp, Step, agent, long_agent
from streams.delivery.state import KeyedState
from streams.roles import Role
from streams.settings import Settings


def build(settings: Settings, shadow: Shadow | None) -> ReliableApp:
    """Build the application with its states; `shadow` judges every author too."""
    states, customers, handles, clock = (
        KeyedState(topics.changelog(name)) for name in ("authors", "customers", "handles", "clock")
    )
    app = application(Role.PROFILE, settings, states, customers, handles, clock, epochs=clock)
    authors = Authors(states, clock, Fold(settings.rules), shadow)
    letters = dead_letters(Role.PROFILE, settings)
    brands = {brand.name for brand in settings.brands}
    steps: dict[str, Step] = {
        topics.ENRICHED: enriched_step(authors, letters),
        topics.AUTHOR_FACTS: fact_step(authors),
        topics.CUSTOMERS: customer_step(customers, letters),
        topics.HANDLE_FACTS: handle_step(handles),
        topics.FEEDBACK: feedback_step(brands, letters),
        topics.ERASURES: erasure_step(letters),
    }
    for topic, step in steps.items():
        agent(app, topic, step, letters.give_up)
    long_agent(app, topics.TICKS, tick_step(authors, letters), letters.give_up)
    if settings.window.tick == "daily":
        partitions = settings.topics.partitions
        app.keep("the daily tick", partial(daily.run, app, partitions, lambda: authors.today(0).day))
    return app
