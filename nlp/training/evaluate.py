"""Evaluation of the pipeline against baselines: `python -m nlp.training.evaluate --data DIR`.

The measures use the `dev` part of `nlp.training.corpora` and the airline labels, which train nothing. They
call `nlp.pipeline.Annotator`, as the product does. The baselines are trained and measured in the same run.
Speed is measured in processor time of one thread, which a busy machine affects little.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from spacy.tokens import Doc
from spacy.training.iob_utils import tags_to_entities
from threadpoolctl import threadpool_limits

from models.annotation import Annotation, Label, Sentiment
from models.brand import Brand
from models.opinion import mean_of
from nlp.pipeline import Annotator, Target, TextIn, build
from nlp.training import corpora, figures, measures
from nlp.training.baselines import SmallEnglish, TfIdf, Vader
from nlp.training.corpora import Labelled
from nlp.training.figures import Row

SEED = 20261123
SAMPLE = 300
"""posts of each corpus with `--quick`; ten times as many train the baseline"""
ROUNDS, POSTS_A_ROUND = 7, 1_000
"""size of the speed measurement; with `--quick` it has three rounds of `SAMPLE` posts"""
SURE = 0.6
"""least confidence of a clear airline label"""
Measure = Callable[[Sequence[str], Sequence[str]], float]
Reader = Callable[[Sequence[str]], None]
LABELS: tuple[Label, ...] = ("positive", "neutral", "negative")
AIRLINES = (
    Brand(name="United", handles={"x": ("united",)}, aliases=("United Airlines",)),
    Brand(name="American", handles={"x": ("americanair",)}, aliases=("American Airlines",)),
    Brand(name="US Airways", handles={"x": ("usairways",)}, aliases=("USAirways",)),
    Brand(name="Southwest", handles={"x": ("southwestair",)}, aliases=("Southwest Airlines",)),
    Brand(name="JetBlue", handles={"x": ("jetblue",)}, aliases=("Jet Blue",)),
    Brand(name="Virgin America", handles={"x": ("virginamerica",)}, aliases=("VirginAmerica",)),
)
MANY = 2_000
"""number of brands in the large catalogue"""

FOREIGN: dict[str, list[str]] = tomllib.loads(
    Path(__file__).with_name("foreign.toml").read_text(encoding="utf-8")
)
"""posts in other languages: `posts`, and `short` ones"""


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder of the corpora")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--card", type=Path, help="write the figures between the markers of this model card")
    parser.add_argument(
        "--quick", action="store_true", help="measure a small sample: fast, but with large random errors"
    )
    arguments = parser.parse_args()
    if arguments.quick and arguments.card:
        parser.error("--quick and --card exclude each other: figures of a sample do not belong in a card")
    if not (arguments.data / "sentiment").is_dir():
        parser.error(
            f"{arguments.data} contains no corpora; nlp/training/corpora.py lists the files it needs"
        )
    talk = Console(stderr=True)
    columns = (TextColumn("{task.description:<36}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=talk) as progress, threadpool_limits(1):
        run = Evaluation(arguments.data, progress, quick=arguments.quick)
        rows = list(run.rows())
    out = Console() if sys.stdout.isatty() else Console(width=140)
    out.print(figures.terminal(rows, "A sample" if arguments.quick else "Development splits"))
    found = {"sample": arguments.quick, "rows": [_as_json(row) for row in rows], **run.details}
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if arguments.card:
        figures.into_card(arguments.card, _card_text(rows, run.details))


class Evaluation:
    """One evaluation of a data folder. `rows` computes all figures; `details` then has further ones."""

    def __init__(self, data: Path, progress: Progress, *, quick: bool) -> None:
        self._data = data
        self._progress = progress
        self._quick = quick
        self._annotator = Annotator(())
        self._nlp = build(())
        self._vader = Vader()
        self._tf_idf = self._trained()
        self._small = SmallEnglish()
        self.details: dict[str, Any] = {}

    def rows(self) -> Iterator[Row]:
        """Yield all measures, in the order of the table."""
        yield from self._overall()
        yield from self._targeted()
        yield from self._airline()
        yield from self._entities()
        yield from self._languages()
        yield from self._speed()

    def _overall(self) -> Iterator[Row]:
        posts = self._sample(corpora.overall(self._data, "dev"))
        texts, wanted = [post.text for post in posts], [post.label for post in posts]
        said = [a.sentiment for a in self._annotations("overall", map(TextIn, texts), len(texts))]
        scored = _scored(measures.macro_recall, wanted, said, self._baselines(texts))
        yield Row("overall sentiment, macro recall", *scored, 0.66, 0.71)
        yield Row("overall sentiment, calibration error", _calibration(wanted, said))

    def _targeted(self) -> Iterator[Row]:
        asked = {
            "semeval": ("held-out SemEval targets", 0.58, 0.64),
            "dong": ("Dong", 0.68, 0.73),
            "sxsw": ("conference brands", 0.57, 0.65),
            "entity": ("held-out brands", 0.57, 0.65),
        }
        corpus_posts = corpora.targeted(self._data, "dev")
        pooled: tuple[list[str], list[Sentiment]] = ([], [])
        for corpus, (title, must, aim) in asked.items():
            posts = self._sample(
                [
                    post
                    for post in corpus_posts[corpus]
                    if corpus not in corpora.HELD_OUT_SHARE or corpora.is_held_out(corpus, post.group)
                ]
            )
            wanted = [post.label for post in posts]
            name = f"towards {title}, macro F1"
            for shown, read in ((name, posts), (f"{name}, name masked", list(map(corpora.masked, posts)))):
                texts = [post.text for post in read]
                annotations = self._annotations(title, map(_asked, read), len(read))
                said = [a.targets[0].sentiment if a.targets else a.sentiment for a in annotations]
                baselines = self._baselines(texts, annotations)
                goals = (must, aim) if read is posts else (None, None)
                yield Row(shown, *_scored(measures.macro_f1, wanted, said, baselines), *goals)
                if read is posts:
                    pooled[0].extend(wanted)
                    pooled[1].extend(said)
        yield Row("towards a target, calibration error", _calibration(*pooled))

    def _airline(self) -> Iterator[Row]:
        annotator = Annotator(AIRLINES)
        for title, least in ((f"airlines, confidence >= {SURE}", SURE), ("airlines, all", 0.0)):
            posts = self._sample(corpora.airline(self._data, least))
            wanted, texts = [post.label for post in posts], [post.text for post in posts]
            ins = [TextIn(text, "x") for text in texts]
            annotations = self._annotations(title, ins, len(ins), annotator)
            said = [_of_brand(a, post.group) for a, post in zip(annotations, posts, strict=True)]
            baselines = self._baselines(texts, annotations)
            goals = (0.68, 0.74) if least else (None, None)
            yield Row(f"{title}, macro F1", *_scored(measures.macro_f1, wanted, said, baselines), *goals)
            yield Row(f"{title}, accuracy", *_scored(measures.accuracy, wanted, said, baselines))
            labels = [s.label for s in said]
            shares = measures.precisions, measures.recalls, measures.f1s
            by_class = [share(wanted, labels) for share in shares]
            self.details[title] = {
                label: {"posts": wanted.count(label)}
                | {
                    share: round(by[label], 4)
                    for share, by in zip(("precision", "recall", "f1"), by_class, strict=True)
                }
                for label in LABELS
                if label in wanted
            }

    def _entities(self) -> Iterator[Row]:
        goals = {"btc": ("Broad Twitter Corpus", 0.66, 0.73), "wnut17": ("WNUT17", 0.36, 0.42)}
        for corpus, posts in corpora.entities(self._data, "dev").items():
            title, must, aim = goals[corpus]
            read = self._sample(posts)
            marked = corpora.MARKED[corpus]
            wanted = [{(start, end + 1, label) for label, start, end in tags_to_entities(t)} for _, t in read]
            self.details["posts"][title] = len(read)
            docs = self._nlp.pipe(Doc(self._nlp.vocab, words=words) for words, _ in read)
            ours = [
                {(e.start, e.end, e.label_) for e in doc.ents if e.label_ in marked}
                for doc in self._progress.track(docs, total=len(read), description=title)
            ]
            said = [{s for s in spans if s[2] in marked} for spans in self._small.spans(read)]
            small = {"en_core_web_sm": measures.span_f1(wanted, said)}
            yield Row(f"entities, {title}, F1", measures.span_f1(wanted, ours), small, must, aim)
            ins = [TextIn(" ".join(words)) for words, _ in read]
            own = [
                {(e.start, e.end, e.label) for e in a.entities if e.label in marked}
                for a in self._annotations(title, ins, len(ins))
            ]
            in_text = [
                measures.in_characters(words, spans) for (words, _), spans in zip(read, wanted, strict=True)
            ]
            yield Row(f"entities, {title}, own tokens, F1", measures.span_f1(in_text, own))

    def _languages(self) -> Iterator[Row]:
        english = [post.text for post in self._sample(corpora.overall(self._data, "dev"))]
        asked = (
            ("English posts classified as foreign", english, True),
            ("foreign posts not recognised as foreign", FOREIGN["posts"], False),
            ("short foreign posts not recognised as foreign", FOREIGN["short"], False),
        )
        for title, texts, wrong in asked:
            annotations = self._annotations(title, map(TextIn, texts), len(texts))
            called_foreign = [a.lang not in {None, "en"} for a in annotations]
            yield Row(title, called_foreign.count(wrong) / len(texts))

    def _speed(self) -> Iterator[Row]:
        texts = [post.text for post in corpora.airline(self._data)]
        texts += [post.text for post in corpora.overall(self._data, "dev")]
        random.Random(SEED).shuffle(texts)  # noqa: S311 -- a seed is what is wanted

        def annotating(brands: Sequence[Brand]) -> Reader:
            annotator = Annotator(brands)
            return lambda texts: _exhaust(annotator.annotate(TextIn(text, "x") for text in texts))

        speeds = self._race(
            {
                "ours": annotating(AIRLINES),
                "en_core_web_sm": self._small.read,
                "ours, many brands": annotating(catalogue(MANY)),
                "TF-IDF": lambda texts: _exhaust(self._tf_idf.labels(texts)),
                "VADER": lambda texts: _exhaust(self._vader.labels(texts)),
            },
            texts,
        )
        self.details["posts_per_second"] = {name: round(speed, 1) for name, speed in speeds.items()}
        ours, many, small = speeds["ours"], speeds["ours, many brands"], speeds["en_core_web_sm"]
        others = {name: speeds[name] for name in ("en_core_web_sm", "TF-IDF", "VADER")}
        yield Row(f"speed, {len(AIRLINES)} brands", ours, others, unit="posts/s")
        yield Row(f"speed, {MANY:,} brands", many, unit="posts/s")
        yield Row(
            "start of a new process to its first annotation",
            statistics.median(_loaded() for _ in range(3)),
            unit="s",
        )
        yield Row("speed against en_core_web_sm", ours / small, {f"{MANY:,} brands": many / small}, 3, 6, "x")

    def _race(self, contestants: dict[str, Reader], texts: Sequence[str]) -> dict[str, float]:
        """Return the posts per second of each contestant, as the median of the rounds.

        In each round all contestants read the same posts, so that other load affects all of them. Each round
        has new posts, so that a cache of texts gains nothing.
        """
        size, rounds = (SAMPLE, 3) if self._quick else (POSTS_A_ROUND, ROUNDS)
        seconds: dict[str, list[float]] = {name: [] for name in contestants}
        # The first round fills the caches and does not count.
        for number in self._progress.track(range(rounds + 1), description="race"):
            posts = texts[number * size : (number + 1) * size]
            for name, read in contestants.items():
                started = time.process_time()
                read(posts)
                seconds[name].append(time.process_time() - started)
        return {name: size / statistics.median(times[1:]) for name, times in seconds.items()}

    def _baselines(
        self, texts: Sequence[str], annotations: Sequence[Annotation] = ()
    ) -> dict[str, list[str]]:
        """Return the baselines' labels of whole posts, and our own if annotations are given."""
        own = [str(a.sentiment.label) for a in annotations]
        others = {"TF-IDF": self._tf_idf.labels(texts), "VADER": list(self._vader.labels(texts))}
        return {"our overall": own, **others} if own else others

    def _trained(self) -> TfIdf:
        posts = corpora.overall(self._data, "train")
        task = self._progress.add_task("training TF-IDF", total=1)
        trained = TfIdf(self._sample(posts, 10 * SAMPLE))
        self._progress.advance(task)
        return trained

    def _annotations(
        self, title: str, texts: Iterable[TextIn], total: int, annotator: Annotator | None = None
    ) -> list[Annotation]:
        self.details.setdefault("posts", {})[title] = total
        found = (annotator or self._annotator).annotate(texts)
        return list(self._progress.track(found, total=total, description=title))

    def _sample(self, posts: Sequence[Any], size: int = SAMPLE) -> list[Any]:
        if not self._quick or len(posts) <= size:
            return list(posts)
        return random.Random(SEED).sample(posts, size)  # noqa: S311 -- a seed is what is wanted


def catalogue(size: int) -> tuple[Brand, ...]:
    """Return a catalogue of this size: the airlines and invented brands."""
    invented = (
        Brand(
            name=f"Brand{i} Works",
            aliases=(f"alias {i}",),
            handles={"x": (f"b{i}",)},
            hashtags=(f"brand{i}",),
        )
        for i in range(size - len(AIRLINES))
    )
    return (*AIRLINES, *invented)


def _asked(post: Labelled) -> TextIn:
    if post.target is None:
        return TextIn(post.text)
    start, end = post.target
    return TextIn(post.text, targets=(Target(post.text[start:end], start, end),))


def _of_brand(annotation: Annotation, brand: str) -> Sentiment:
    """Return the sentiment towards a brand, or that of the whole post if the brand is not found."""
    found = [mention.sentiment for mention in annotation.brands if mention.brand == brand]
    return mean_of(found) if found else annotation.sentiment


def _scored(
    measure: Measure, wanted: Sequence[str], said: Sequence[Sentiment], baselines: dict[str, list[str]]
) -> tuple[float, dict[str, float]]:
    """Return our figure and those of the baselines."""
    others = {name: measure(wanted, labels) for name, labels in baselines.items()}
    return measure(wanted, [s.label for s in said]), others


def _calibration(wanted: Sequence[str], said: Sequence[Sentiment]) -> float:
    return measures.calibration_error(wanted, [s.probabilities for s in said])


def _loaded() -> float:
    """Return the seconds until a new process has annotated its first post."""
    code = "from nlp.pipeline import *; list(Annotator(()).annotate([TextIn('I love it')]))"
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.monotonic() - started


def _exhaust(found: Iterable[object]) -> None:
    for _ in found:
        pass


def _as_json(row: Row) -> dict[str, Any]:
    others = {name: round(value, 4) for name, value in row.baselines.items()}
    return {
        "measure": row.measure,
        "ours": round(row.ours, 4),
        "baselines": others,
        "must": row.must,
        "aim": row.aim,
        "unit": row.unit,
    }


def _card_text(rows: Sequence[Row], details: dict[str, Any]) -> str:
    """Return the tables of the model card: all rows, and the airline posts by class."""
    parts = [figures.markdown(figures.COLUMNS, [row.shown() for row in rows])]
    for title, classes in details.items():
        if title.startswith("airlines"):
            cells = [
                (label, f"{of['posts']:,}", *(f"{100 * of[s]:.1f}" for s in ("precision", "recall", "f1")))
                for label, of in classes.items()
            ]
            head = (title.capitalize(), "posts", "precision", "recall", "F1")
            parts.append(figures.markdown(head, cells))
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
