"""The composition root: which agents, tables and settings make up each role's application.

Each role is an application (and consumer group) of its own, so that a worker that joins or
leaves one role disturbs no other.
"""

import uuid
from functools import partial

from models.author import Fold
from models.store import Store
from streams import topics
from streams.agents import daily
from streams.agents.annotators import Annotators
from streams.agents.dead_letters import DeadLetters
from streams.agents.enrich import enrich_step
from streams.agents.facts import customer_step, erasure_step, feedback_step, handle_step
from streams.agents.profile import Authors, enriched_step, fact_step, tick_step
from streams.agents.shadow import Shadow
from streams.agents.sink import Sink
from streams.delivery import ReliableApp, agent, batch_agent, long_agent
from streams.delivery.state import KeyedState
from streams.roles import ROLES, Role
from streams.settings import Settings

MAX_POLL = 1000
SINK_BATCH = 500


def enrich_app(settings: Settings, annotators: Annotators) -> ReliableApp:
    """mentions, comments, hashtags -> enriched."""
    app = _app(Role.ENRICH, settings)
    batch_agent(
        app,
        topics.POSTS,
        enrich_step(annotators, _dead_letters(Role.ENRICH, settings)),
        size=settings.worker.batch,
        linger=0.01,
        side_by_side=max(1, settings.worker.processes) + 1,  # one batch waits while each child works
    )
    return app


def profile_app(settings: Settings, shadow: Shadow | None) -> ReliableApp:
    """enriched, customers, feedback, erasures, ticks -> profiles, candidates."""
    states, customers, handles, clock = (
        KeyedState(topics.changelog(name)) for name in ("authors", "customers", "handles", "clock")
    )
    app = _app(Role.PROFILE, settings, states, customers, handles, clock)
    authors = Authors(states, clock, Fold(settings.rules), shadow)
    dead_letters = _dead_letters(Role.PROFILE, settings)
    brands = {brand.name for brand in settings.brands}
    agent(app, topics.ENRICHED, enriched_step(authors, dead_letters))
    agent(app, topics.AUTHOR_FACTS, fact_step(authors))
    agent(app, topics.CUSTOMERS, customer_step(customers, dead_letters))
    agent(app, topics.HANDLE_FACTS, handle_step(handles))
    agent(app, topics.FEEDBACK, feedback_step(brands, dead_letters))
    agent(app, topics.ERASURES, erasure_step(dead_letters))
    long_agent(app, topics.TICKS, tick_step(authors, dead_letters))
    if settings.window.tick == "daily":
        app.task(partial(daily.run, app, settings.topics.partitions, lambda: authors.today(0).day))
    return app


def sink_app(settings: Settings, store: Store) -> ReliableApp:
    """profiles, candidates -> SQL."""
    app = _app(Role.SINK, settings)
    sink = Sink(store, _dead_letters(Role.SINK, settings))
    app.missing = lambda: None if sink.away is None else f"{sink.away.what}: {sink.away.why}"
    batch_agent(
        app,
        (topics.PROFILES, topics.CANDIDATES),
        sink.step,
        size=SINK_BATCH,
        linger=0.02,
        side_by_side=1,  # one writer: the order of a partition is the order in the database
    )
    return app


def _app(role: Role, settings: Settings, *states: KeyedState) -> ReliableApp:
    worker = settings.worker
    app = ReliableApp(
        ROLES[role].group,
        window=worker.in_flight,
        drain_timeout=worker.drain_timeout,
        session=worker.session_timeout,
        bootstrap=settings.bootstrap,
        states=states,
        broker=settings.broker_url,
        # Faust's own address is used to route between workers, which is not done here; unique is enough.
        canonical_url=f"http://worker-{uuid.uuid4().hex[:12]}",
        web_enabled=False,
        autodiscover=False,
        # XXX Even for `value_type=bytes` Faust would parse JSON, and drop what it cannot parse.
        key_serializer="raw",
        value_serializer="raw",
        topic_partitions=settings.topics.partitions,
        topic_replication_factor=settings.topics.replication,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        stream_buffer_maxsize=worker.in_flight,
        broker_commit_interval=worker.commit_interval,
        broker_heartbeat_interval=worker.session_timeout / 10,
        broker_request_timeout=max(60.0, 2 * worker.session_timeout),
        broker_max_poll_records=MAX_POLL,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=topics.MAX_RECORD_BYTES,
        producer_acks=-1,
        producer_linger=0.005,
        producer_compression_type="lz4",
        producer_max_request_size=topics.MAX_RECORD_BYTES,
        producer_request_timeout=worker.delivery_timeout,
    )
    app.finalize()
    return app


def _dead_letters(role: Role, settings: Settings) -> DeadLetters:
    limit = settings.dead_letters
    return DeadLetters(role, max_share=limit.max_share, of_last=limit.of_last)
