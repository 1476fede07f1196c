"""Trains the entity recogniser that ships with the package: `python -m nlp.train --data DIR`.

Reads `ner/{btc,wnut17}.{train,dev}.conll` below DIR: Broad Twitter Corpus and WNUT17, both
CC BY 4.0. Writes the weights and `metrics.json` to `nlp/assets/ner`. The net is the one of `config.cfg`.

The Broad Twitter Corpus marks persons, organisations and places only. That it does not mark a
product, a group or a work says nothing, so its unmarked words with a capital are left open instead
of being taught as "no entity".
"""

import argparse
import json
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from rich.progress import Progress
from spacy.language import Language
from spacy.pipeline import EntityRecognizer
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import load_config, load_model_from_config, minibatch
from thinc.api import compounding, fix_random_seed

from nlp import corpora, tokenizer  # noqa: F401 -- registers the tokenizer
from nlp.measures import span_f1

SEED = 20261123
PACKAGE = Path(__file__).parent
OUT = PACKAGE / "assets" / "ner"


def blank() -> Language:
    """A pipeline with the post tokenizer and the untrained recogniser of `config.cfg`, nothing else."""
    config = load_config(PACKAGE / "config.cfg", overrides={"nlp.pipeline": ["ner"]})
    config["components"] = {"ner": config["components"]["ner"]}
    return load_model_from_config(config, auto_fill=True)


def fit(nlp: Language, posts: Sequence[corpora.Sentence], epochs: int, progress: Progress) -> Iterator[Any]:
    """Train; yields the optimizer after each epoch."""
    examples = [Example.from_dict(Doc(nlp.vocab, words=words), {"entities": tags}) for words, tags in posts]
    optimizer = nlp.initialize(lambda: examples)
    shuffle = random.Random(SEED)  # noqa: S311 -- a seed is what is wanted
    sizes = compounding(16.0, 64.0, 1.001)
    task = progress.add_task("Training", total=epochs * len(examples))
    for epoch in range(epochs):
        # Falls to a tenth over the run: the last epochs polish.
        optimizer.learn_rate = 0.002 * (1 - 0.9 * epoch / epochs)
        shuffle.shuffle(examples)
        for batch in minibatch(examples, size=sizes):  # type: ignore[no-untyped-call]
            nlp.update(batch, sgd=optimizer, drop=0.4)
            progress.advance(task, len(batch))
        yield optimizer


def f1(nlp: Language, posts: Sequence[corpora.Sentence], marked: frozenset[str]) -> float:
    """F1 of exact spans with the right label, over the labels the corpus marks."""
    gold = [Example.from_dict(Doc(nlp.vocab, words=w), {"entities": t}).reference for w, t in posts]
    said = nlp.pipe(Doc(nlp.vocab, words=words) for words, _ in posts)
    return span_f1([_spans(doc.ents, marked) for doc in gold], [_spans(doc.ents, marked) for doc in said])


def _spans(ents: Sequence[Span], marked: frozenset[str]) -> set[tuple[int, int, str]]:
    return {(ent.start, ent.end, ent.label_) for ent in ents if ent.label_ in marked}


def left_open(posts: Sequence[corpora.Sentence]) -> list[corpora.Sentence]:
    """The posts, with `-` instead of `O` on words with a capital that do not begin a sentence."""

    def opened(words: list[str], tags: list[str]) -> list[str]:
        begins = (i == 0 or not words[i - 1][-1].isalnum() for i in range(len(words)))
        return [
            "-" if tag == "O" and word.istitle() and not begin else tag
            for word, tag, begin in zip(words, tags, begins, strict=True)
        ]

    return [(words, opened(words, tags)) for words, tags in posts]


def train(data: Path, out: Path, epochs: int) -> dict[str, Any]:
    """Train from a fixed seed; keep the epoch with the best mean F1 over both development sets."""
    posts = {
        (name, part): list(corpora.sentences(data, name, part))
        for name in corpora.MARKED
        for part in ("train", "dev")
    }
    out.mkdir(parents=True, exist_ok=True)
    best: dict[str, Any] = {"mean": -1.0}
    started = time.monotonic()
    with Progress() as progress:
        opened = left_open(posts["btc", "train"])
        fix_random_seed(SEED)
        nlp = blank()
        training = opened + posts["wnut17", "train"]
        for epoch, optimizer in enumerate(fit(nlp, training, epochs, progress), start=1):
            with nlp.use_params(optimizer.averages):
                scores = {
                    name: round(f1(nlp, posts[name, "dev"], marked), 4)
                    for name, marked in corpora.MARKED.items()
                }
                progress.console.print(f"epoch {epoch}: {scores}")
                mean = sum(scores.values()) / len(scores)
                if mean > best["mean"]:
                    best = {"mean": mean, "epoch": epoch, "dev_f1": scores}
                    # The net looks up hashes: the words of the training posts are no part of it.
                    cast(EntityRecognizer, nlp.get_pipe("ner")).to_disk(out, exclude=["vocab"])
    metrics = {
        "seed": SEED,
        "posts": len(training),
        "left_open_tokens": sum(tags.count("-") for _, tags in opened),
        "epochs": epochs,
        "best_epoch": best["epoch"],
        "dev_f1": best["dev_f1"],
        "seconds": round(time.monotonic() - started),
    }
    (out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    return metrics


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds ner/*.conll")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the weights; the words go beside it")
    parser.add_argument("--epochs", type=int, default=10)
    arguments = parser.parse_args()
    print(json.dumps(train(arguments.data, arguments.out, arguments.epochs)))


if __name__ == "__main__":
    main()
