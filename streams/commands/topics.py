"""`superfan topics`: show, create and check the topics."""

from typing import Annotated

import typer

from streams.commands import options
from streams.commands.options import Out, talk
from streams.views.tables import Output, print_rows

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """List, check and create the Kafka topics.

    Examples:

    - `superfan topics list`
    - `superfan topics apply`
    """


@app.command("list")
def topics_list(output: Out = Output.TABLE) -> None:
    """List the topics, their settings, and how they differ on the broker.

    Examples:

    - `superfan topics list`
    - `superfan topics list -o json`
    """
    from streams.broker import admin

    settings = options.settings()
    with admin.admin_client(settings) as client:
        states = admin.compare(client, settings)
    print_rows(
        output,
        (
            {
                "topic": state.topic.name,
                "key": state.topic.key,
                "cleanup": state.topic.config()["cleanup.policy"],
                "retention_days": state.topic.retention_days,
                "partitions": len(state.partitions) or None,
                "on_broker": str(state) or "as it should be",
                "meaning": state.topic.meaning,
            }
            for state in states
        ),
    )


@app.command("apply")
def topics_apply() -> None:
    """Create the missing topics. Fail if an existing topic has other settings than it should.

    Existing topics are never changed.

    Examples:

    - `superfan topics apply`
    - `SUPERFAN_TOPICS__PARTITIONS=16 superfan topics apply`
    """
    from streams.broker import admin

    settings = options.settings()
    with admin.admin_client(settings) as client:
        created = admin.apply(client, settings)
    for name in created:
        talk.print(f"created {name}")
    talk.print(f"{len(created)} topics created, the others are as they should be.")


@app.command("accept")
def topics_accept(
    topic: Annotated[str, typer.Argument(help="Topic that was deleted and created again, or lost records.")],
) -> None:
    """Accept a topic that was deleted and created again: its roles start at the beginning of the new log.

    Use it after a worker stopped because of such a topic. Stop all workers of these roles first. The
    committed offsets of the roles are set to the beginning of the log. Records of the old log that no role
    had read are lost.

    Examples:

    - `superfan topics accept mentions`
    """
    from streams.broker import offsets

    for one in offsets.accept(options.settings(), topic):
        before = "nothing" if one.committed is None else f"offset {one.committed}"
        talk.print(
            f"{one.topic}, partition {one.partition}: role {one.role} goes on at offset {one.begin}, "
            f"{before} was committed"
        )
    talk.print("Start the workers again.")
