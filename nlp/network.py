"""The trained network, run with NumPy alone: words to vectors, vectors to entities and opinions.

One convolutional encoder reads a post; the heads for entities, for the opinion of the whole post and
for the opinion towards a place in it listen to the same vectors. `nlp.training` trains the same
architecture, writes `assets/network.npz`, and checks before that the two say the same.

Everything that depends on a word alone is worked out once and kept: what is left for a post is one
look-up a word, the convolutions, and pooling.

What is left is worked out in double precision. The order of a sum depends on how many posts are read at a
time, so in single precision a post's probabilities would differ in the seventh decimal from batch to batch,
and now and then in the fourth, the last that is kept: a post that is read again must say the same.
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
MAX_KNOWN = 100_000
"""word types that are kept; then the memory starts anew"""
BIGRAMS = 1 << 16
"""rows of the table that pairs of words are hashed into"""
FARTHEST = 8
"""distances from a target are told apart up to this many words"""
AROUND, MANY = 72, 256
"""words before and behind a target that are read for it; targets that are worked out at a time"""
NEVER = -1e4


class Place(NamedTuple):
    """Words `start` up to `end` of the post `post` of a batch."""

    post: int
    start: int
    end: int


class Network:
    """The forward pass. Not for several threads at once; not for training."""

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
        self._known: dict[str, int] = {}
        self._wide = self._w["W0"].shape[0]
        # Of each word: its vector | the encoder's first layer | its share of the tag scores.
        self._rows = np.zeros((1024, self._wide + self.width + len(TAGS)), dtype=np.float32)
        self._hashes = np.zeros(1024, dtype=np.int64)

    @property
    def temperatures(self) -> list[float]:
        """Of the opinion of a post, and towards a place."""
        return [round(float(t), 2) for t in self._w["temperature"]]

    @property
    def lean(self) -> float:
        """What is added to the logit of neutral towards a place."""
        return round(float(self._w["lean"][1]), 2)

    # --- words

    def types(self, words: Sequence[str]) -> Ints:
        """A number for each word, good until `forget` is called."""
        known = self._known
        missing = [text for text in words if text not in known]
        if missing:
            for text in dict.fromkeys(missing):
                self._learn(text)
        return np.fromiter(map(known.__getitem__, words), dtype=np.int64, count=len(words))

    def rank(self, text: str) -> float:
        """The place of a word in the vocabulary, 1 for the most frequent; infinite for one it has not met."""
        return max(self._index.get(part, math.inf) for part in word(text).parts)

    def forget_if_many(self) -> None:
        """Between batches: a process that lives for weeks must not keep every word it met."""
        if len(self._known) > MAX_KNOWN:
            self._known.clear()

    def _learn(self, text: str) -> None:
        row = len(self._known)
        if row == len(self._hashes):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
            self._hashes = np.concatenate([self._hashes, np.zeros_like(self._hashes)])
        seen = word(text)
        indices = [self._index.get(part, 0) for part in seen.parts]
        vector = self._mean("V", indices) if indices[0] else self._mean("G", seen.grams)
        vector = vector + self._mean("P", [seen.prefix]) + self._mean("S", [seen.suffix])
        vector = vector + self._mean("Sh", [seen.shape])
        vector = vector + np.asarray(seen.marks, dtype=float) @ self._w["F"]
        vector = _normalised(vector[None], self._w["lg"], self._w["lb"])[0]
        first = np.maximum(vector @ self._w["W0"] + self._w["b0"], 0)
        self._rows[row] = np.concatenate([vector, first, vector @ self._w["N1"][self.width :]])
        self._hashes[row] = seen.hash
        self._known[text] = row

    def _mean(self, table: str, rows: Sequence[int]) -> Floats:
        quantised, scale = self._tables[table]
        rows = list(rows)
        mean: Floats = (quantised[rows].astype(float) * scale[rows, None]).mean(axis=0)
        return mean

    # --- the encoder

    def encode(self, posts: Sequence[Ints]) -> list[Floats]:
        """For each post a vector of `width` numbers for each of its words."""
        lengths = [len(types) for types in posts]
        # One empty row before and behind every post: a convolution never looks into the neighbour.
        total = sum(lengths) + len(posts) + 1
        x = np.zeros((total, self.width))
        inside = np.zeros((total, 1))
        starts = []
        at = 1
        for types, length in zip(posts, lengths, strict=True):
            x[at : at + length] = self._rows[types, self._wide : self._wide + self.width]
            inside[at : at + length] = 1
            starts.append(at)
            at += length + 1
        for layer in range(self.depth):
            windows = np.zeros((total, 3 * self.width))
            windows[1:, : self.width] = x[:-1]
            windows[:, self.width : 2 * self.width] = x
            windows[:-1, 2 * self.width :] = x[1:]
            y = windows @ self._w[f"K{layer}"] + self._w[f"kb{layer}"]
            x = x + np.maximum(y[:, : self.width], y[:, self.width :])
            x = _normalised(x, self._w[f"g{layer}"], self._w[f"h{layer}"]) * inside
        return [x[at : at + length] for at, length in zip(starts, lengths, strict=True)]

    # --- entities

    def tags(self, posts: Sequence[Ints], encoded: Sequence[Floats]) -> list[list[int]]:
        """The best sequence of `TAGS` for each post (Viterbi 1967): no I- without its B-."""
        order = sorted(range(len(posts)), key=lambda n: -len(posts[n]))
        found: list[list[int]] = [[] for _ in posts]
        order = [n for n in order if len(posts[n])]
        if not order:
            return found
        own = self._w["N1"][: self.width]
        longest = len(posts[order[0]])
        scores = np.zeros((longest, len(order), len(TAGS)))
        flat = np.concatenate([encoded[n] for n in order]) @ own + self._w["n1"]
        flat += self._rows[np.concatenate([posts[n] for n in order]), self._wide + self.width :]
        at = 0
        for column, n in enumerate(order):
            scores[: len(posts[n]), column] = flat[at : at + len(posts[n])]
            at += len(posts[n])
        lengths = np.array([len(posts[n]) for n in order])
        best = scores[0] + np.array([NEVER if tag[0] == "I" else 0 for tag in TAGS])
        back = np.zeros((longest, len(order), len(TAGS)), dtype=np.int8)
        for step in range(1, longest):
            going = int(np.searchsorted(-lengths, -step, side="left"))
            paths = best[:going, :, None] + self._transitions
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

    # --- opinions

    def opinions(
        self, posts: Sequence[Ints], encoded: Sequence[Floats], places: Sequence[Place]
    ) -> tuple[Floats, Floats]:
        """Probabilities of positive, neutral, negative: of each post, and towards each place.

        Every post has a word, every place is inside of its post.
        """
        lengths = np.array([len(types) for types in posts])
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        x = np.concatenate(encoded)
        types = np.concatenate(posts)
        words = self._rows[types, : self._wide].astype(float)
        pooled = self._pool(x, words, starts, lengths)
        hidden = np.maximum(pooled @ self._w["O1"] + self._w["o1"], 0)
        whole = hidden @ self._w["O2"] + self._w["o2"] + self._pairs(types, starts)
        towards = self._towards(x, pooled, starts, lengths, places)
        towards = towards + self._w["lean"]
        return _softmax(whole / self._w["temperature"][0]), _softmax(towards / self._w["temperature"][1])

    def _pool(self, x: Floats, words: Floats, starts: Ints, lengths: Ints) -> Floats:
        attention = _softmax_of_parts(x @ self._w["att"], starts, lengths)
        return np.concatenate(
            [
                np.add.reduceat(x, starts) / lengths[:, None],
                np.maximum.reduceat(x, starts),
                np.add.reduceat(x * attention[:, None], starts),
                np.add.reduceat(words, starts) / lengths[:, None],
            ],
            axis=1,
        )

    def _pairs(self, types: Ints, starts: Ints) -> Floats:
        """The sum over neighbouring words of what the pair says."""
        hashes = self._hashes[types]
        pairs = np.zeros((len(types), 3))
        pairs[1:] = self._w["B"][(hashes[:-1] * 1_000_003 + hashes[1:]) % BIGRAMS]
        pairs[starts] = 0
        return np.add.reduceat(pairs, starts)

    def _towards(
        self, x: Floats, pooled: Floats, starts: Ints, lengths: Ints, places: Sequence[Place]
    ) -> Floats:
        parts = [
            self._towards_some(x, pooled, starts, lengths, places[n : n + MANY])
            for n in range(0, len(places), MANY)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, 3))

    def _towards_some(
        self, x: Floats, pooled: Floats, starts: Ints, lengths: Ints, places: Sequence[Place]
    ) -> Floats:
        post = np.array([place.post for place in places])
        first = np.array([place.start for place in places])
        last = np.array([place.end - 1 for place in places])
        # What is read for a place: the words around it, not all of a text that names a brand everywhere.
        left = np.maximum(first - AROUND, 0)
        own = np.minimum(last + AROUND + 1, lengths[post]) - left
        begins = np.concatenate([[0], np.cumsum(own)[:-1]])
        position = np.arange(own.sum()) - np.repeat(begins - left, own)
        before, behind = position - np.repeat(first, own), position - np.repeat(last, own)
        distance = np.where(before < 0, before, np.maximum(behind, 0))
        rows = np.repeat(starts[post], own) + position
        at = (distance == 0).astype(float)[:, None]
        target = np.add.reduceat(x[rows] * at, begins) / np.add.reduceat(at, begins)
        # Each word once more, now that it is known where it stands from the target.
        told_apart = np.clip(distance, -FARTHEST, FARTHEST) + FARTHEST
        z = (x @ self._w["U"])[rows] + self._w["D"][told_apart]
        narrow = z.shape[1]
        windows = np.zeros((len(z), 3 * narrow))
        windows[1:, :narrow] = z[:-1]
        windows[begins, :narrow] = 0
        windows[:, narrow : 2 * narrow] = z
        windows[:-1, 2 * narrow :] = z[1:]
        windows[begins[1:] - 1, 2 * narrow :] = 0
        y = windows @ self._w["KT"] + self._w["kT"]
        z = _normalised(z + np.maximum(y[:, :narrow], y[:, narrow:]), self._w["gT"], self._w["hT"])
        scores = z @ self._w["A"]
        features = np.concatenate(
            [
                target,
                *(
                    np.add.reduceat(z * _softmax_of_parts(head, begins, own)[:, None], begins)
                    for head in scores.T
                ),
                np.maximum.reduceat(z, begins),
                pooled[post],
            ],
            axis=1,
        )
        hidden = np.maximum(features @ self._w["T1"] + self._w["t1"], 0)
        scores_of: Floats = hidden @ self._w["T2"] + self._w["t2"]
        return scores_of


@cache
def network() -> Network:
    """The network that ships with the package; loaded once a process."""
    with np.load(ASSET) as weights:
        return Network(weights)


def _normalised(x: Floats, gain: Floats, bias: Floats) -> Floats:
    """Layer normalisation (Ba, Kiros and Hinton 2016)."""
    x = x - x.mean(axis=1, keepdims=True)
    variance = np.einsum("ij,ij->i", x, x)[:, None] / x.shape[1]
    normalised: Floats = x / np.sqrt(variance + 1e-5) * gain + bias
    return normalised


def _softmax(scores: Floats) -> Floats:
    if not len(scores):
        return scores
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Floats = weights / weights.sum(axis=1, keepdims=True)
    return shares


def _softmax_of_parts(scores: Floats, starts: Ints, lengths: Ints) -> Floats:
    """A softmax within each part of a flat row of scores."""
    weights = np.exp(scores - np.repeat(np.maximum.reduceat(scores, starts), lengths))
    shares: Floats = weights / np.repeat(np.add.reduceat(weights, starts), lengths)
    return shares


def _forbidden() -> Floats:
    """No I- behind anything but a B- or I- of the same label."""
    return np.array(
        [[NEVER if b[0] == "I" and a[1:] != b[1:] else 0 for b in TAGS] for a in TAGS], dtype=np.float64
    )
