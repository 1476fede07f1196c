"""`python -m nlp.training --data DIR`: train teacher and student, calibrate, and write the network."""

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
from nlp.training.forward import Recipe
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
from nlp.training.student import Student, vocabulary_of
from nlp.training.teacher import Predictions, Teacher, Weights, pieces, pretrained, word_vectors

OUT = Path(__file__).parents[1] / "assets" / "network.npz"
TABLES = ("V", "P", "S", "Sh", "G")
"""tables that are stored as bytes, with a scale for each row"""
NEARLY = 0.002
"""difference in F1 that development splits of this size cannot resolve"""
PUBLISHED, TUNED = 64, 64
"""lengths of the two parts of a word vector: from the published transformer, and from the fine-tuned one"""


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="make train DATA=…", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the corpora")
    parser.add_argument(
        "--out",
        type=Path,
        default=OUT,
        help="the file of the network; its figures go into a .json next to it",
    )
    parser.add_argument(
        "--teacher", type=Path, help="file to load the teacher from; written if it does not exist"
    )
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=VALUE", help="change settings of `Recipe`"
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
    """Write the network to `out` and return its figures on the development splits.

    Raises:
        ValueError: if a word of the vocabulary contains white space, which the file cannot store.
        AssertionError: if the forward passes of training and of `nlp.network` differ.
    """
    rows, held = training_rows(data), development_rows(data)
    sentences = tagged(data)
    lesson = _lesson(rows, sentences, held, data, kept, progress)
    vocabulary, vectors, rows = lesson.vocabulary, lesson.vectors, lesson.rows
    student = Student(recipe, vocabulary, vectors)
    weights = student.train(rows, sentences, _addressed(rows, lesson.predictions), progress)
    if any(len(w.split()) != 1 for w in vocabulary):
        raise ValueError("a word with white space in it cannot be stored")
    network = {**quantised(weights), "words": np.frombuffer("\n".join(vocabulary).encode(), dtype=np.uint8)}
    network |= {"temperature": np.ones(2, dtype=np.float32), "lean": np.zeros(3, dtype=np.float32)}
    _assert_alike(network, student, held["dong"][:8])
    network |= calibration(network, held)
    np.savez_compressed(out, **network)
    reached = figures(Network(network), held, data)
    return {"network": reached, "teacher": lesson.scores, "settings": str(recipe), "rows": len(rows)}


@dataclass(frozen=True)
class Lesson:
    """The teacher and its predictions, from which the student learns."""

    checksum: int
    """checksum of the rows that the predictions must cover"""
    rows: list[Row]
    """rows with labels, then rows that only the teacher labels"""
    weights: Weights
    """the teacher's weights"""
    scores: dict[str, Any]
    """the teacher's figures on the development splits"""
    predictions: Predictions
    """predictions for the rows"""
    vocabulary: list[str]
    """words, most frequent first"""
    vectors: Any
    """initial vectors of the words (vocabulary x PUBLISHED + TUNED)"""


def _lesson(
    rows: Sequence[Row],
    sentences: Sequence[Tagged],
    held: Mapping[str, list[Row]],
    data: Path,
    kept: Path | None,
    progress: Progress,
) -> Lesson:
    """Train the teacher and collect its predictions.

    If the file `kept` exists, the teacher comes from it, and so do predictions for posts that it holds.
    """
    unlabelled = [*unlabelled_rows(data), *varied_rows(rows)]
    checksum = crc32(repr((rows, unlabelled, ASKED)).encode(errors="replace"))
    before: Lesson | None = None
    if kept is not None and kept.exists():
        before = pickle.loads(kept.read_bytes())  # noqa: S301 -- written by this program
        if before.checksum == checksum:
            return before
    teacher = Teacher(SEED)
    if before is None:
        teacher.train(rows, sentences, progress)
        scores = _teacher_figures(teacher, held, data, progress)
    else:
        teacher.weights, scores = before.weights, before.scores
    weights = jax.tree.map(np.asarray, teacher.weights)
    if before is None and kept is not None:
        # Training the teacher takes longest. Store it before anything else can fail.
        nothing = teacher.predict([], progress)
        kept.write_bytes(pickle.dumps(Lesson(0, [], weights, scores, nothing, [], None)))
    rows = [*rows, *unlabelled]
    predictions = _predictions(rows, teacher, before, progress)
    asked = asked_rows(rows, predictions.best)
    rows, predictions = [*rows, *asked], _joined(predictions, _predictions(asked, teacher, before, progress))
    vocabulary = vocabulary_of((row for row in rows if row.corpus != "varied"), sentences)
    known = set(vocabulary)
    # Future posts use words that the transformer knows and the corpora lack.
    vocabulary += [w for w in sorted(pieces().get_vocab()) if w.isalpha() and len(w) > 2 and w not in known]
    alone = [word.strip("<>") or word for word in vocabulary]
    parts = (pretrained(), PUBLISHED), (teacher.weights["encoder"], TUNED)
    vectors = np.concatenate([_principal(word_vectors(w, alone), size) for w, size in parts], axis=1)
    lesson = Lesson(checksum, rows, weights, scores, predictions, vocabulary, vectors)
    if kept is not None:
        kept.write_bytes(pickle.dumps(lesson))
    return lesson


def _addressed(rows: Sequence[Row], predictions: Predictions) -> Predictions:
    """Average predictions of post and target for unlabelled posts that begin with their target.

    `nlp.sentiment` does the same for posts that begin with a handle.
    """
    at = [n for n, row in enumerate(rows) if row.corpus == "unlabelled" and row.target and not row.target[0]]
    towards = predictions.towards.copy()
    towards[at] = (_logs(predictions.whole[at]) + _logs(predictions.towards[at])) / 2
    return replace(predictions, towards=towards)


def _logs(logits: Any) -> Any:
    """Return log probabilities (n x 3)."""
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def _predictions(
    rows: Sequence[Row], teacher: Teacher, before: Lesson | None, progress: Progress
) -> Predictions:
    """Return the teacher's predictions for rows. Those that `before` holds are not computed again."""
    at = {(row.text, row.target): n for n, row in enumerate(before.rows)} if before else {}
    new = [row for row in rows if (row.text, row.target) not in at]
    offset = len(before.rows) if before else 0
    for n, row in enumerate(new):
        at[row.text, row.target] = offset + n
    added = teacher.predict(map(tokens, new), progress)
    everything = _joined(before.predictions, added) if before else added
    wanted = [at[row.text, row.target] for row in rows]
    return Predictions(
        everything.whole[wanted],
        everything.towards[wanted],
        everything.of_post[wanted],
        everything.of_target[wanted],
        [everything.tags[n] for n in wanted],
        [everything.best[n] for n in wanted],
    )


def _joined(one: Predictions, other: Predictions) -> Predictions:
    return Predictions(
        np.concatenate([one.whole, other.whole]),
        np.concatenate([one.towards, other.towards]),
        np.concatenate([one.of_post, other.of_post]),
        np.concatenate([one.of_target, other.of_target]),
        one.tags + other.tags,
        one.best + other.best,
    )


def quantised(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Return tables as bytes with a scale for each row, and all other weights in half precision."""
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
    """Return probabilities of posts and towards their targets (n x 3 each).

    A post without a target counts as its own.
    """
    whole, towards = [], []
    for start in range(0, len(rows), 256):
        posts, targets = [], []
        for n, row in enumerate(rows[start : start + 256]):
            words, marked = tokens(row)
            posts.append(network.word_ids(words))
            at = [i for i, in_target in enumerate(marked) if in_target] or range(len(words))
            targets.append(TokenSpan(n, at[0], at[-1] + 1))
        of_posts, of_targets = network.sentiment(posts, network.encode(posts), targets)
        whole.append(of_posts)
        towards.append(of_targets)
    return np.concatenate(whole), np.concatenate(towards)


def calibration(stored: Mapping[str, Any], held: Mapping[str, list[Row]]) -> dict[str, Any]:
    """Choose `lean` and `temperature` by grid search on the development splits. `stored` must have none.

    Training gives rare labels more weight, so the network predicts neutral too rarely. `lean` is added to
    the logit of neutral towards a target. It is the smallest value whose mean F1 over the corpora is nearly
    the best. The temperatures then divide the logits of posts and of targets (Guo et al. 2017).
    """
    network = Network(stored)
    whole, _ = probabilities(network, held["overall"])
    of_corpora = {name: rows for name, rows in held.items() if name != "overall"}
    logits = {
        name: _logs(np.log(probabilities(network, rows)[1] + 1e-9)) for name, rows in of_corpora.items()
    }
    labels = {name: [row.towards or 0 for row in rows] for name, rows in of_corpora.items()}

    def f1(lean: float) -> float:
        return float(
            np.mean(
                [
                    macro_f1([LABELS[label] for label in labels[name]], _labels(each + _to_neutral(lean)))
                    for name, each in logits.items()
                ]
            )
        )

    reached = {lean: f1(lean) for lean in np.arange(0, 0.51, 0.05)}
    lean = min(lean for lean, score in reached.items() if score >= max(reached.values()) - NEARLY)
    towards = np.concatenate(list(logits.values())) + _to_neutral(lean)
    temperature = [
        _temperature(np.log(whole + 1e-9), [row.overall or 0 for row in held["overall"]]),
        _temperature(towards, [label for name in logits for label in labels[name]]),
    ]
    return {
        "lean": _to_neutral(lean).astype(np.float32),
        "temperature": np.array(temperature, dtype=np.float32),
    }


def _to_neutral(lean: float) -> Any:
    return np.array([0, lean, 0])


def _temperature(logits: Any, labels: list[int]) -> float:
    def loss(t: float) -> float:
        shares = np.exp(_logs(logits / t))
        # All classes have the same weight, as in training.
        each = -np.log(shares[np.arange(len(labels)), labels] + 1e-12)
        return float(np.mean([each[np.array(labels) == label].mean() for label in set(labels)]))

    return float(min(np.arange(0.5, 3.01, 0.05), key=loss))


def figures(network: Network, held: Mapping[str, list[Row]], data: Path) -> dict[str, Any]:
    """Return macro recall or F1 of sentiment, and F1 of entities, on the development splits, in percent."""

    def tag(words: list[list[str]]) -> list[list[int]]:
        posts = [network.word_ids(post) for post in words]
        return network.tags(posts, network.encode(posts))

    found = {name: probabilities(network, rows) for name, rows in held.items()}
    return _scores(found, held, tag, data) | {"temperatures": network.temperatures, "lean": network.lean}


def _teacher_figures(
    teacher: Teacher, held: Mapping[str, list[Row]], data: Path, progress: Progress
) -> dict[str, Any]:
    """Return the same figures for the teacher."""

    def tag(words: list[list[str]]) -> list[list[int]]:
        return [
            list(map(int, tags)) for tags in teacher.predict([(post, []) for post in words], progress).best
        ]

    found = {}
    for name, rows in held.items():
        predictions = teacher.predict(map(tokens, rows), progress)
        found[name] = predictions.whole, predictions.towards
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
        labels = [LABELS[row.towards or 0] for row in rows]
        scores[name] = _percent(macro_f1(labels, _labels(towards)))
        scores[f"{name} by the whole post"] = _percent(macro_f1(labels, _labels(whole)))
    for name, sentences in corpora.entities(data, "dev").items():
        tagged_posts = tag([words for words, _ in sentences])
        scores[name] = _percent(
            span_f1(
                [_spans(tags, corpora.MARKED[name]) for _, tags in sentences],
                [
                    _spans(iob_to_biluo([TAGS[tag] for tag in tags]), corpora.MARKED[name])
                    for tags in tagged_posts
                ],
            )
        )
    return scores


def _labels(probabilities: Any) -> list[str]:
    return [LABELS[best] for best in probabilities.argmax(1)]


def _spans(tags: Sequence[str], labels: Collection[str]) -> set[tuple[int, int, str]]:
    """Return (start, end, label) of entities, with the end included."""
    return {(start, end, label) for label, start, end in tags_to_entities(tags) if label in labels}


def _assert_alike(stored: Mapping[str, Any], student: Student, rows: Sequence[Row]) -> None:
    """Raise AssertionError if the forward passes of training and of `nlp.network` differ on these posts."""
    weights = {name: np.asarray(value, dtype=np.float32) for name, value in stored.items()}
    for name in TABLES:
        weights[name] = weights[name] * weights[f"{name}_scale"][:, None]
    for row, whole, towards in zip(rows, *probabilities(Network(stored), rows), strict=True):
        trained = student.probabilities(weights, row)
        if not np.allclose(trained, (whole, towards), atol=1e-3):
            raise AssertionError(
                f"for {row.text!r} training computes {trained}, but nlp.network {(whole, towards)}"
            )


def _principal(vectors: Any, size: int) -> Any:
    """Return the first `size` principal components (n x size), with an overall deviation of 0.25."""
    centred = vectors - vectors.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    reduced = centred @ axes[:size].T
    return reduced / reduced.std() * 0.25


def _percent(x: float) -> float:
    return round(100 * x, 1)


if __name__ == "__main__":
    main()
