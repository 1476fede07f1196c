"""Commands that run until they are done or stopped: demo, broker, worker, exporter."""

from pathlib import Path
from typing import Annotated

import typer

from streams.commands import options
from streams.commands.options import WorkerRole, talk

app = typer.Typer()


@app.command()
def demo(
    store: Annotated[Path, typer.Option(help="The SQLite file to write.")] = Path("superfan.db"),
    report: Annotated[Path, typer.Option(help="The page to write.")] = Path("report.html"),
    workers: Annotated[int, typer.Option(min=1, max=8, help="Worker processes that share the load.")] = 1,
) -> None:
    """The whole way on this machine: broker, worker, 14,485 real posts, and the board of candidates.

    Examples:

    - `superfan demo`
    - `superfan demo --workers 2`
    """
    from streams.demo import run

    options.configure_logs()
    run(talk, store=store, report=report, workers=workers)


@app.command()
def broker(
    data_dir: Annotated[Path, typer.Option(help="Where the broker keeps its data.")] = Path(
        ".superfan/broker"
    ),
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")
    ] = 9092,
) -> None:
    """The embedded Apache Kafka, in the foreground, on loopback only. Ctrl-C or SIGTERM stops it.

    Examples:

    - `superfan broker`
    - `superfan broker --port 19092 --data-dir /var/lib/superfan`
    """
    from streams.broker.embedded import run_foreground

    options.configure_logs()
    run_foreground(data_dir=data_dir, port=port, console=talk)


@app.command()
def worker(
    role: Annotated[
        WorkerRole, typer.Option(help="What this process runs; roles scale apart.")
    ] = WorkerRole.ALL,
) -> None:
    """Run the stream until SIGTERM or Ctrl-C; then finish what was begun, commit and leave.

    Examples:

    - `superfan worker`
    - `superfan worker --role enrich`
    """
    from streams.shutdown import Stop

    stop = Stop()  # before what takes a second to import
    from streams.supervision import run_worker

    run_worker(options.service_settings(role), role.roles, stop)


@app.command()
def exporter(
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Where it serves.", show_default="metrics.port")
    ] = None,
) -> None:
    """Ask broker and store how things stand, and serve the answers to Prometheus, until SIGTERM or Ctrl-C.

    One is enough for a cluster: lag in records and seconds, candidates, notices. Workers serve their own
    metrics when `metrics.port` is set.

    Examples:

    - `superfan exporter --port 9465`
    - `SUPERFAN_METRICS__PORT=9464 superfan exporter`
    """
    from streams.ops.exporter import run_exporter
    from streams.shutdown import Stop

    stop = Stop()
    run_exporter(options.service_settings("exporter", metrics=None if port is None else {"port": port}), stop)
