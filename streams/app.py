"""The Faust application that every role starts from; `streams.roles` holds a module per role.

Each role is an application (and consumer group) of its own, so that a worker that joins or
leaves one role disturbs no other.
"""

import uuid
from functools import partial

from streams import topics
from streams.agents.dead_letters import DeadLetters
from streams.broker import offsets
from streams.delivery import ReliableApp
from streams.delivery.state import KeyedState
from streams.roles import ROLES, Role
from streams.settings import Settings

MAX_POLL = 1000
METADATA_SECONDS = 30


def application(
    role: Role, settings: Settings, *states: KeyedState, epochs: KeyedState | None = None
) -> ReliableApp:
    """Build the application of a role, without agents yet; `states` are restored before it works.

    `epochs` is the one of the states that also keeps the epochs of the topics.
    """
    worker = settings.worker
    app = ReliableApp(
        ROLES[role].group,
        window=worker.in_flight,
        drain_timeout=worker.drain_timeout,
        session=worker.session_timeout,
        bootstrap=settings.bootstrap,
        states=states,
        epochs=epochs,
        ask=partial(offsets.ask, settings, ROLES[role].group),
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
        # How long a topic that was deleted and made anew may go unnoticed; the library waits for 5 minutes.
        consumer_metadata_max_age_ms=METADATA_SECONDS * 1000,
        consumer_max_fetch_size=topics.MAX_RECORD_BYTES,
        producer_acks=-1,
        producer_linger=0.005,
        producer_compression_type="lz4",
        producer_max_request_size=topics.MAX_RECORD_BYTES,
        producer_request_timeout=worker.delivery_timeout,
    )
    app.finalize()
    return app


def dead_letters(role: Role, settings: Settings) -> DeadLetters:
    """Build the dead letters of a role, with their limit."""
    limit = settings.dead_letters
    return DeadLetters(role, max_share=limit.max_share, of_last=limit.of_last)
