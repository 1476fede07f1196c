"""Commands that work on files, without a broker: backtest, tune, annotate."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from streams.commands import options
from streams.commands.options import talk
from streams.views.tables import Output, print_rows

app = typer.Typer()


@app.command(rich_help_panel=options.TRY)
def backtest(
    posts: Annotated[list[Path], typer.Option(help="File of posts, JSON Lines or .gz. Can be repeated.")],
    out: Annotated[Path, typer.Option(help="Folder for the results: profiles, candidates and dead letters.")],
    customers: Annotated[Path | None, typer.Option(help="File of customers.")] = None,
    feedback: Annotated[Path | None, typer.Option(help="File of feedback.")] = None,
    erasures: Annotated[Path | None, typer.Option(help="File of erasures.")] = None,
    tick: Annotated[
        str | None,
        typer.Option(
            help="Judge as of this day, YYYY-MM-DD in UTC.", show_default="day of each author's newest post"
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Settings file.", show_default="as for superfan --config")
    ] = None,
    compare: Annotated[
        Path | None,
        typer.Option(help="Second settings file: report who it would promote, demote or move, and why."),
    ] = None,
    output: Annotated[
        Output, typer.Option("-o", "--output", help="Format of the comparison; json is JSON Lines.")
    ] = Output.TABLE,
) -> None:
    """Find the candidates in files, without a broker. The stream finds the same.

    With `--compare` the same posts are judged by a second settings file, too. Only the differences are
    written: to standard output, and to comparison.jsonl in the folder.

    Examples:

    - `superfan backtest --posts posts.jsonl --customers customers.jsonl --out results`
    - `superfan backtest --posts posts.jsonl --tick 2015-03-31 --out results`
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
    talk.print(f"{counts}. Results are in {out}.", soft_wrap=True)
    if other is not None:
        comparison.print_comparison(out / "comparison.jsonl", output, talk)


@app.command(rich_help_panel=options.TRY)
def tune(
    feedback: Annotated[
        Path, typer.Option(help="File of feedback: the authors that were accepted or declined.")
    ],
    target: Annotated[Path, typer.Option("-o", "--output", help="Settings file to write.")],
    profiles: Annotated[
        Path | None, typer.Option(help="File profiles.jsonl of a backtest.", show_default="the store")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Settings file.", show_default="as for superfan --config")
    ] = None,
    fmt: Annotated[
        Output, typer.Option("--format", help="Format of the report; json is JSON Lines.")
    ] = Output.TABLE,
) -> None:
    """Learn the weights of the score from decisions, and write them to a new settings file.

    The settings in use do not change. The report compares the present and the new weights on decisions that
    they were not fitted to (mean and standard deviation over folds). Too few decisions are an error, which
    says how many are needed.

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
        talk.print(f"Skipped {unusable:,} lines of {feedback} that are not feedback.", soft_wrap=True)
    if profiles is not None:
        decisions = tune.once(tune.from_file(profiles, decided))
    else:
        with open_store(settings) as store:
            decisions = tune.once(tune.from_store(store, decided))
    if missing := len(decided) - len(decisions):
        talk.print(f"Skipped {missing:,} of {len(decided):,} decided authors: they have no profile.")
    try:
        tuned = learning.tune(decisions, present)
    except learning.TooLittleFeedback as error:
        raise tune.TuneError(
            "Too few decisions to learn from", str(error), "keep the present weights, and decide about more"
        ) from None
    tune.write_settings(target, source, tuned, present)
    print_rows(fmt, tune.rows(tuned, present))
    talk.print(tune.advice(tuned), soft_wrap=True)
    talk.print(
        f"Wrote {target}. The settings in use did not change. See the effect on the candidates with "
        f"`superfan backtest --compare {target}`, or on a live stream with the setting shadow.config.",
        soft_wrap=True,
    )
    if options.settings(target).weights.model_dump() != tuned.weights:
        talk.print("SUPERFAN_WEIGHTS is set, and overrides the weights of both files.", soft_wrap=True)


@app.command(rich_help_panel=options.TRY)
def annotate(
    file: Annotated[Path, typer.Argument(help="JSON Lines with a field `text`; - is standard input.")] = Path(
        "-"
    ),
) -> None:
    """Print the sentiment, brands and names found in each text: one line out for each line in.

    The lines keep their order. Each is printed as soon as it is ready.

    Examples:

    - `superfan annotate texts.jsonl`
    - `echo '{"text": "I love my new Fly-Fi @JetBlue"}' | superfan annotate`
    """
    from streams.offline.annotate import annotate_lines
    from streams.sources.lines import Files

    for line in annotate_lines(options.settings().brands, Files([file], empty=True).at_hand()):
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()
