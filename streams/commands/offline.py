"""Commands that work on files, without a broker: backtest, tune, annotate."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from streams.commands import options
from streams.commands.options import talk
from streams.views.output import Output, print_rows

app = typer.Typer()


@app.command()
def backtest(
    posts: Annotated[list[Path], typer.Option(help="Files of posts; may be given several times.")],
    out: Annotated[Path, typer.Option(help="Folder for profiles, candidates and dead letters.")],
    customers: Annotated[Path | None, typer.Option(help="A file of customers.")] = None,
    feedback: Annotated[Path | None, typer.Option(help="A file of feedback.")] = None,
    erasures: Annotated[Path | None, typer.Option(help="A file of erasures.")] = None,
    tick: Annotated[str | None, typer.Option(help="Judge as of this day, YYYY-MM-DD.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="Settings file; stands for the one before the command.")
    ] = None,
    compare: Annotated[
        Path | None,
        typer.Option(help="Judge by this settings file, too: who would enter, leave and move, and why."),
    ] = None,
    output: Annotated[
        Output, typer.Option("-o", "--output", help="How the comparison is printed; json is JSON Lines.")
    ] = Output.TABLE,
) -> None:
    """The same core without a broker: the profiles and candidates that the stream would end with.

    With `--compare` the same posts are judged by a second settings file. Nothing of that file is written
    but the differences: to standard output, and to comparison.jsonl in the folder.

    Examples:

    - `superfan backtest --posts posts.jsonl --customers customers.jsonl --out results`
    - `superfan backtest --posts posts.jsonl --config strict.toml --tick 2015-03-31 --out strict`
    - `superfan backtest --posts posts.jsonl.gz --compare strict.toml --out results -o json`
    """
    from streams.commands import progress
    from streams.offline import backtest
    from streams.views import comparison

    if tick is not None:
        options.day_number(tick, "--tick")
    settings = options.settings(config)
    other = None if compare is None else options.settings(compare)
    if other is not None:
        comparison.announce(settings, other, talk)
    with progress.reading("Backtesting", posts) as advance:
        counts = backtest.run(
            settings,
            posts=posts,
            customers=customers,
            feedback=feedback,
            erasures=erasures,
            tick=tick,
            out=out,
            other=other,
            advance=advance,
        )
    talk.print(f"{counts}. Written to {out}.", soft_wrap=True)
    if other is not None:
        comparison.print_comparison(out / "comparison.jsonl", output, talk)


@app.command()
def tune(
    feedback: Annotated[Path, typer.Option(help="A file of feedback: who was accepted, who declined.")],
    target: Annotated[Path, typer.Option("-o", "--output", help="The settings file to write.")],
    profiles: Annotated[
        Path | None, typer.Option(help="The profiles.jsonl of a backtest.", show_default="the store")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Settings file; stands for the one before the command.")
    ] = None,
    fmt: Annotated[
        Output, typer.Option("--format", help="How the report is printed; json is JSON Lines.")
    ] = Output.TABLE,
) -> None:
    """Learn the weights of the score from decisions; writes a settings file, and switches nothing.

    The present weights stay unless the decisions speak against them. Reported is how well both rank
    decisions that they were not fitted to (mean and spread over folds). Fewer than 20 decisions, or fewer
    than 5 of a kind, are too few.

    Examples:

    - `superfan tune --feedback feedback.jsonl -o candidate.toml`
    - `superfan tune --feedback feedback.jsonl --profiles results/profiles.jsonl -o candidate.toml`
    """
    from models import learning
    from streams.offline import tune
    from streams.store import open_store

    source = options.settings_path(config)
    settings = options.settings(config)
    present = settings.weights.model_dump()
    decided, unusable = tune.read_feedback(feedback)
    if unusable:
        talk.print(f"{unusable:,} lines of {feedback} are no feedback and are left out.", soft_wrap=True)
    if profiles is not None:
        decisions = tune.once(tune.from_file(profiles, decided))
    else:
        with open_store(settings) as store:
            decisions = tune.once(tune.from_store(store, decided))
    if missing := len(decided) - len(decisions):
        talk.print(f"{missing:,} of {len(decided):,} decided authors have no profile and are left out.")
    try:
        tuned = learning.tune(decisions, present)
    except learning.TooLittleFeedback as error:
        raise tune.TuneError(
            "There is too little to learn from", str(error), "keep the present weights, and decide about more"
        ) from None
    tune.write_settings(target, source, tuned, present)
    print_rows(fmt, tune.rows(tuned, present))
    talk.print(tune.advice(tuned), soft_wrap=True)
    talk.print(
        f"Written {target}; nothing is switched. Look at it with `superfan backtest --compare {target}`, "
        "or let it judge in the shadow.",
        soft_wrap=True,
    )
    if options.settings(target).weights.model_dump() != tuned.weights:
        talk.print("SUPERFAN_WEIGHTS is set and stands above the weights of both files.", soft_wrap=True)


@app.command()
def annotate(
    file: Annotated[Path, typer.Argument(help="JSON Lines with `text`; - is standard input.")] = Path("-"),
) -> None:
    """What the text pipeline says about each text: a line out for each line in, in order, at once.

    Examples:

    - `superfan annotate texts.jsonl`
    - `echo '{"text": "I love my new Fly-Fi @JetBlue"}' | superfan annotate`
    """
    from streams.offline.annotate import annotate_lines
    from streams.sources.lines import Files

    for line in annotate_lines(options.settings().brands, Files([file], empty=True).at_hand()):
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()
