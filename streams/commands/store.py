"""`superfan store`: the copy of the topics in SQL."""

import typer

from streams.commands import options, progress
from streams.commands.options import talk

app = typer.Typer(help="Fills the store. Examples: `superfan store rebuild`", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `rebuild` a command of its own while there is no other."""


@app.command()
def rebuild() -> None:
    """Replace everything in the store by what the topics `profiles` and `candidates` hold now.

    For a store that was lost, restored, or changed by hand. Readers see the old rows until all new ones are
    there, and a failure changes nothing. Workers may run meanwhile: the sink waits, then reads on.

    Examples:

    - `superfan store rebuild`
    - `SUPERFAN_STORE_URL=sqlite:///copy.db superfan store rebuild`
    """
    from streams.broker.clients import group_less_consumer
    from streams.broker.rebuild import Rebuild
    from streams.store import store_of

    settings = options.settings()
    with group_less_consumer(settings) as consumer, store_of(settings, create=True) as store:
        rebuild = Rebuild(consumer)
        with progress.counting("Filling the store", rebuild.total) as advance:
            rebuilt = rebuild.run(store, advance)
    talk.print(f"The store holds {rebuilt}.", soft_wrap=True)
