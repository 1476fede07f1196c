"""Training of the network that ships, by distillation from the teacher (Hinton et al. 2015).

One encoder learns three tasks: entities, the sentiment of a post, and the sentiment towards a target in it.
It learns from labels by people and from the teacher's predictions, which also cover unlabelled posts.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from rich.progress import Progress

from nlp.network import BIGRAMS
from nlp.training.forward import (
    HINTS,
    Recipe,
    Weights,
    crf_loss,
    encode,
    forbidden,
    initial_weights,
    sentiment,
    tag_scores,
    word_vectors,
)
from nlp.training.rows import ANY, LONGEST, MADE_UP, Row, Tagged, gold, tokens, weights
from nlp.training.teacher import Predictions
from nlp.words import HANDLE, MAX_GRAMS, MAX_PARTS, word

LENGTHS = (16, 24, 32, 48, LONGEST)
"""lengths in words that posts are padded to"""


class Words:
    """The features of every distinct word of the corpora."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._index = {known: row for row, known in enumerate(vocabulary, start=1)}
        self._known: dict[str, int] = {}
        self._rows: list[tuple[list[int], list[int], list[int], tuple[float, ...], int]] = []
        self.mask = self.of(["@" + HANDLE])[0]

    def of(self, words: Sequence[str]) -> Any:
        """Return the ids of words, and store their features."""
        for text in words:
            if text not in self._known:
                features = word(text)
                parts = [self._index.get(part, 0) for part in features.parts]
                self._known[text] = len(self._rows)
                self._rows.append(
                    (
                        parts + [-1] * (MAX_PARTS - len(parts)),
                        [*features.grams, *[-1] * (MAX_GRAMS - len(features.grams))],
                        [features.prefix, features.suffix, features.shape],
                        tuple(map(float, features.marks)),
                        features.hash,
                    )
                )
        return np.array([self._known[text] for text in words], dtype=np.int32)

    def tables(self) -> tuple[Any, ...]:
        """Return arrays with a row per word id: parts, n-grams, hashed pieces, marks, hash. -1 is padding."""
        parts, grams, pieces, marks, hashes = zip(*self._rows, strict=True)
        return (
            np.array(parts, np.int32), np.array(grams, np.int32), np.array(pieces, np.int32),
            np.array(marks, np.float32), np.array(hashes, np.int64),
        )  # fmt: skip


def vocabulary_of(rows: Iterable[Row], sentences: Iterable[Tagged]) -> list[str]:
    """Return the normal forms that occur at least twice, most frequent first, without white space."""
    counts: Counter[str] = Counter()
    for _, row in sorted({row.text: row for row in rows}.items()):
        for token in tokens(row)[0]:
            counts.update(word(token).parts)
    for sentence in sentences:
        for token in sentence.words:
            counts.update(word(token).parts)
    return [known for known, count in counts.most_common() if count > 1 and not known.isspace()]


class Student:
    """The network in training."""

    def __init__(self, recipe: Recipe, vocabulary: Sequence[str], vectors: Any) -> None:
        self.recipe = recipe
        self.words = Words(vocabulary)
        self.weights = initial_weights(recipe, vectors)

    def train(
        self, rows: Sequence[Row], sentences: Sequence[Tagged], teacher: Predictions, progress: Progress
    ) -> Weights:
        """Train on posts and sentences, given the teacher's predictions for the posts.

        Returns the mean of the weights over the last two epochs.
        """
        recipe = self.recipe
        read = [self._read(row) for row in rows]
        labelled_sentences = [
            (self.words.of(one.words), np.array(one.allowed, dtype=np.int32)) for one in sentences
        ]
        tables = self.words.tables()
        labels = self._labels(rows, teacher)
        steps = recipe.epochs * len(rows) // recipe.batch
        optimizer = optax.adam(optax.cosine_decay_schedule(recipe.rate, steps, 0.02))
        w = self.weights
        state = optimizer.init(w)
        update = _updating(recipe, optimizer)
        draw = np.random.default_rng(recipe.seed)
        key = jax.random.PRNGKey(recipe.seed)
        entity_batches = self._entity_batches(labelled_sentences, tables, draw)
        task = progress.add_task("Student", total=steps)
        mean, means, done = None, 0, 0
        for epoch in range(recipe.epochs):
            for length, chosen in _batches([t for t, _ in read], draw.permutation(len(rows)), recipe.batch):
                if len(chosen) < recipe.batch:
                    continue
                ids, mask, marked = _padded(read, chosen, length, recipe.batch)
                tags = _teacher_tags(rows, teacher, chosen, ids.shape)
                hidden = (draw.random((recipe.batch, 1)) < recipe.masked) & (marked > 0)
                ids, tags = np.where(hidden, self.words.mask, ids), np.where(hidden, ANY, tags)
                key, now, then = jax.random.split(key, 3)
                posts = (
                    *_looked_up(tables, ids), mask, marked, _pairs(tables[4], ids, mask), tags,
                    tuple(part[chosen] for part in labels),
                )  # fmt: skip
                w, state = update(w, state, (now, *posts), (then, *next(entity_batches)))
                done += 1
                progress.advance(task)
                if epoch >= recipe.epochs - 2 and done % 20 == 0:
                    means += 1
                    mean = w if mean is None else optax.incremental_update(w, mean, 1 / means)
        return {name: np.asarray(value) for name, value in (mean or w).items() if name not in {"HO", "HT"}}

    def _labels(self, rows: Sequence[Row], teacher: Predictions) -> tuple[Any, ...]:
        """Return weighted labels of posts and targets (n x 3), and hints for both heads (n x HINTS)."""
        recipe = self.recipe
        # The labels of generated posts are certain; people disagree about those of real posts.
        share = np.array([1.0 if row.corpus in MADE_UP else recipe.labels for row in rows])
        y_whole, y_towards = _mixed(gold(list(rows), weights(list(rows))), teacher, share[:, None])
        several = np.array([row.corpus in {"contrasts", "joined"} for row in rows])
        y_towards[several] *= recipe.contrast
        y_whole[[row.corpus in {"asked", "varied"} for row in rows]] *= recipe.again
        return y_whole, y_towards, _hints(teacher.of_post), _hints(teacher.of_target)

    def probabilities(self, w: Weights, row: Row) -> Any:
        """Return probabilities of a post and towards its target (3 each), by the forward pass of training."""
        ids, marked = self._read(row)
        at = np.flatnonzero(marked) if marked.any() else np.arange(len(ids))
        between = np.zeros((1, len(ids)), dtype=np.float32)
        between[0, at[0] : at[-1] + 1] = 1
        tables = self.words.tables()
        mask = np.ones_like(between)
        nothing = [None] * (4 + self.recipe.depth)
        words = word_vectors(w, tuple(table[ids[None]] for table in tables[:4]))
        words, x = encode(w, words, mask, nothing, self.recipe.depth)
        pairs = _pairs(tables[4], ids[None], mask)
        return [jax.nn.softmax(z)[0] for z in sentiment(w, words, x, mask, between, pairs, nothing)[:2]]

    def _read(self, row: Row) -> tuple[Any, Any]:
        words, marked = tokens(row)
        return self.words.of(words), np.array(marked, dtype=np.float32)

    def _entity_batches(self, sentences: Any, tables: Any, draw: Any) -> Iterator[Any]:
        size = self.recipe.sentences
        while True:
            for length, chosen in _batches([s[0] for s in sentences], draw.permutation(len(sentences)), size):
                if len(chosen) == size:
                    ids, mask, allowed = _padded(sentences, chosen, length, size)
                    yield *_looked_up(tables, ids), mask, allowed.astype(np.int32)


def _updating(recipe: Recipe, optimizer: Any) -> Callable[[Weights, Any, Any, Any], tuple[Weights, Any]]:
    """Return the compiled step: weights, optimizer state, posts, sentences -> new weights and state."""
    # Two gradients: one function would have to be compiled for each pair of padded lengths.
    of_posts = jax.jit(jax.grad(partial(_post_loss, recipe)))
    of_sentences = jax.jit(jax.grad(partial(_entity_loss, recipe)))

    @jax.jit
    def apply(w: Weights, state: Any, one: Weights, other: Weights) -> Any:
        updates, state = optimizer.update(jax.tree.map(jnp.add, one, other), state, w)
        return optax.apply_updates(w, updates), state

    def update(w: Weights, state: Any, posts: Any, sentences: Any) -> Any:
        return apply(w, state, of_posts(w, *posts), of_sentences(w, *sentences))

    return update


def _teacher_tags(
    rows: Sequence[Row], teacher: Predictions, chosen: Sequence[int], shape: tuple[int, int]
) -> Any:
    """Return the tags that the teacher allows for the words of a batch, as bits (batch x length)."""
    tags = np.full(shape, ANY, dtype=np.int32)
    for n, row in enumerate(chosen):
        if rows[row].corpus != "varied":  # names among random words are not reliable
            tags[n, : len(teacher.tags[row])] = teacher.tags[row]
    return tags


def _post_loss(
    recipe: Recipe, w: Weights, key: Any, features: Any, where: Any, mask: Any, marked: Any, pairs: Any,
    tags: Any, labels: Any,
) -> Any:  # fmt: skip
    """Compute the loss of posts: sentiment of post and target, hints, and the teacher's entities."""
    keys = list(jax.random.split(key, recipe.depth + 7))
    new = jax.random.bernoulli(keys[0], recipe.unknown, (len(features[0]),))
    words, x = encode(w, word_vectors(w, features, new)[where], mask, keys[4:-1], recipe.depth)
    whole, towards, of_post, of_target = sentiment(w, words, x, mask, marked, pairs, keys[1:4])
    total = -(jax.nn.log_softmax(whole) * labels[0]).sum(-1)
    total -= (jax.nn.log_softmax(towards) * labels[1]).sum(-1)
    for inner, head, hint in ((of_post, "HO", labels[2]), (of_target, "HT", labels[3])):
        total += recipe.hint * ((inner @ w[head] - hint) ** 2).mean(-1)
    crf = crf_loss(tag_scores(w, words, x, keys[-1]), w["tr"] + forbidden(), mask, tags)
    return (total + recipe.silver * crf / mask.sum(1)).mean() + 1e-6 * (w["B"] ** 2).sum()


def _entity_loss(
    recipe: Recipe, w: Weights, key: Any, features: Any, where: Any, mask: Any, allowed: Any
) -> Any:
    """Compute the loss of labelled sentences. More of their words are unknown, as names often are."""
    keys = list(jax.random.split(key, recipe.depth + 4))
    new = jax.random.bernoulli(keys[0], 1.5 * recipe.unknown, (len(features[0]),))
    words, x = encode(w, word_vectors(w, features, new)[where], mask, keys[1:-1], recipe.depth)
    crf = crf_loss(tag_scores(w, words, x, keys[-1]), w["tr"] + forbidden(), mask, allowed)
    return recipe.entities * (crf / mask.sum(1)).mean()


def _mixed(labels: tuple[Any, ...], teacher: Predictions, share: Any) -> tuple[Any, Any]:
    """Mix labels by people (`share`) and the teacher's probabilities for the cross-entropy (n x 3 each)."""
    y_whole, w_whole, y_towards, w_towards = labels

    def mixed(y: Any, weight: Any, logits: Any) -> Any:
        soft = np.exp(logits - logits.max(1, keepdims=True))
        soft /= soft.sum(1, keepdims=True)
        return (share * y * weight[:, None] + (1 - share) * soft).astype(np.float32)

    return mixed(y_whole, w_whole, teacher.whole), mixed(y_towards, w_towards, teacher.towards)


def _hints(vectors: Any) -> Any:
    """Return the principal components of the teacher's vectors (n x HINTS), with an overall deviation of 1.

    They tell more about how posts differ than a few labels do (hints, Romero et al. 2015).
    """
    some = vectors[:: max(1, len(vectors) // 20_000)].astype(np.float32)
    centre = some.mean(0)
    _, _, axes = np.linalg.svd(some - centre, full_matrices=False)
    reduced = (vectors - centre) @ axes[:HINTS].T
    return (reduced / reduced.std()).astype(np.float32)


def _batches(read: Sequence[Any], order: Iterable[int], size: int) -> Iterator[tuple[int, list[int]]]:
    waiting: dict[int, list[int]] = {length: [] for length in LENGTHS}
    for n in order:
        length = next(length for length in LENGTHS if len(read[n]) <= length)
        waiting[length].append(int(n))
        if len(waiting[length]) == size:
            yield length, waiting[length]
            waiting[length] = []
    yield from ((length, left) for length, left in waiting.items() if left)


def _padded(
    read: Sequence[tuple[Any, Any]], chosen: Sequence[int], length: int, size: int
) -> tuple[Any, ...]:
    ids = np.zeros((size, length), dtype=np.int32)
    mask, marked = np.zeros((2, size, length), dtype=np.float32)
    for n, row in enumerate(chosen):
        own, at = read[row]
        ids[n, : len(own)], mask[n, : len(own)], marked[n, : len(own)] = own, 1, at
    return ids, mask, marked


def _looked_up(tables: tuple[Any, ...], ids: Any) -> tuple[tuple[Any, ...], Any]:
    """Return the features of each distinct word of a batch, and their index for each word.

    So frequent words are computed once.
    """
    distinct, where = np.unique(ids, return_inverse=True)
    # Padded to a multiple of 1024, so that few shapes are compiled.
    distinct = np.pad(distinct, (0, -len(distinct) % 1024))
    return tuple(table[distinct] for table in tables[:4]), where.reshape(ids.shape)


def _pairs(hashes: Any, ids: Any, mask: Any) -> Any:
    """Return the row of the pair table for each word and the one before it, -1 for the first."""
    found = np.full(ids.shape, -1, dtype=np.int32)
    own = hashes[ids]
    found[:, 1:] = (own[:, :-1] * 1_000_003 + own[:, 1:]) % BIGRAMS
    found[:, 1:][mask[:, 1:] == 0] = -1
    return found
