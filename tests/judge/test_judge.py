"""The simulator, and the core on a small world without corpora."""

import ast
import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.times import iso_day
from streams.offline import backtest
from tests.judge import judging, texts, world
from tests.judge.people import DAY_S
from tests.judge.world import World

SEED = 5
AUTHORS = 260


@pytest.fixture(scope="module")
def small() -> World:
    """A small world without corpora."""
    return world.build(SEED, texts.own(), authors=AUTHORS)


@pytest.fixture(scope="module")
def reader(small: World) -> judging.Reader:
    """The enricher of that world, with its cache."""
    return judging.Reader(small)


def test_the_simulator_imports_nothing_that_judges() -> None:
    """The simulator imports schemas, settings and corpora, but no rule, table or formula of the scorer."""
    allowed = {"models.brand", "models.post", "streams.settings", "nlp.training", "nlp.training.corpora"}
    for name in ("people", "world", "phrases", "texts"):
        tree = ast.parse(Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8"))
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        imported |= {
            alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
        }
        ours = {
            module for module in imported if module and module.split(".")[0] in {"models", "nlp", "streams"}
        }
        assert ours <= allowed, name


def test_a_seed_is_a_world(small: World) -> None:
    """The same seed gives the same bytes, and another seed gives others."""
    again = world.build(SEED, texts.own(), authors=AUTHORS)
    assert again.posts == small.posts
    assert again.customers == small.customers
    assert again.truth == small.truth
    assert world.build(SEED + 1, texts.own(), authors=AUTHORS).posts != small.posts


def test_every_record_of_the_world_is_usable(small: World, reader: judging.Reader) -> None:
    """No post is rejected, and the truth of every author in the results is known."""
    keys = set(judging.texts_by_key(small, reader))
    assert keys == set(small.truth)


def test_the_board_is_mostly_true_fans(small: World, reader: judging.Reader) -> None:
    """At least 60 % of the candidates on the last day are true fans."""
    board = judging.board(judging.last_day(small, reader))
    right = sum(small.truth[candidate.key].worth for candidate in board)
    assert len(board) >= 5
    assert right >= 0.6 * len(board)


def test_facts_in_between_change_nothing(small: World, reader: judging.Reader) -> None:
    """Customers and feedback in the middle of shuffled posts give the same records, revisions aside."""
    rng = random.Random(SEED)
    posts = [value for _, value in small.posts]
    straight = judging.outputs(small, reader, posts)
    mixed = rng.sample(posts, len(posts))
    assert judging.outputs(small, reader, mixed, facts_after=rng.random()) == straight


def backtested(
    world: World,
    folder: Path,
    *,
    posts: Sequence[Sequence[bytes]],
    customers: Sequence[bytes],
    feedback: Sequence[bytes],
) -> list[bytes]:
    """Return the records of `superfan backtest` for these files of posts, with revisions set to 0.

    The window covers the whole world.
    """
    parts = [_written(folder / f"posts-{part}.jsonl", lines) for part, lines in enumerate(posts)]
    counts = backtest.run(
        world.settings.model_copy(update={"window": judging.WHOLE}),
        posts=parts,
        customers=_written(folder / "customers.jsonl", customers),
        feedback=_written(folder / "feedback.jsonl", feedback),
        tick=iso_day(judging.END // DAY_S),
        out=folder,
    )
    assert (counts.late, counts.dead_letters) == (0, 0), "the comparison would miss posts"
    found = [folder / f"{name}.jsonl" for name in ("profiles", "candidates")]
    records = [json.loads(line) for file in found for line in file.read_bytes().splitlines()]
    return [json.dumps(record | {"revision": 0}).encode() for record in records]


def _written(file: Path, lines: Sequence[bytes]) -> Path:
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    return file


@pytest.fixture(scope="module")
def straight(small: World, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The records when every post arrives once and in order."""
    posts = list(dict.fromkeys(value for _, value in small.posts))
    feedback = [value for _, value in small.feedback]
    folder = tmp_path_factory.mktemp("straight")
    return backtested(small, folder, posts=[posts], customers=small.customers, feedback=feedback)


@settings(deadline=None, max_examples=3)
@given(seed=st.integers(0, 2**32), parts=st.integers(2, 5))
def test_shuffled_doubled_and_split_input_gives_the_same_bytes(
    small: World, straight: list[bytes], tmp_path_factory: pytest.TempPathFactory, seed: int, parts: int
) -> None:
    """Profiles and candidates do not depend on order, duplicates or split files, revisions aside."""
    rng = random.Random(seed)
    sent = [value for _, value in small.posts]
    sent += rng.sample(sent, len(sent) // 4)
    rng.shuffle(sent)
    mixed = backtested(
        small,
        tmp_path_factory.mktemp("mixed"),
        posts=[sent[part::parts] for part in range(parts)],
        customers=rng.sample(small.customers, len(small.customers)),
        feedback=rng.sample([value for _, value in small.feedback] * 2, 2 * len(small.feedback)),
    )
    assert mixed == straight
