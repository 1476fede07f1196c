"""Commands that run the stream and what belongs to it: demo, broker, worker, exporter."""

from pathlib import Path
from typing import Annotated

import typer

from streams.commands import options
from streams.commands.options import WorkerRole, talk

app = typer.Typer()


@app.command(rich_help_panel=options.RUN)
def demo(
    store: Annotated[Path, typer.Option(help="SQLite file to write.")] = Path("superfan.db"),
    report: Annotated[Path, typer.Option(help="Web page to write.")] = Path("report.html"),
    workers: Annotated[
        int, typer.Option(min=1, max=8, help="Number of worker processes that share the load.")
    ] = 1,
) -> None:
    """Try everything on this machine: broker, worker, bundled posts and the candidates found in them.

    Examples:

    - `superfan demo`
    - `superfan demo --workers 2`
    """
    from streams.demo import run

    options.configure_logs()
    run(talk, store=store, report=report, workers=workers)


@app.command(rich_help_panel=options.RUN)
def broker(
    data_dir: Annotated[Path, typer.Option(help="Folder for the broker's data.")] = Path(".superfan/broker"),
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 chooses a free one.")
    ] = 9092,
) -> None:
    """Run an Apache Kafka broker for development, reachable from this machine only.

    It runs in the foreground until Ctrl-C or SIGTERM.

    Examples:

    - `superfan broker`
    - `superfan broker --port 19092 --data-dir /var/lib/superfan`
    """
    from streams.broker.embedded import run_foreground

    options.configure_logs()
    run_foreground(data_dir=data_dir, port=port, console=talk)


@app.command(rich_help_panel=options.RUN)
def worker(
    role: Annotated[
        WorkerRole, typer.Option(help="Role to run. Start more workers of a role to scale it.")
    ] = WorkerRole.ALL,
) -> None:
    """Read posts, find candidates and write them to the store, until Ctrl-C or SIGTERM.

    A worker that is stopped finishes the records it began, commits, and exits. Missing topics are created.

    Examples:

    - `superfan worker`
    - `superfan worker --role enrich`
    """
    from streams.shutdown import Stop

    stop = Stop()  # before imports that take a second
    from streams.supervision import run_worker

    run_worker(options.service_settings(role), role.roles, stop)


@app.command(rich_help_panel=options.RUN)
def exporter(
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="Port to serve metrics on.", show_default="metrics.port of the settings"
        ),
    ] = None,
) -> None:
    """Serve metrics of the broker and the store to Prometheus, until Ctrl-C or SIGTERM.

    The metrics are lag in records and seconds, candidates, and notices that are due. One exporter is enough
    for a cluster. Workers serve their own metrics when `metrics.port` is set.

    Examples:

    - `superfan exporter --port 9465`
    - `SUPERFAN_METRICS__PORT=9464 superfan exporter`
    """
    from streams.ops.exporter import run_exporter
    from streams.shutdown import Stop

    stop = Stop()
    run_exporter(options.service_settings("exporter", metrics=None if port is None else {"port": port}), stop)
