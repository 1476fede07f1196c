"""The network that ships, trained: the forward pass of `nlp.network` once more, in JAX, with its losses.

It learns three things at a time from one encoder: entities (a conditional random field, Lafferty et al.
2001), the opinion of a post and the opinion towards a place in it. Of all of them it learns what people
said and what the teacher says (Hinton et al. 2015), the entities of posts that nobody marked included.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from rich.progress import Progress

from nlp.network import BIGRAMS, FARTHEST, NEVER, TAGS
from nlp.training.rows import ANY, LONGEST, MADE_UP, Row, Tagged, gold, tokens, weights
from nlp.training.teacher import Said
from nlp.words import GRAMS, HANDLE, MARKS, MAX_GRAMS, MAX_PARTS, PREFIXES, SHAPES, SUFFIXES, word

LENGTHS = (16, 24, 32, 48, LONGEST)
"""posts are padded to one of these many words"""

ALONE = 0.15
"""share of the posts whose target is judged by the words around it only"""

ATTENTIONS = 2
"""ways to weigh the words around a target"""

HINTS = 64
"""directions of the teacher's vectors that the heads are to find again"""

Weights = dict[str, Any]


@dataclass(frozen=True)
class Recipe:
    """Sizes and settings, chosen on the development splits; the model card has the trials."""

    width: int = 96
    """of the encoder"""
    depth: int = 2
    hidden: int = 96
    epochs: int = 3
    batch: int = 128
    sentences: int = 17
    """of entities, beside each batch of opinions"""
    rate: float = 2e-3
    told: float = 0.35
    """share of what people said in the loss; the rest is the teacher's"""
    entities: float = 3.0
    """weight of the loss of marked entities"""
    silver: float = 0.6
    """weight of the loss of entities the teacher found"""
    unknown: float = 0.15
    """share of words read as if they were not in the vocabulary"""
    contrast: float = 3.0
    """weight of posts that speak of two names"""
    again: float = 0.3
    """weight of the opinion of a whole post that is read once more: for another name in it, or changed"""
    masked: float = 0.1
    """share of targets whose name is hidden"""
    hint: float = 1.0
    """weight of the distance between what the heads see and what the teacher's see"""
    seed: int = 20261123


class Words:
    """Every word type of the corpora, as rows of the tables."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._index = {known: row for row, known in enumerate(vocabulary, start=1)}
        self._known: dict[str, int] = {}
        self._rows: list[tuple[list[int], list[int], list[int], tuple[float, ...], int]] = []
        self.mask = self.of(["@" + HANDLE])[0]

    def of(self, words: Sequence[str]) -> Any:
        """Numbers of the words."""
        for text in words:
            if text not in self._known:
                seen = word(text)
                parts = [self._index.get(part, 0) for part in seen.parts]
                self._known[text] = len(self._rows)
                self._rows.append(
                    (
                        parts + [-1] * (MAX_PARTS - len(parts)),
                        [*seen.grams, *[-1] * (MAX_GRAMS - len(seen.grams))],
                        [seen.prefix, seen.suffix, seen.shape],
                        tuple(map(float, seen.marks)),
                        seen.hash,
                    )
                )
        return np.array([self._known[text] for text in words], dtype=np.int32)

    def tables(self) -> tuple[Any, ...]:
        """Parts, grams, hashed pieces, marks, hash of each word."""
        parts, grams, pieces, marks, hashes = zip(*self._rows, strict=True)
        return (
            np.array(parts, np.int32), np.array(grams, np.int32), np.array(pieces, np.int32),
            np.array(marks, np.float32), np.array(hashes, np.int64),
        )  # fmt: skip


def vocabulary_of(rows: Iterable[Row], sentences: Iterable[Tagged]) -> list[str]:
    """Normal forms that occur twice, the most frequent first; white space is none."""
    counts: Counter[str] = Counter()
    for _, row in sorted({row.text: row for row in rows}.items()):
        for token in tokens(row)[0]:
            counts.update(word(token).parts)
    for sentence in sentences:
        for token in sentence.words:
            counts.update(word(token).parts)
    return [known for known, count in counts.most_common() if count > 1 and not known.isspace()]


def initial(recipe: Recipe, vectors: Any) -> Weights:
    """Weights before training; `vectors` (vocabulary x wide) are where the words begin."""
    draw = np.random.default_rng(recipe.seed)
    wide, width, hidden = vectors.shape[1], recipe.width, recipe.hidden

    def some(*shape: int, by: float = 0.05) -> Any:
        return jnp.asarray(draw.normal(0, by, shape), jnp.float32)

    pooled, narrow = 3 * width + wide, width // 2
    towards = pooled + width + (ATTENTIONS + 1) * narrow
    w: Weights = {
        "V": jnp.concatenate([jnp.zeros((1, wide)), jnp.asarray(vectors, jnp.float32)]),
        "P": some(PREFIXES, wide), "S": some(SUFFIXES, wide), "Sh": some(SHAPES, wide),
        "G": some(GRAMS, wide), "F": some(MARKS, wide, by=0.2), "lg": jnp.ones(wide), "lb": jnp.zeros(wide),
        "W0": some(wide, width, by=wide**-0.5), "b0": jnp.zeros(width),
        "att": some(width, by=0.1), "B": jnp.zeros((BIGRAMS, 3)),
        "O1": some(pooled, hidden, by=pooled**-0.5), "o1": jnp.zeros(hidden),
        "O2": some(hidden, 3, by=0.1), "o2": jnp.zeros(3),
        "U": some(width, narrow, by=width**-0.5), "D": some(2 * FARTHEST + 1, narrow, by=0.3),
        "KT": some(3 * narrow, 2 * narrow, by=(3 * narrow) ** -0.5), "kT": jnp.zeros(2 * narrow),
        "gT": jnp.ones(narrow), "hT": jnp.zeros(narrow), "A": some(narrow, ATTENTIONS, by=0.1),
        "T1": some(towards, hidden, by=towards**-0.5), "t1": jnp.zeros(hidden),
        "T2": some(hidden, 3, by=0.1), "t2": jnp.zeros(3),
        "HO": some(hidden, HINTS, by=0.1), "HT": some(hidden, HINTS, by=0.1),
        "N1": some(width + wide, len(TAGS)), "n1": jnp.zeros(len(TAGS)),
        "tr": jnp.zeros((len(TAGS), len(TAGS))),
    }  # fmt: skip
    for n in range(recipe.depth):
        w[f"K{n}"], w[f"kb{n}"] = some(3 * width, 2 * width, by=(3 * width) ** -0.5), jnp.zeros(2 * width)
        w[f"g{n}"], w[f"h{n}"] = jnp.ones(width), jnp.zeros(width)
    return w


# --- the forward pass, on padded batches


def word_vectors(w: Weights, seen: Any, unknown: Any = None) -> Any:
    """Of each word by itself (... x wide)."""
    parts, grams, pieces, marks = seen

    def mean(table: str, rows: Any) -> Any:
        there = (rows >= 0)[..., None]
        return (w[table][jnp.maximum(rows, 0)] * there).sum(-2) / jnp.maximum(there.sum(-2), 1)

    new = parts[..., 0] == 0
    if unknown is not None:
        new |= unknown
    x = jnp.where(new[..., None], mean("G", grams), mean("V", parts))
    x += w["P"][pieces[..., 0]] + w["S"][pieces[..., 1]] + w["Sh"][pieces[..., 2]] + marks @ w["F"]
    return _normalised(x, w["lg"], w["lb"])


def encode(w: Weights, words: Any, mask: Any, keys: list[Any], depth: int) -> tuple[Any, Any]:
    """The words under dropout, and a vector for each in its place (batch x length x width)."""
    inside = mask[..., None]
    if keys[0] is not None:
        words = words * jax.random.bernoulli(keys[0], 0.9, mask.shape)[..., None]
    words = _dropped(words, keys[1], 0.15)
    x = jax.nn.relu(words @ w["W0"] + w["b0"]) * inside
    for n in range(depth):
        y = _dropped(_convolved(x, w[f"K{n}"], w[f"kb{n}"]), keys[2 + n], 0.2)
        x = _normalised(x + y, w[f"g{n}"], w[f"h{n}"]) * inside
    return words, x


def _convolved(x: Any, kernel: Any, bias: Any) -> Any:
    """Each word with its neighbours; the greater of two answers (Goodfellow et al. 2013)."""
    padded = jnp.pad(x, ((0, 0), (1, 1), (0, 0)))
    y = jnp.concatenate([padded[:, :-2], padded[:, 1:-1], padded[:, 2:]], -1) @ kernel + bias
    return jnp.maximum(*jnp.split(y, 2, -1))


def opinions(
    w: Weights, words: Any, x: Any, mask: Any, marked: Any, pairs: Any, keys: list[Any]
) -> tuple[Any, ...]:
    """Logits of the whole post and towards its target (batch x 3), and what they are read from."""
    inside = mask[..., None]
    count = jnp.maximum(mask.sum(1, keepdims=True), 1)
    attention = jax.nn.softmax(x @ w["att"] - (1 - mask) * 1e9, -1)
    pooled = jnp.concatenate(
        [
            (x * inside).sum(1) / count,
            jnp.where(inside > 0, x, -1e9).max(1),
            (x * attention[..., None]).sum(1),
            (words * inside).sum(1) / count,
        ],
        -1,
    )
    paired = (pairs >= 0)[..., None]
    told = (w["B"][jnp.maximum(pairs, 0)] * paired).sum(1)
    of_post = jax.nn.relu(_dropped(pooled, keys[0], 0.15) @ w["O1"] + w["o1"])
    whole = of_post @ w["O2"] + w["o2"] + told
    at = jnp.where(marked.sum(1, keepdims=True) > 0, marked, mask)
    target = (x * at[..., None]).sum(1) / jnp.maximum(at.sum(1, keepdims=True), 1)
    length = x.shape[1]
    position = jnp.arange(length)[None]
    first = jnp.argmax(at > 0, 1)[:, None]
    last = length - 1 - jnp.argmax(at[:, ::-1] > 0, 1)[:, None]
    distance = jnp.where(position < first, position - first, jnp.maximum(position - last, 0))
    told_apart = jnp.clip(distance, -FARTHEST, FARTHEST) + FARTHEST
    z = x @ w["U"] + w["D"][told_apart]
    z = _normalised(z + _convolved(z * inside, w["KT"], w["kT"]), w["gT"], w["hT"])
    attention = jax.nn.softmax(z @ w["A"] - (1 - inside) * 1e9, 1)
    around = jnp.einsum("bth,btd->bhd", attention, z).reshape(len(z), -1)
    most = jnp.where(inside > 0, z, -1e9).max(1)
    # Some posts are read without the whole: it would do for most, which have one opinion.
    of_all = pooled
    if keys[2] is not None:
        of_all *= jax.random.bernoulli(keys[2], 1 - ALONE, (len(x), 1))
    seen = jnp.concatenate([target, around, most, of_all], -1)
    of_target = jax.nn.relu(_dropped(seen, keys[1], 0.15) @ w["T1"] + w["t1"])
    return whole, of_target @ w["T2"] + w["t2"], of_post, of_target


def tag_scores(w: Weights, words: Any, x: Any, key: Any = None) -> Any:
    """Scores of `TAGS` (batch x length x tags)."""
    return _dropped(jnp.concatenate([x, words], -1), key, 0.3) @ w["N1"] + w["n1"]


def _crf_loss(scores: Any, transitions: Any, mask: Any, allowed: Any) -> Any:
    """-log P(a path that is allowed) of each post; bit n of `allowed` says that a word may be `TAGS[n]`."""
    bits = (allowed[..., None] >> jnp.arange(len(TAGS))) & 1

    reachable = jnp.exp(transitions)

    def log_sum(scores: Any) -> Any:
        def step(best: Any, now: Any) -> Any:
            score, there = now
            # A product of matrices instead of a sum over pairs of tags: several times as fast.
            most = best.max(1, keepdims=True)
            after = jnp.log(jnp.exp(best - most) @ reachable + 1e-30) + most + score
            return jnp.where(there[:, None] > 0, after, best), None

        begin = scores[:, 0] + jnp.asarray([NEVER if tag[0] == "I" else 0.0 for tag in TAGS])
        best, _ = jax.lax.scan(step, begin, (scores[:, 1:].transpose(1, 0, 2), mask[:, 1:].T))
        return jax.nn.logsumexp(best, -1)

    return log_sum(scores) - log_sum(scores + NEVER * (1 - bits))


def forbidden() -> Any:
    """No I- behind anything but its own label."""
    return np.array([[NEVER * (b[0] == "I" and a[1:] != b[1:]) for b in TAGS] for a in TAGS], np.float32)


# --- training


class Student:
    """Trains the network. `train` returns the mean of the weights over the last two epochs."""

    def __init__(self, recipe: Recipe, vocabulary: Sequence[str], vectors: Any) -> None:
        self.recipe = recipe
        self.words = Words(vocabulary)
        self.weights = initial(recipe, vectors)

    def train(
        self, rows: Sequence[Row], sentences: Sequence[Tagged], teacher: Said, progress: Progress
    ) -> Weights:
        """`teacher` is what it says of the rows."""
        recipe = self.recipe
        read = [self._read(row) for row in rows]
        marked_sentences = [
            (self.words.of(one.words), np.array(one.allowed, dtype=np.int32)) for one in sentences
        ]
        tables = self.words.tables()
        # What is made up is known; what people say they see differently.
        told = np.array([1.0 if row.corpus in MADE_UP else recipe.told for row in rows])
        y_whole, y_towards = _mixed(gold(list(rows), weights(list(rows))), teacher, told[:, None])
        several = np.array([row.corpus in {"contrasts", "joined"} for row in rows])
        y_towards[several] *= recipe.contrast
        y_whole[[row.corpus in {"asked", "varied"} for row in rows]] *= recipe.again
        labels = y_whole, y_towards, _hints(teacher.of_post), _hints(teacher.of_target)
        steps = recipe.epochs * len(rows) // recipe.batch
        optimizer = optax.adam(optax.cosine_decay_schedule(recipe.rate, steps, 0.02))
        w = self.weights
        state = optimizer.init(w)

        # Apart, so that one length of posts and one of sentences need not be compiled for each pair.
        of_opinions = jax.jit(jax.grad(partial(_opinion_loss, recipe)))
        of_entities = jax.jit(jax.grad(partial(_entity_loss, recipe)))

        @jax.jit
        def step(w: Weights, state: Any, one: Weights, other: Weights) -> Any:
            updates, state = optimizer.update(jax.tree.map(jnp.add, one, other), state, w)
            return optax.apply_updates(w, updates), state

        draw = np.random.default_rng(recipe.seed)
        key = jax.random.PRNGKey(recipe.seed)
        entity_batches = self._entity_batches(marked_sentences, tables, draw)
        task = progress.add_task("Student", total=steps)
        mean, means, done = None, 0, 0
        for epoch in range(recipe.epochs):
            for length, chosen in _batches([t for t, _ in read], draw.permutation(len(rows)), recipe.batch):
                if len(chosen) < recipe.batch:
                    continue
                types, mask, marked = _padded(read, chosen, length, recipe.batch)
                tags = np.full(types.shape, ANY, dtype=np.int32)
                for n, row in enumerate(chosen):
                    if rows[row].corpus != "varied":  # names out of place are nobody's
                        tags[n, : len(teacher.tags[row])] = teacher.tags[row]
                hidden = (draw.random((recipe.batch, 1)) < recipe.masked) & (marked > 0)
                types, tags = np.where(hidden, self.words.mask, types), np.where(hidden, ANY, tags)
                key, now, then = jax.random.split(key, 3)
                opinion = (
                    *_looked_up(tables, types), mask, marked, _pairs(tables[4], types, mask), tags,
                    tuple(part[chosen] for part in labels),
                )  # fmt: skip
                w, state = step(
                    w, state, of_opinions(w, now, *opinion), of_entities(w, then, *next(entity_batches))
                )
                done += 1
                progress.advance(task)
                if epoch >= recipe.epochs - 2 and done % 20 == 0:
                    means += 1
                    share = 1 / means
                    mean = w if mean is None else optax.incremental_update(w, mean, share)
        return {name: np.asarray(value) for name, value in (mean or w).items() if name not in {"HO", "HT"}}

    def judge(self, w: Weights, row: Row) -> Any:
        """Probabilities of the whole post and towards the target, by the forward pass of the training."""
        types, marked = self._read(row)
        places = np.flatnonzero(marked) if marked.any() else np.arange(len(types))
        between = np.zeros((1, len(types)), dtype=np.float32)
        between[0, places[0] : places[-1] + 1] = 1
        tables = self.words.tables()
        mask = np.ones_like(between)
        nothing = [None] * (4 + self.recipe.depth)
        words = word_vectors(w, tuple(table[types[None]] for table in tables[:4]))
        words, x = encode(w, words, mask, nothing, self.recipe.depth)
        pairs = _pairs(tables[4], types[None], mask)
        return [jax.nn.softmax(z)[0] for z in opinions(w, words, x, mask, between, pairs, nothing)[:2]]

    def _read(self, row: Row) -> tuple[Any, Any]:
        words, marked = tokens(row)
        return self.words.of(words), np.array(marked, dtype=np.float32)

    def _entity_batches(self, sentences: Any, tables: Any, draw: Any) -> Iterator[Any]:
        size = self.recipe.sentences
        while True:
            for length, chosen in _batches([s[0] for s in sentences], draw.permutation(len(sentences)), size):
                if len(chosen) == size:
                    types, mask, allowed = _padded(sentences, chosen, length, size)
                    yield *_looked_up(tables, types), mask, allowed.astype(np.int32)


def _opinion_loss(
    recipe: Recipe, w: Weights, key: Any, seen: Any, where: Any, mask: Any, marked: Any, pairs: Any,
    tags: Any, told: Any,
) -> Any:  # fmt: skip
    """Of posts: what was told of them and of their targets, and the tags the teacher allows."""
    keys = list(jax.random.split(key, recipe.depth + 7))
    new = jax.random.bernoulli(keys[0], recipe.unknown, (len(seen[0]),))
    words, x = encode(w, word_vectors(w, seen, new)[where], mask, keys[4:-1], recipe.depth)
    whole, towards, of_post, of_target = opinions(w, words, x, mask, marked, pairs, keys[1:4])
    total = -(jax.nn.log_softmax(whole) * told[0]).sum(-1)
    total -= (jax.nn.log_softmax(towards) * told[1]).sum(-1)
    for seen_there, head, hint in ((of_post, "HO", told[2]), (of_target, "HT", told[3])):
        total += recipe.hint * ((seen_there @ w[head] - hint) ** 2).mean(-1)
    crf = _crf_loss(tag_scores(w, words, x, keys[-1]), w["tr"] + forbidden(), mask, tags)
    return (total + recipe.silver * crf / mask.sum(1)).mean() + 1e-6 * (w["B"] ** 2).sum()


def _entity_loss(recipe: Recipe, w: Weights, key: Any, seen: Any, where: Any, mask: Any, allowed: Any) -> Any:
    """Of marked sentences; more of their words are new, as names are."""
    keys = list(jax.random.split(key, recipe.depth + 4))
    new = jax.random.bernoulli(keys[0], 1.5 * recipe.unknown, (len(seen[0]),))
    words, x = encode(w, word_vectors(w, seen, new)[where], mask, keys[1:-1], recipe.depth)
    crf = _crf_loss(tag_scores(w, words, x, keys[-1]), w["tr"] + forbidden(), mask, allowed)
    return recipe.entities * (crf / mask.sum(1)).mean()


def _mixed(labels: tuple[Any, ...], teacher: Said, told: Any) -> tuple[Any, Any]:
    """What people said and what the teacher says, as one target of the cross-entropy."""
    y_whole, w_whole, y_towards, w_towards = labels

    def mixed(y: Any, weight: Any, logits: Any) -> Any:
        soft = np.exp(logits - logits.max(1, keepdims=True))
        soft /= soft.sum(1, keepdims=True)
        return (told * y * weight[:, None] + (1 - told) * soft).astype(np.float32)

    return mixed(y_whole, w_whole, teacher.whole), mixed(y_towards, w_towards, teacher.towards)


def _hints(vectors: Any) -> Any:
    """The directions in which the teacher's vectors differ most, with a deviation of 1 in all of them
    (Romero et al. 2015): a few labels say little of how posts differ, these say much."""
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
    types = np.zeros((size, length), dtype=np.int32)
    mask, marked = np.zeros((2, size, length), dtype=np.float32)
    for n, row in enumerate(chosen):
        own, at = read[row]
        types[n, : len(own)], mask[n, : len(own)], marked[n, : len(own)] = own, 1, at
    return types, mask, marked


def _looked_up(tables: tuple[Any, ...], types: Any) -> tuple[tuple[Any, ...], Any]:
    """Each word type of a batch once, and where it stands: frequent words are worked out once."""
    distinct, where = np.unique(types, return_inverse=True)
    # To a multiple of some size, so that few shapes are compiled.
    distinct = np.pad(distinct, (0, -len(distinct) % 1024))
    return tuple(table[distinct] for table in tables[:4]), where.reshape(types.shape)


def _pairs(hashes: Any, types: Any, mask: Any) -> Any:
    """Rows of the pair table, -1 where there is no pair."""
    found = np.full(types.shape, -1, dtype=np.int32)
    own = hashes[types]
    found[:, 1:] = (own[:, :-1] * 1_000_003 + own[:, 1:]) % BIGRAMS
    found[:, 1:][mask[:, 1:] == 0] = -1
    return found


def _normalised(x: Any, gain: Any, bias: Any) -> Any:
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * gain + bias


def _dropped(x: Any, key: Any, share: float) -> Any:
    return x if key is None else x * jax.random.bernoulli(key, 1 - share, x.shape) / (1 - share)
