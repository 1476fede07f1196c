"""The negative control: `table[key] += 1`, as the documentation of Faust shows it, and nothing more.

Counts the records of `enriched` by key into a table of its own. Takes the broker's address, the
number of partitions and the session time-out as arguments.
"""

import sys

import faust

APP = "naive"
CHANGELOG = f"{APP}-counts-changelog"


def build(broker: str, partitions: int, session: float) -> faust.App:
    """Return the application, with the settings of Faust that a careful reader would choose."""
    app = faust.App(
        APP,
        broker=broker,
        store="memory://",
        topic_partitions=partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        autodiscover=False,
        broker_session_timeout=session,
        broker_heartbeat_interval=session / 10,
        broker_request_timeout=60.0,
        broker_commit_interval=1.0,
        consumer_auto_offset_reset="earliest",
        key_serializer="raw",
        value_serializer="raw",
    )
    counts = app.Table("counts", default=int, partitions=partitions, key_type=str)
    source = app.topic("enriched", key_type=bytes, value_type=bytes)

    @app.agent(source)
    async def count(stream):  # type: ignore[no-untyped-def]
        async for key, _ in stream.items():
            counts[key.decode()] += 1

    return app


if __name__ == "__main__":
    app = build(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
    app.finalize()
    faust.Worker(app, loglevel="WARNING").execute_from_commandline()
