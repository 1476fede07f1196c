"""The forward pass, compared with slow and simple computations."""

import itertools
from functools import partial

import numpy as np
import pytest

from nlp.network import AROUND, NEVER, TAGS, Floats, Network, TokenSpan, network

POSTS = [
    text.split()
    for text in (
        "I love @JetBlue , but Delta is the worst !",
        "ok",
        "Packing for Tokyo with my new Air Max 😍 #travel",
        "word " * 200,
        "waiting on hold for 2 hours",
    )
]


@pytest.fixture(scope="module")
def net() -> Network:
    """The network that ships."""
    return network()


def test_a_batch_does_not_change_probabilities(net: Network) -> None:
    """A post gets the same probabilities, to 12 decimals, alone and in batches of any order."""
    posts = [net.word_ids(words) for words in POSTS]
    targets = [TokenSpan(n, 0, 1) for n in range(len(posts))]
    alone = [net.sentiment([post], net.encode([post]), [TokenSpan(0, 0, 1)]) for post in posts]
    for order in itertools.permutations(range(len(posts))):
        batch = [posts[n] for n in order]
        whole, towards = net.sentiment(batch, net.encode(batch), targets)
        for at, n in enumerate(order):
            assert np.allclose(alone[n][0], whole[at], rtol=0, atol=1e-12)
            assert np.allclose(alone[n][1], towards[at], rtol=0, atol=1e-12)


def test_the_best_path_is_the_best_of_all_paths(net: Network) -> None:
    """The tags of short posts score highest of all sequences, and no I- tag lacks its B- tag."""
    w = net._w

    def total(path: tuple[int, ...], scores: Floats) -> float:
        own = sum(scores[at, tag] for at, tag in enumerate(path)) + NEVER * (TAGS[path[0]][0] == "I")
        for a, b in itertools.pairwise(path):
            own += w["tr"][a, b] + NEVER * (TAGS[b][0] == "I" and TAGS[a][1:] != TAGS[b][1:])
        return float(own)

    for text in ("Tokyo is nice", "my Air Max", "@united", "Ed Sheeran"):
        post = net.word_ids(text.split())
        encoded = net.encode([post])
        (tags,) = net.tags([post], encoded)
        scores = encoded[0] @ w["N1"][: net.width] + w["n1"] + net._rows[post, net._wide + net.width :]
        paths = itertools.product(range(len(TAGS)), repeat=len(post))
        best = max(paths, key=partial(total, scores=scores))
        assert tuple(tags) == best
        assert total(best, scores) > NEVER / 2


def test_a_target_is_read_with_the_words_around_it_only(net: Network) -> None:
    """Words further away than `AROUND` affect a target only through the pooled post."""
    filler = ["the"] * (2 * AROUND)
    posts = [net.word_ids([word, *filler, "Nike"]) for word in ("great", "awful")]
    at = len(filler) + 1
    encoded = net.encode(posts)
    x, lengths = np.concatenate(encoded), np.array([len(post) for post in posts])
    starts = np.array([0, lengths[0]])
    same = np.zeros((2, net._w["O1"].shape[0]))
    logits = net._target_logits(
        x, same, starts, lengths, [TokenSpan(0, at, at + 1), TokenSpan(1, at, at + 1)]
    )
    assert np.allclose(logits[0], logits[1], rtol=0, atol=1e-12)


def test_many_targets_get_the_same_probabilities_as_alone(net: Network) -> None:
    """Each of many targets gets the probabilities that it gets alone."""
    posts = [net.word_ids((words * 40)[:400]) for words in POSTS]
    encoded = net.encode(posts)
    targets = [TokenSpan(n, at, at + 1) for n, post in enumerate(posts) for at in range(0, len(post), 3)]
    _, together = net.sentiment(posts, encoded, targets)
    for at in range(0, len(targets), 37):
        _, alone = net.sentiment(posts, encoded, [targets[at]])
        assert np.allclose(alone[0], together[at], rtol=0, atol=1e-12)
