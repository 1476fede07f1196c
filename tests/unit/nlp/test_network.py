"""The forward pass, beside slow ways to say the same."""

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


def test_a_post_says_the_same_in_any_company(net: Network) -> None:
    """Probabilities agree far beyond the decimals that are kept, alone and among others, in any order."""
    posts = [net.word_ids(words) for words in POSTS]
    places = [TokenSpan(n, 0, 1) for n in range(len(posts))]
    alone = [net.sentiment([post], net.encode([post]), [TokenSpan(0, 0, 1)]) for post in posts]
    for order in itertools.permutations(range(len(posts))):
        company = [posts[n] for n in order]
        whole, towards = net.sentiment(company, net.encode(company), places)
        for at, n in enumerate(order):
            assert np.allclose(alone[n][0], whole[at], rtol=0, atol=1e-12)
            assert np.allclose(alone[n][1], towards[at], rtol=0, atol=1e-12)


def test_the_best_path_is_the_best_of_all_paths(net: Network) -> None:
    """Tags of short posts have the highest score of every sequence there is, and no I- is without its B-."""
    w = net._w

    def total(path: tuple[int, ...], scores: Floats) -> float:
        own = sum(scores[at, tag] for at, tag in enumerate(path)) + NEVER * (TAGS[path[0]][0] == "I")
        for a, b in itertools.pairwise(path):
            own += w["tr"][a, b] + NEVER * (TAGS[b][0] == "I" and TAGS[a][1:] != TAGS[b][1:])
        return float(own)

    for text in ("Tokyo is nice", "my Air Max", "@united", "Ed Sheeran"):
        post = net.word_ids(text.split())
        encoded = net.encode([post])
        (said,) = net.tags([post], encoded)
        scores = encoded[0] @ w["N1"][: net.width] + w["n1"] + net._rows[post, net._wide + net.width :]
        paths = itertools.product(range(len(TAGS)), repeat=len(post))
        best = max(paths, key=partial(total, scores=scores))
        assert tuple(said) == best
        assert total(best, scores) > NEVER / 2


def test_what_is_far_from_a_place_is_read_with_the_whole_post_only(net: Network) -> None:
    """A target's own part of the opinion does not look further than so many words."""
    filler = ["the"] * (2 * AROUND)
    posts = [net.word_ids([word, *filler, "Nike"]) for word in ("great", "awful")]
    at = len(filler) + 1
    encoded = net.encode(posts)
    x, lengths = np.concatenate(encoded), np.array([len(post) for post in posts])
    starts = np.array([0, lengths[0]])
    same = np.zeros((2, net._w["O1"].shape[0]))
    said = net._target_logits(x, same, starts, lengths, [TokenSpan(0, at, at + 1), TokenSpan(1, at, at + 1)])
    assert np.allclose(said[0], said[1], rtol=0, atol=1e-12)


def test_many_places_are_each_worked_out_as_if_alone(net: Network) -> None:
    """However many places are asked about, each gets the opinion it would get alone."""
    posts = [net.word_ids((words * 40)[:400]) for words in POSTS]
    encoded = net.encode(posts)
    places = [TokenSpan(n, at, at + 1) for n, post in enumerate(posts) for at in range(0, len(post), 3)]
    _, together = net.sentiment(posts, encoded, places)
    for at in range(0, len(places), 37):
        _, alone = net.sentiment(posts, encoded, [places[at]])
        assert np.allclose(alone[0], together[at], rtol=0, atol=1e-12)
