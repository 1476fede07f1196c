"""A small world of own sentences: it is what it says, and most of those who are found are true fans."""

import random

import pytest

from tests.judge import judging, texts, world
from tests.judge.world import World

SEED = 5
AUTHORS = 260


@pytest.fixture(scope="module")
def small() -> World:
    """A world without corpora."""
    return world.build(SEED, texts.own(), authors=AUTHORS)


@pytest.fixture(scope="module")
def reader(small: World) -> judging.Reader:
    """The pipeline, which reads each record of that world once."""
    return judging.Reader(small)


def test_a_seed_is_a_world(small: World) -> None:
    """The same seed gives the same bytes, another one others."""
    again = world.build(SEED, texts.own(), authors=AUTHORS)
    assert again.posts == small.posts
    assert again.customers == small.customers
    assert again.truth == small.truth
    assert world.build(SEED + 1, texts.own(), authors=AUTHORS).posts != small.posts


def test_every_record_of_the_world_is_usable(small: World, reader: judging.Reader) -> None:
    """The text pipeline refuses no post, and each author it counts has a truth."""
    keys = set(judging.texts_by_key(small, reader))
    assert keys == set(small.truth)


def test_the_board_is_mostly_true_fans(small: World, reader: judging.Reader) -> None:
    """Whoever is flagged in the end is a fan, by and large."""
    board = judging.board(judging.last_day(small, reader))
    right = sum(small.truth[candidate.key].worth for candidate in board)
    assert len(board) >= 5
    assert right >= 0.6 * len(board)


def test_no_order_changes_what_is_found(small: World, reader: judging.Reader) -> None:
    """Shuffled, twice over, in parts, and with the customers in between: profiles and candidates are
    the same, but for their revision."""
    rng = random.Random(SEED)
    posts = judging.recent(small)
    straight = judging.outputs(small, reader, posts)
    for _ in range(2):
        parts = [rng.sample(posts[part::3], len(posts[part::3])) for part in range(3)]
        twice = rng.sample(posts, len(posts) // 4)
        mixed = [value for part in (*parts, twice) for value in part]
        assert judging.outputs(small, reader, mixed, facts_after=rng.random()) == straight
