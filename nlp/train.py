"""Trains the entity recogniser that ships with the package: `python -m nlp.train --data DIR`.

Reads `ner/{btc,wnut17}.{train,dev}.conll` below DIR: Broad Twitter Corpus and WNUT17, both
CC BY 4.0. Writes the pipeline and `metrics.json` to `nlp/assets/ner`.
"""

import argparse
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import spacy
from rich.progress import Progress
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, iob_to_biluo
from spacy.util import minibatch
from thinc.api import compounding, fix_random_seed

from nlp import tokenizer  # noqa: F401 -- registers the tokenizer

SEED = 20261123
OUT = Path(__file__).parent / "assets" / "ner"
LABELS = {
    "PER": "PERSON", "ORG": "ORG", "LOC": "LOCATION",
    "person": "PERSON", "corporation": "ORG", "product": "PRODUCT",
    "location": "LOCATION", "group": "GROUP", "creative-work": "WORK",
}  # fmt: skip
CONFIG: dict[str, Any] = {
    "model": {
        "@architectures": "spacy.TransitionBasedParser.v2",
        "state_type": "ner",
        "extra_state_tokens": False,
        "hidden_width": 64,
        "maxout_pieces": 2,
        "use_upper": True,
        "tok2vec": {
            "@architectures": "spacy.HashEmbedCNN.v2",
            "pretrained_vectors": None,
            "width": 64,
            "depth": 2,
            "embed_size": 4000,
            "window_size": 1,
            "maxout_pieces": 3,
            "subword_features": True,
        },
    }
}


def blank() -> Language:
    """A pipeline with the post tokenizer and an untrained recogniser."""
    return spacy.blank("en", config={"nlp": {"tokenizer": {"@tokenizers": "superfan.PostTokenizer.v1"}}})


def sentences(path: Path) -> Iterator[tuple[list[str], list[str]]]:
    """`(tokens, BIO tags)` of each post of a CoNLL file, with our labels."""
    words: list[str] = []
    tags: list[str] = []
    for line in [*path.read_text(encoding="utf-8").splitlines(), ""]:
        if not line.strip():
            if words:
                yield words, tags
            words, tags = [], []
            continue
        word, tag = line.split("\t")[:2]
        if not word:
            continue
        bio, _, label = tag.partition("-")
        words.append(word)
        tags.append(f"{bio}-{LABELS[label]}" if label else "O")


def examples(nlp: Language, path: Path) -> list[Example]:
    """Training examples on the corpus's own tokens."""
    found = []
    for words, tags in sentences(path):
        doc = Doc(nlp.vocab, words=words)
        found.append(Example.from_dict(doc, {"entities": iob_to_biluo(tags)}))
    return found


def train(data: Path, out: Path, epochs: int) -> dict[str, Any]:
    """Train from a fixed seed, keep the best epoch by the mean F1 of both development sets."""
    fix_random_seed(SEED)
    nlp = blank()
    nlp.add_pipe("ner", config=CONFIG)
    ner = data / "ner"
    training = [e for name in ("btc", "wnut17") for e in examples(nlp, ner / f"{name}.train.conll")]
    held_out = {name: examples(nlp, ner / f"{name}.dev.conll") for name in ("btc", "wnut17")}
    optimizer = nlp.initialize(lambda: training)
    shuffle = random.Random(SEED)  # noqa: S311 -- a seed is what is wanted
    best: dict[str, Any] = {"f1": -1.0}
    started = time.monotonic()
    with Progress() as progress:
        task = progress.add_task("Training", total=epochs * len(training))
        for epoch in range(epochs):
            shuffle.shuffle(training)
            batches = minibatch(training, size=compounding(16.0, 64.0, 1.001))  # type: ignore[no-untyped-call]
            for batch in batches:
                nlp.update(batch, sgd=optimizer, drop=0.4)
                progress.advance(task, len(batch))
            with nlp.use_params(optimizer.averages):
                scores = {
                    name: round(nlp.evaluate(dev)["ents_f"] or 0.0, 4) for name, dev in held_out.items()
                }
                mean = sum(scores.values()) / len(scores)
                progress.console.print(f"epoch {epoch + 1}: {scores}")
                if mean > best["f1"]:
                    best = {"f1": mean, "epoch": epoch + 1, "dev": scores}
                    nlp.to_disk(out)
    metrics = {
        "seed": SEED,
        "epochs": epochs,
        "best_epoch": best["epoch"],
        "dev_f1": best["dev"],
        "seconds": round(time.monotonic() - started),
    }
    (out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    return metrics


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds ner/*.conll")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--epochs", type=int, default=8)
    arguments = parser.parse_args()
    print(json.dumps(train(arguments.data, arguments.out, arguments.epochs)))


if __name__ == "__main__":
    main()
