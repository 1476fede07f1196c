"""The trained network, run with NumPy alone: word vectors, entity tags and sentiment.

One convolutional encoder reads a post. Three heads share its vectors: entities, the sentiment of the whole
post, and the sentiment towards a span of it. `nlp.training` trains the same architecture in JAX and writes
`assets/network.npz`. It compares both forward passes before it writes the file.

Everything that depends on a word alone is computed once and cached. A post then costs one look-up per word,
the convolutions, and pooling.

The rest is computed in double precision, for reproducible results. The order of a sum depends on the size of
the batch. In single precision, probabilities would differ in the seventh decimal from batch to batch, and
sometimes in the fourth, the last one that is kept.

The arrays of the file follow. `wide` is the length of a word vector, `width` of an encoded word, `narrow` is
width / 2, and `hidden` the units of a head. V, G, P, S and Sh hold int8 rows, each with a scale in `…_scale`.

- `words`: the vocabulary as bytes, one word a line, most frequent first
- `V` (1 + words, wide), `G` (GRAMS, wide): vectors of known words; vectors of n-grams, for unknown words
- `P` (PREFIXES, wide), `S` (SUFFIXES, wide), `Sh` (SHAPES, wide): vectors of prefix, suffix and shape
- `F` (MARKS, wide), `lg`, `lb` (wide): projection of the marks; layer normalisation of word vectors
- `W0` (wide, width), `b0`: word vector to encoder
- `K0` (3 width, 2 width), `kb0`, `g0`, `h0`; `K1` …: convolutions of three words, and their normalisation
- `att` (width): attention of the pooled post
- `B` (BIGRAMS, 3): logits of hashed pairs of neighbouring words
- `O1` (3 width + wide, hidden), `o1`, `O2` (hidden, 3), `o2`: sentiment of the post
- `U` (width, narrow), `D` (2 FARTHEST + 1, narrow): words around a target, and their distance from it
- `KT` (3 narrow, 2 narrow), `kT`, `gT`, `hT`: a convolution of these, and its normalisation
- `A` (narrow, 2): two attentions over the words around a target
- `T1` (width + 3 narrow + 3 width + wide, hidden), `t1`, `T2` (hidden, 3), `t2`: sentiment towards a target
- `N1` (width + wide, tags), `n1`, `tr` (tags, tags): scores of tags, and of one tag after another
- `temperature` (2), `lean` (3): calibration, see `Network.temperatures` and `Network.lean`
"""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from nlp.words import word

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

ASSET = Path(str(files("nlp").joinpath("assets/network.npz")))
TAGS = ("O", *(f"{b}-{e}" for e in ("PERSON", "ORG", "LOCATION", "PRODUCT", "GROUP", "WORK") for b in "BI"))
MAX_CACHED = 100_000
"""most words in the cache; it is emptied when there are more"""
BIGRAMS = 1 << 16
"""rows of the table that pairs of words are hashed into"""
FARTHEST = 8
"""largest distance from a target, in words, that has a vector of its own"""
AROUND = 72
"""words before and after a target that are read for it"""
TARGETS_AT_ONCE = 256
"""targets computed at a time, which bounds memory"""
NEVER = -1e4
"""score of an impossible tag or transition"""


class TokenSpan(NamedTuple):
    """Words `start` up to `end` (excluded) of the post with index `post` in a batch."""

    post: int
    start: int
    end: int


class Network:
    """The forward pass. Not thread-safe."""

    def __init__(self, weights: Mapping[str, npt.NDArray[np.generic]]) -> None:
        words = bytes(weights["words"].tobytes()).decode().split("\n")
        self._index = {known: row for row, known in enumerate(words, start=1)}
        self._tables = {
            name: (weights[name], np.asarray(weights[f"{name}_scale"], dtype=np.float64))
            for name in ("V", "P", "S", "Sh", "G")
        }
        self._w = {
            name: np.ascontiguousarray(value, dtype=np.float64)
            for name, value in weights.items()
            if name != "words" and name.removesuffix("_scale") not in self._tables
        }
        self.depth = sum(name.startswith("kb") for name in self._w)
        self.width = self._w["W0"].shape[1]
        self._transitions = self._w["tr"] + _forbidden()
        self._ids: dict[str, int] = {}
        self._wide = self._w["W0"].shape[0]
        # The cache, a row per word: vector (wide) | first encoder layer (width) | part of tag scores (tags).
        self._rows = np.zeros((1024, self._wide + self.width + len(TAGS)), dtype=np.float32)
        self._hashes = np.zeros(1024, dtype=np.int64)

    @property
    def temperatures(self) -> list[float]:
        """Divisors of the logits of the post, and of those towards a target."""
        return [round(float(t), 2) for t in self._w["temperature"]]

    @property
    def lean(self) -> float:
        """Constant added to the logit of neutral towards a target."""
        return round(float(self._w["lean"][1]), 2)

    # --- words

    def word_ids(self, words: Sequence[str]) -> Ints:
        """Return the cache row of each word. Valid until `trim_cache` empties the cache."""
        ids = self._ids
        missing = [text for text in words if text not in ids]
        if missing:
            for text in dict.fromkeys(missing):
                self._add_word(text)
        return np.fromiter(map(ids.__getitem__, words), dtype=np.int64, count=len(words))

    def rank(self, text: str) -> float:
        """Return the rank of a word in the vocabulary: 1 is the most frequent, infinity an unknown word."""
        return max(self._index.get(part, math.inf) for part in word(text).parts)

    def trim_cache(self) -> None:
        """Empty the cache if it is too large. Call it between batches: it invalidates all word ids."""
        if len(self._ids) > MAX_CACHED:
            self._ids.clear()

    def _add_word(self, text: str) -> None:
        row = len(self._ids)
        if row == len(self._hashes):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
            self._hashes = np.concatenate([self._hashes, np.zeros_like(self._hashes)])
        features = word(text)
        indices = [self._index.get(part, 0) for part in features.parts]
        vector = self._mean("V", indices) if indices[0] else self._mean("G", features.grams)
        vector = vector + self._mean("P", [features.prefix]) + self._mean("S", [features.suffix])
        vector = vector + self._mean("Sh", [features.shape])
        vector = vector + np.asarray(features.marks, dtype=float) @ self._w["F"]
        vector = _normalised(vector[None], self._w["lg"], self._w["lb"])[0]
        first = np.maximum(vector @ self._w["W0"] + self._w["b0"], 0)
        self._rows[row] = np.concatenate([vector, first, vector @ self._w["N1"][self.width :]])
        self._hashes[row] = features.hash
        self._ids[text] = row

    def _mean(self, table: str, rows: Sequence[int]) -> Floats:
        quantised, scale = self._tables[table]
        rows = list(rows)
        mean: Floats = (quantised[rows].astype(float) * scale[rows, None]).mean(axis=0)
        return mean

    # --- the encoder

    def encode(self, posts: Sequence[Ints]) -> list[Floats]:
        """Return an array (words x width) for each post, given the word ids of each."""
        lengths = [len(ids) for ids in posts]
        # All posts in one array, with an empty row before and after each: a convolution must not see
        # the neighbouring post.
        total = sum(lengths) + len(posts) + 1
        x = np.zeros((total, self.width))
        inside = np.zeros((total, 1))  # 1 for a word, 0 for an empty row
        starts = []
        at = 1
        for ids, length in zip(posts, lengths, strict=True):
            x[at : at + length] = self._rows[ids, self._wide : self._wide + self.width]
            inside[at : at + length] = 1
            starts.append(at)
            at += length + 1
        for layer in range(self.depth):
            windows = np.zeros((total, 3 * self.width))  # word before | word | word after
            windows[1:, : self.width] = x[:-1]
            windows[:, self.width : 2 * self.width] = x
            windows[:-1, 2 * self.width :] = x[1:]
            y = windows @ self._w[f"K{layer}"] + self._w[f"kb{layer}"]  # (total, 2 width)
            x = x + np.maximum(y[:, : self.width], y[:, self.width :])  # maxout, and a residual connection
            x = _normalised(x, self._w[f"g{layer}"], self._w[f"h{layer}"]) * inside
        return [x[at : at + length] for at, length in zip(starts, lengths, strict=True)]

    # --- entities

    def tags(self, posts: Sequence[Ints], encoded: Sequence[Floats]) -> list[list[int]]:
        """Return the best sequence of indices into `TAGS` for each post (Viterbi 1967).

        An I- tag never occurs without its B- tag.
        """
        found: list[list[int]] = [[] for _ in posts]
        # Longest first: at each step, the posts that still have words are a prefix of the columns.
        order = [n for n in sorted(range(len(posts)), key=lambda n: -len(posts[n])) if len(posts[n])]
        if not order:
            return found
        scores = self._tag_scores([posts[n] for n in order], [encoded[n] for n in order])
        longest = len(scores)
        lengths = np.array([len(posts[n]) for n in order])
        best = scores[0] + np.array([NEVER if tag[0] == "I" else 0 for tag in TAGS])  # (posts, tags)
        back = np.zeros((longest, len(order), len(TAGS)), dtype=np.int8)  # best tag before each tag
        for step in range(1, longest):
            going = int(np.searchsorted(-lengths, -step, side="left"))  # posts with more than `step` words
            paths = best[:going, :, None] + self._transitions  # (going, tag before, tag)
            back[step, :going] = paths.argmax(axis=1)
            best[:going] = paths.max(axis=1) + scores[step, :going]
        last = best.argmax(axis=1)
        for column, n in enumerate(order):
            tag = int(last[column])
            path = [tag]
            for step in range(len(posts[n]) - 1, 0, -1):
                tag = int(back[step, column, tag])
                path.append(tag)
            found[n] = path[::-1]
        return found

    def _tag_scores(self, posts: Sequence[Ints], encoded: Sequence[Floats]) -> Floats:
        """Return scores (longest post x posts x tags), 0 past the end of a post. Posts come longest first."""
        scores = np.zeros((len(posts[0]), len(posts), len(TAGS)))
        flat = np.concatenate(encoded) @ self._w["N1"][: self.width] + self._w["n1"]  # (words, tags)
        flat += self._rows[np.concatenate(posts), self._wide + self.width :]
        at = 0
        for column, ids in enumerate(posts):
            scores[: len(ids), column] = flat[at : at + len(ids)]
            at += len(ids)
        return scores

    # --- sentiment

    def sentiment(
        self, posts: Sequence[Ints], encoded: Sequence[Floats], targets: Sequence[TokenSpan]
    ) -> tuple[Floats, Floats]:
        """Return probabilities (posts x 3) of the posts and (targets x 3) towards the targets.

        Columns are positive, neutral, negative. Every post must have a word, and every target must lie
        inside its post.
        """
        # From here on all posts are in one array, `words` rows long: post n begins at row starts[n].
        lengths = np.array([len(ids) for ids in posts])
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        x = np.concatenate(encoded)  # (words, width)
        ids = np.concatenate(posts)  # (words,)
        vectors = self._rows[ids, : self._wide].astype(float)  # (words, wide)
        pooled = self._pool(x, vectors, starts, lengths)
        hidden = np.maximum(pooled @ self._w["O1"] + self._w["o1"], 0)
        whole = hidden @ self._w["O2"] + self._w["o2"] + self._pair_logits(ids, starts)
        towards = self._target_logits(x, pooled, starts, lengths, targets)
        towards = towards + self._w["lean"]
        return _softmax(whole / self._w["temperature"][0]), _softmax(towards / self._w["temperature"][1])

    def _pool(self, x: Floats, vectors: Floats, starts: Ints, lengths: Ints) -> Floats:
        """Return one row per post (posts x 3 width + wide): mean, maximum, attention, mean word vector."""
        attention = _softmax_of_parts(x @ self._w["att"], starts, lengths)
        return np.concatenate(
            [
                np.add.reduceat(x, starts) / lengths[:, None],
                np.maximum.reduceat(x, starts),
                np.add.reduceat(x * attention[:, None], starts),
                np.add.reduceat(vectors, starts) / lengths[:, None],
            ],
            axis=1,
        )

    def _pair_logits(self, ids: Ints, starts: Ints) -> Floats:
        """Return the sum (posts x 3) of the logits of all pairs of neighbouring words."""
        hashes = self._hashes[ids]
        pairs = np.zeros((len(ids), 3))
        pairs[1:] = self._w["B"][(hashes[:-1] * 1_000_003 + hashes[1:]) % BIGRAMS]
        pairs[starts] = 0  # the first word of a post has no word before it
        return np.add.reduceat(pairs, starts)

    def _target_logits(
        self, x: Floats, pooled: Floats, starts: Ints, lengths: Ints, targets: Sequence[TokenSpan]
    ) -> Floats:
        """Return logits (targets x 3)."""
        parts = [
            self._logits_of_some(x, pooled, starts, lengths, targets[n : n + TARGETS_AT_ONCE])
            for n in range(0, len(targets), TARGETS_AT_ONCE)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, 3))

    def _logits_of_some(
        self, x: Floats, pooled: Floats, starts: Ints, lengths: Ints, targets: Sequence[TokenSpan]
    ) -> Floats:
        """Return logits (targets x 3) of few enough targets for one array of their windows."""
        post = np.array([target.post for target in targets])
        first = np.array([target.start for target in targets])
        last = np.array([target.end - 1 for target in targets])
        # A target is read with the words around it only: a long text that names a brand everywhere
        # must not cost the square of its length.
        left = np.maximum(first - AROUND, 0)
        own = np.minimum(last + AROUND + 1, lengths[post]) - left  # words read for each target
        # All windows in one array of own.sum() rows: the window of target t begins at row begins[t].
        begins = np.concatenate([[0], np.cumsum(own)[:-1]])
        position = np.arange(own.sum()) - np.repeat(begins - left, own)  # index of the word in its post
        before, after = position - np.repeat(first, own), position - np.repeat(last, own)
        distance = np.where(before < 0, before, np.maximum(after, 0))  # 0 inside the target
        rows = np.repeat(starts[post], own) + position  # index of the word in x
        at = (distance == 0).astype(float)[:, None]
        target = np.add.reduceat(x[rows] * at, begins) / np.add.reduceat(at, begins)  # (targets, width)
        # The words once more, each with its distance from the target.
        clipped = np.clip(distance, -FARTHEST, FARTHEST) + FARTHEST
        z = (x @ self._w["U"])[rows] + self._w["D"][clipped]  # (rows, narrow)
        narrow = z.shape[1]
        windows = np.zeros((len(z), 3 * narrow))  # as in `encode`, cut where a target's words begin and end
        windows[1:, :narrow] = z[:-1]
        windows[begins, :narrow] = 0
        windows[:, narrow : 2 * narrow] = z
        windows[:-1, 2 * narrow :] = z[1:]
        windows[begins[1:] - 1, 2 * narrow :] = 0
        y = windows @ self._w["KT"] + self._w["kT"]
        z = _normalised(z + np.maximum(y[:, :narrow], y[:, narrow:]), self._w["gT"], self._w["hT"])
        attention = z @ self._w["A"]  # (rows, 2)
        features = np.concatenate(
            [
                target,
                *(
                    np.add.reduceat(z * _softmax_of_parts(head, begins, own)[:, None], begins)
                    for head in attention.T
                ),
                np.maximum.reduceat(z, begins),
                pooled[post],
            ],
            axis=1,
        )
        hidden = np.maximum(features @ self._w["T1"] + self._w["t1"], 0)
        logits: Floats = hidden @ self._w["T2"] + self._w["t2"]
        return logits


@cache
def network() -> Network:
    """Return the network that ships with the package. It is loaded once per process."""
    with np.load(ASSET) as weights:
        return Network(weights)


def _normalised(x: Floats, gain: Floats, bias: Floats) -> Floats:
    """Normalise each row (layer normalisation, Ba, Kiros and Hinton 2016)."""
    x = x - x.mean(axis=1, keepdims=True)
    variance = np.einsum("ij,ij->i", x, x)[:, None] / x.shape[1]
    normalised: Floats = x / np.sqrt(variance + 1e-5) * gain + bias
    return normalised


def _softmax(logits: Floats) -> Floats:
    if not len(logits):
        return logits
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Floats = weights / weights.sum(axis=1, keepdims=True)
    return shares


def _softmax_of_parts(scores: Floats, starts: Ints, lengths: Ints) -> Floats:
    """Return a softmax within each part of a flat array of scores. Part n begins at starts[n]."""
    weights = np.exp(scores - np.repeat(np.maximum.reduceat(scores, starts), lengths))
    shares: Floats = weights / np.repeat(np.add.reduceat(weights, starts), lengths)
    return shares


def _forbidden() -> Floats:
    """Return scores (tags x tags) that allow an I- tag only after a B- or I- tag of the same label."""
    return np.array(
        [[NEVER if b[0] == "I" and a[1:] != b[1:] else 0 for b in TAGS] for a in TAGS], dtype=np.float64
    )
