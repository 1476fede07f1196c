"""The forward pass of `nlp.network` in JAX, on padded batches, with dropout for training.

Weights have the names and shapes that `nlp.network` documents. `HO` and `HT` exist in training only: they
project the inputs of the two sentiment heads onto the teacher's vectors.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nlp.network import BIGRAMS, FARTHEST, NEVER, TAGS
from nlp.words import GRAMS, MARKS, PREFIXES, SHAPES, SUFFIXES

ALONE = 0.15
"""share of posts whose target is classified without the pooled post"""
ATTENTIONS = 2
"""attentions over the words around a target"""
HINTS = 64
"""directions of the teacher's vectors that the heads learn to predict"""

Weights = dict[str, Any]


@dataclass(frozen=True)
class Recipe:
    """Sizes and settings, chosen on the development splits. MODEL_CARD.md lists the experiments."""

    width: int = 96
    """length of an encoded word"""
    depth: int = 2
    """convolutions of the encoder"""
    hidden: int = 96
    """units of each sentiment head"""
    epochs: int = 3
    """passes over the posts"""
    batch: int = 128
    """posts of a step"""
    sentences: int = 17
    """sentences with entities of a step"""
    rate: float = 2e-3
    """highest learning rate"""
    labels: float = 0.35
    """weight of labels by people; that of the teacher's predictions is the rest to 1"""
    entities: float = 3.0
    """weight of the loss of labelled entities"""
    silver: float = 0.6
    """weight of the loss of entities that the teacher predicts"""
    unknown: float = 0.15
    """share of words that are read as if they were not in the vocabulary"""
    contrast: float = 3.0
    """weight of posts with two names"""
    again: float = 0.3
    """weight of the sentiment of a whole post when it occurs again with another target or changed words"""
    masked: float = 0.1
    """share of targets whose name is hidden"""
    hint: float = 1.0
    """weight of the distance from the teacher's vectors"""
    seed: int = 20261123


def initial_weights(recipe: Recipe, vectors: Any) -> Weights:
    """Draw the weights before training. `vectors` (vocabulary x wide) are the initial word vectors."""
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


def word_vectors(w: Weights, features: Any, unknown: Any = None) -> Any:
    """Return word vectors (... x wide). `unknown` marks words to read as if outside the vocabulary."""
    parts, grams, pieces, marks = features

    def mean(table: str, rows: Any) -> Any:
        used = (rows >= 0)[..., None]
        return (w[table][jnp.maximum(rows, 0)] * used).sum(-2) / jnp.maximum(used.sum(-2), 1)

    new = parts[..., 0] == 0
    if unknown is not None:
        new |= unknown
    x = jnp.where(new[..., None], mean("G", grams), mean("V", parts))
    x += w["P"][pieces[..., 0]] + w["S"][pieces[..., 1]] + w["Sh"][pieces[..., 2]] + marks @ w["F"]
    return _normalised(x, w["lg"], w["lb"])


def encode(w: Weights, words: Any, mask: Any, keys: list[Any], depth: int) -> tuple[Any, Any]:
    """Return word vectors under dropout, and encoded words (batch x length x width).

    `mask` (batch x length) is 1 for a word and 0 for padding. Without `keys` there is no dropout.
    """
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
    """Convolve three words, with maxout (Goodfellow et al. 2013)."""
    padded = jnp.pad(x, ((0, 0), (1, 1), (0, 0)))
    y = jnp.concatenate([padded[:, :-2], padded[:, 1:-1], padded[:, 2:]], -1) @ kernel + bias
    return jnp.maximum(*jnp.split(y, 2, -1))


def sentiment(
    w: Weights, words: Any, x: Any, mask: Any, marked: Any, pairs: Any, keys: list[Any]
) -> tuple[Any, ...]:
    """Return logits of the post and towards its target (batch x 3), and the hidden layers of both heads.

    `marked` (batch x length) is 1 for words of the target; a post without a target counts as its own.
    `pairs` (batch x length) are rows of `B`, -1 for none.
    """
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
    pair_logits = (w["B"][jnp.maximum(pairs, 0)] * paired).sum(1)
    of_post = jax.nn.relu(_dropped(pooled, keys[0], 0.15) @ w["O1"] + w["o1"])
    whole = of_post @ w["O2"] + w["o2"] + pair_logits
    at = jnp.where(marked.sum(1, keepdims=True) > 0, marked, mask)
    target = (x * at[..., None]).sum(1) / jnp.maximum(at.sum(1, keepdims=True), 1)
    length = x.shape[1]
    position = jnp.arange(length)[None]
    first = jnp.argmax(at > 0, 1)[:, None]
    last = length - 1 - jnp.argmax(at[:, ::-1] > 0, 1)[:, None]
    distance = jnp.where(position < first, position - first, jnp.maximum(position - last, 0))
    clipped = jnp.clip(distance, -FARTHEST, FARTHEST) + FARTHEST
    z = x @ w["U"] + w["D"][clipped]
    z = _normalised(z + _convolved(z * inside, w["KT"], w["kT"]), w["gT"], w["hT"])
    attention = jax.nn.softmax(z @ w["A"] - (1 - inside) * 1e9, 1)
    around = jnp.einsum("bth,btd->bhd", attention, z).reshape(len(z), -1)
    most = jnp.where(inside > 0, z, -1e9).max(1)
    # Most posts have one sentiment, so that the pooled post would suffice. Without it the head must learn
    # from the words around the target.
    of_all = pooled
    if keys[2] is not None:
        of_all *= jax.random.bernoulli(keys[2], 1 - ALONE, (len(x), 1))
    features = jnp.concatenate([target, around, most, of_all], -1)
    of_target = jax.nn.relu(_dropped(features, keys[1], 0.15) @ w["T1"] + w["t1"])
    return whole, of_target @ w["T2"] + w["t2"], of_post, of_target


def tag_scores(w: Weights, words: Any, x: Any, key: Any = None) -> Any:
    """Return scores of `TAGS` (batch x length x tags)."""
    return _dropped(jnp.concatenate([x, words], -1), key, 0.3) @ w["N1"] + w["n1"]


def crf_loss(scores: Any, transitions: Any, mask: Any, allowed: Any) -> Any:
    """Return -log P(allowed paths) of each post (conditional random field, Lafferty et al. 2001).

    Bit n of `allowed` (batch x length) is set where the word may have the tag `TAGS[n]`.
    """
    bits = (allowed[..., None] >> jnp.arange(len(TAGS))) & 1

    reachable = jnp.exp(transitions)

    def log_sum(scores: Any) -> Any:
        def step(best: Any, now: Any) -> Any:
            score, used = now
            # A matrix product is several times as fast as a logsumexp over pairs of tags.
            most = best.max(1, keepdims=True)
            after = jnp.log(jnp.exp(best - most) @ reachable + 1e-30) + most + score
            return jnp.where(used[:, None] > 0, after, best), None

        begin = scores[:, 0] + jnp.asarray([NEVER if tag[0] == "I" else 0.0 for tag in TAGS])
        best, _ = jax.lax.scan(step, begin, (scores[:, 1:].transpose(1, 0, 2), mask[:, 1:].T))
        return jax.nn.logsumexp(best, -1)

    return log_sum(scores) - log_sum(scores + NEVER * (1 - bits))


def forbidden() -> Any:
    """Return scores (tags x tags) that allow an I- tag only after a tag of the same label."""
    return np.array([[NEVER * (b[0] == "I" and a[1:] != b[1:]) for b in TAGS] for a in TAGS], np.float32)


def _normalised(x: Any, gain: Any, bias: Any) -> Any:
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * gain + bias


def _dropped(x: Any, key: Any, share: float) -> Any:
    return x if key is None else x * jax.random.bernoulli(key, 1 - share, x.shape) / (1 - share)
