"""States that release 0.1.0 stored are read, and lead to the same records."""

import json
from pathlib import Path
from typing import Any

import pytest

from models.author import AuthorState
from models.codec import Codec, version_of
from models.events import Event, Position, Tick
from models.fold import Fold
from models.ring import TOMBSTONE
from models.times import DAY_MS
from tests.authors import AUTHOR, DAY_0, RULES, opinion, post

STORED: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("states_0_1_0.json").read_text(encoding="utf-8")
)
"""case -> the packed state, the states of its candidates, and what 0.1.0 made of the next three events"""
FIRST = DAY_0 // DAY_MS
NEXT: list[tuple[Event, Position]] = [
    # The first event is about the other brand: the records about Acme must not be published again.
    (post(900, 6, opinion("Bolt")), Position("enriched", 1000)),
    (Tick(FIRST + 7), Position("ticks", FIRST + 7)),
    (Tick(FIRST + 300), Position("ticks", FIRST + 300)),
]


@pytest.mark.parametrize("case", STORED)
def test_a_state_of_release_0_1_0_tells_the_state_of_its_candidates(case: str) -> None:
    """The state that 0.1.0 kept in the low bits of a digest is read into the ring's own field."""
    codec = Codec(AuthorState)
    state = codec.unpack(bytes.fromhex(STORED[case]["packed"]))
    again = codec.unpack(codec.pack(state))
    assert again == state
    assert version_of(codec.pack(state)) == version_of(bytes.fromhex(STORED[case]["packed"]))
    for held in (state, again):
        assert {brand: ring.state for brand, ring in held.rings.items()} == STORED[case]["states"]
        digests = [ring.published.candidate for ring in held.rings.values()]
        assert all(one <= TOMBSTONE or one & 0b1111 == 0b1000 for one in digests)


@pytest.mark.parametrize("case", STORED)
def test_the_next_events_have_the_outcome_that_they_had_in_release_0_1_0(case: str) -> None:
    """Judgements, records and tombstones after reading an old state are those that 0.1.0 published.

    Cards have other words since, so the first event may publish the card about the other brand once more.
    """
    folding, state = Fold(RULES), Codec(AuthorState).unpack(bytes.fromhex(STORED[case]["packed"]))
    for (event, position), expected in zip(NEXT, STORED[case]["next"], strict=True):
        outcome = folding.apply(AUTHOR, state, event, position)
        candidates = [candidate.key for candidate in outcome.candidates]
        if event is NEXT[0][0]:
            reworded = {f"Acme/{AUTHOR}"} - set(expected["candidates"])
            candidates = [key for key in candidates if key not in reworded]
        assert {
            "judged": [[*judgement[:-1], list(judgement.fired)] for judgement in outcome.judgements],
            "profiles": [profile.key for profile in outcome.profiles],
            "candidates": candidates,
            "profile_tombstones": outcome.profile_tombstones,
            "candidate_tombstones": outcome.candidate_tombstones,
        } == expected
