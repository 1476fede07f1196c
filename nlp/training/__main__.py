"""`python -m nlp.training --data DIR`: teacher, student, calibration, and the file that ships."""

import argparse
import json
import pickle
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zlib import crc32

import jax
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from spacy.training import iob_to_biluo
from spacy.training.iob_utils import tags_to_entities

from nlp.network import TAGS, Network, TokenSpan
from nlp.training import corpora
from nlp.training.measures import macro_f1, macro_recall, span_f1
from nlp.training.rows import (
    ASKED,
    LABELS,
    SEED,
    Row,
    Tagged,
    asked_rows,
    development_rows,
    tagged,
    tokens,
    training_rows,
    unlabelled_rows,
    varied_rows,
)  # fmt: skip
from nlp.training.student import Recipe, Student, vocabulary_of
from nlp.training.teacher import Said, Teacher, Weights, pieces, pretrained, word_vectors

OUT = Path(__file__).parents[1] / "assets" / "network.npz"
TABLES = ("V", "P", "S", "Sh", "G")
"""stored as bytes and one scale a row"""
NEARLY = 0.002
"""F1 that is as good as the best: what development splits of this size cannot tell apart"""
PUBLISHED, TUNED = 64, 64
"""numbers a word has by itself: from the transformer as published, and from the fine-tuned one"""


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="make train DATA=…", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the corpora")
    parser.add_argument("--out", type=Path, default=OUT, help="the file of the network; metrics go beside it")
    parser.add_argument("--teacher", type=Path, help="keep the teacher there, or take it from there")
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=VALUE", help="other settings of `Recipe`"
    )
    chosen = parser.parse_args()
    settings: dict[str, Any] = {}
    for setting in chosen.set:
        name, _, value = setting.partition("=")
        settings[name] = type(getattr(Recipe, name))(value)
    recipe = replace(Recipe(), **settings)
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    started = time.monotonic()
    with Progress(*columns, console=console) as progress:
        metrics = train(chosen.data, chosen.out, recipe, chosen.teacher, progress)
    metrics["minutes"] = round((time.monotonic() - started) / 60)
    chosen.out.with_suffix(".json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(metrics))


def train(data: Path, out: Path, recipe: Recipe, kept: Path | None, progress: Progress) -> dict[str, Any]:
    """Write the network to `out`; returns its figures on the development splits."""
    rows, held = training_rows(data), development_rows(data)
    sentences = tagged(data)
    learned = _learned(rows, sentences, held, data, kept, progress)
    vocabulary, vectors, rows = learned.vocabulary, learned.vectors, learned.rows
    said = _addressed(rows, learned.said)
    student = Student(recipe, vocabulary, vectors)
    weights = student.train(rows, sentences, said, progress)
    if any(len(w.split()) != 1 for w in vocabulary):
        raise ValueError("a word with white space in it cannot be stored")
    network = {**quantised(weights), "words": np.frombuffer("\n".join(vocabulary).encode(), dtype=np.uint8)}
    network |= {"temperature": np.ones(2, dtype=np.float32), "lean": np.zeros(3, dtype=np.float32)}
    _assert_alike(network, student, held["dong"][:8])
    network |= calibration(network, held)
    np.savez_compressed(out, **network)
    reached = figures(Network(network), held, data)
    return {"network": reached, "teacher": learned.scores, "settings": str(recipe), "rows": len(rows)}


@dataclass(frozen=True)
class Learned:
    """What the student learns from the teacher, and what that takes to tell it anew of other posts."""

    of: int
    """checksum of the posts the teacher was to read"""
    rows: list[Row]
    """the posts it was trained on, and those it was only asked about"""
    weights: Weights
    scores: dict[str, Any]
    said: Said
    vocabulary: list[str]
    vectors: Any


def _learned(
    rows: Sequence[Row],
    sentences: Sequence[Tagged],
    held: Mapping[str, list[Row]],
    data: Path,
    kept: Path | None,
    progress: Progress,
) -> Learned:
    """From the file `kept`, if it is there: the teacher, and what it said of those posts it has read."""
    unlabelled = [*unlabelled_rows(data), *varied_rows(rows)]
    of = crc32(repr((rows, unlabelled, ASKED)).encode(errors="replace"))
    before: Learned | None = None
    if kept is not None and kept.exists():
        before = pickle.loads(kept.read_bytes())  # noqa: S301 -- written by this program
        if before.of == of:
            return before
    teacher = Teacher(SEED)
    if before is None:
        teacher.train(rows, sentences, progress)
        scores = _teacher_figures(teacher, held, data, progress)
    else:
        teacher.weights, scores = before.weights, before.scores
    weights = jax.tree.map(np.asarray, teacher.weights)
    if before is None and kept is not None:
        # The longest part is done; whatever happens now, it need not be done again.
        kept.write_bytes(pickle.dumps(Learned(0, [], weights, scores, teacher.says([], progress), [], None)))
    rows = [*rows, *unlabelled]
    said = _said(rows, teacher, before, progress)
    asked = asked_rows(rows, said.best)
    rows, said = [*rows, *asked], _joined(said, _said(asked, teacher, before, progress))
    vocabulary = vocabulary_of((row for row in rows if row.corpus != "varied"), sentences)
    known = set(vocabulary)
    # Whole words the transformer knows and the corpora do not have: posts of tomorrow do.
    vocabulary += [w for w in sorted(pieces().get_vocab()) if w.isalpha() and len(w) > 2 and w not in known]
    alone = [word.strip("<>") or word for word in vocabulary]
    parts = (pretrained(), PUBLISHED), (teacher.weights["encoder"], TUNED)
    vectors = np.concatenate([_principal(word_vectors(w, alone), size) for w, size in parts], axis=1)
    learned = Learned(of, rows, weights, scores, said, vocabulary, vectors)
    if kept is not None:
        kept.write_bytes(pickle.dumps(learned))
    return learned


def _addressed(rows: Sequence[Row], said: Said) -> Said:
    """What a post without labels says of the handle it begins with is half what it says as a whole."""
    at = [n for n, row in enumerate(rows) if row.corpus == "unlabelled" and row.target and not row.target[0]]
    towards = said.towards.copy()
    towards[at] = (_logs(said.whole[at]) + _logs(said.towards[at])) / 2
    return replace(said, towards=towards)


def _logs(logits: Any) -> Any:
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def _said(rows: Sequence[Row], teacher: Teacher, before: Learned | None, progress: Progress) -> Said:
    """What the teacher says of these posts; it does not read again what it has read."""
    at = {(row.text, row.target): n for n, row in enumerate(before.rows)} if before else {}
    new = [row for row in rows if (row.text, row.target) not in at]
    offset = len(before.rows) if before else 0
    for n, row in enumerate(new):
        at[row.text, row.target] = offset + n
    told = teacher.says(map(tokens, new), progress)
    everything = _joined(before.said, told) if before else told
    wanted = [at[row.text, row.target] for row in rows]
    return Said(
        everything.whole[wanted],
        everything.towards[wanted],
        everything.of_post[wanted],
        everything.of_target[wanted],
        [everything.tags[n] for n in wanted],
        [everything.best[n] for n in wanted],
    )


def _joined(one: Said, other: Said) -> Said:
    return Said(
        np.concatenate([one.whole, other.whole]),
        np.concatenate([one.towards, other.towards]),
        np.concatenate([one.of_post, other.of_post]),
        np.concatenate([one.of_target, other.of_target]),
        one.tags + other.tags,
        one.best + other.best,
    )


def quantised(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Tables as bytes with a scale for each row, everything else in half precision."""
    stored: dict[str, Any] = {}
    for name, value in weights.items():
        if name in TABLES:
            scale = np.abs(value).max(axis=1) / 127 + 1e-12
            stored[name] = np.round(value / scale[:, None]).astype(np.int8)
            stored[f"{name}_scale"] = scale.astype(np.float32)
        else:
            stored[name] = value.astype(np.float16)
    return stored


def probabilities(network: Network, rows: Sequence[Row]) -> tuple[Any, Any]:
    """Of each post, and towards its target or, without one, the whole post (each n x 3)."""
    whole, towards = [], []
    for start in range(0, len(rows), 256):
        posts, places = [], []
        for n, row in enumerate(rows[start : start + 256]):
            words, marked = tokens(row)
            posts.append(network.word_ids(words))
            at = [i for i, there in enumerate(marked) if there] or range(len(words))
            places.append(TokenSpan(n, at[0], at[-1] + 1))
        a, b = network.sentiment(posts, network.encode(posts), places)
        whole.append(a)
        towards.append(b)
    return np.concatenate(whole), np.concatenate(towards)


def calibration(stored: Mapping[str, Any], held: Mapping[str, list[Row]]) -> dict[str, Any]:
    """`lean` and `temperature` of a network that has none yet: the best of a grid on the development splits.

    Training weighs rare labels up, so that fewer posts seem neutral than are. What is added to neutral
    towards a target is the least that gives nearly the best F1, as a mean over the corpora; then logits are
    divided by what makes the probabilities true (Guo et al. 2017), one number for posts and one for targets.
    """
    network = Network(stored)
    whole, _ = probabilities(network, held["overall"])
    of_corpora = {name: rows for name, rows in held.items() if name != "overall"}
    logits = {
        name: _logs(np.log(probabilities(network, rows)[1] + 1e-9)) for name, rows in of_corpora.items()
    }
    told = {name: [row.towards or 0 for row in rows] for name, rows in of_corpora.items()}

    def f1(lean: float) -> float:
        return float(
            np.mean(
                [
                    macro_f1([LABELS[label] for label in told[name]], _labels(each + _to_neutral(lean)))
                    for name, each in logits.items()
                ]
            )
        )

    reached = {lean: f1(lean) for lean in np.arange(0, 0.51, 0.05)}
    lean = min(lean for lean, score in reached.items() if score >= max(reached.values()) - NEARLY)
    towards = np.concatenate(list(logits.values())) + _to_neutral(lean)
    temperature = [
        _temperature(np.log(whole + 1e-9), [row.overall or 0 for row in held["overall"]]),
        _temperature(towards, [label for name in logits for label in told[name]]),
    ]
    return {
        "lean": _to_neutral(lean).astype(np.float32),
        "temperature": np.array(temperature, dtype=np.float32),
    }


def _to_neutral(lean: float) -> Any:
    return np.array([0, lean, 0])


def _temperature(logits: Any, told: list[int]) -> float:
    def loss(t: float) -> float:
        shares = np.exp(_logs(logits / t))
        # Every class weighs the same, as it does in the training.
        each = -np.log(shares[np.arange(len(told)), told] + 1e-12)
        return float(np.mean([each[np.array(told) == label].mean() for label in set(told)]))

    return float(min(np.arange(0.5, 3.01, 0.05), key=loss))


def figures(network: Network, held: Mapping[str, list[Row]], data: Path) -> dict[str, Any]:
    """Macro recall and macro F1 of opinions, F1 of entities, on the development splits, in percent."""

    def tag(words: list[list[str]]) -> list[list[int]]:
        posts = [network.word_ids(post) for post in words]
        return network.tags(posts, network.encode(posts))

    found = {name: probabilities(network, rows) for name, rows in held.items()}
    return _scores(found, held, tag, data) | {"temperatures": network.temperatures, "lean": network.lean}


def _teacher_figures(
    teacher: Teacher, held: Mapping[str, list[Row]], data: Path, progress: Progress
) -> dict[str, Any]:
    """The same of the teacher."""

    def tag(words: list[list[str]]) -> list[list[int]]:
        return [list(map(int, tags)) for tags in teacher.says([(post, []) for post in words], progress).best]

    found = {}
    for name, rows in held.items():
        said = teacher.says(map(tokens, rows), progress)
        found[name] = said.whole, said.towards
    return _scores(found, held, tag, data)


def _scores(
    found: Mapping[str, tuple[Any, Any]],
    held: Mapping[str, list[Row]],
    tag: Callable[[list[list[str]]], list[list[int]]],
    data: Path,
) -> dict[str, Any]:
    scores: dict[str, Any] = {}
    for name, rows in held.items():
        whole, towards = found[name]
        if name == "overall":
            scores[name] = _percent(macro_recall([LABELS[r.overall or 0] for r in rows], _labels(whole)))
            continue
        told = [LABELS[row.towards or 0] for row in rows]
        scores[name] = _percent(macro_f1(told, _labels(towards)))
        scores[f"{name} by the whole post"] = _percent(macro_f1(told, _labels(whole)))
    for name, sentences in corpora.entities(data, "dev").items():
        said = tag([words for words, _ in sentences])
        scores[name] = _percent(
            span_f1(
                [_spans(tags, corpora.MARKED[name]) for _, tags in sentences],
                [_spans(iob_to_biluo([TAGS[tag] for tag in tags]), corpora.MARKED[name]) for tags in said],
            )
        )
    return scores


def _labels(probabilities: Any) -> list[str]:
    return [LABELS[best] for best in probabilities.argmax(1)]


def _spans(tags: Sequence[str], labels: Collection[str]) -> set[tuple[int, int, str]]:
    """(start, end, label), the end inclusive."""
    return {(start, end, label) for label, start, end in tags_to_entities(tags) if label in labels}


def _assert_alike(stored: Mapping[str, Any], student: Student, rows: Sequence[Row]) -> None:
    """What was trained and what will run say the same of these posts."""
    weights = {name: np.asarray(value, dtype=np.float32) for name, value in stored.items()}
    for name in TABLES:
        weights[name] = weights[name] * weights[f"{name}_scale"][:, None]
    for row, a, b in zip(rows, *probabilities(Network(stored), rows), strict=True):
        trained = student.judge(weights, row)
        if not np.allclose(trained, (a, b), atol=1e-3):
            raise AssertionError(f"training says {trained}, the network {(a, b)}, of {row.text!r}")


def _principal(vectors: Any, size: int) -> Any:
    """The `size` directions in which words differ most, to a deviation of a quarter."""
    centred = vectors - vectors.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    reduced = centred @ axes[:size].T
    return reduced / reduced.std() * 0.25


def _percent(x: float) -> float:
    return round(100 * x, 1)


if __name__ == "__main__":
    main()
