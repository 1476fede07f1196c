"""Deletions, erasures and expiry where order could matter: small cases that chance rarely finds."""

import itertools

import pytest

from models.author import AuthorState
from models.events import Position, Tick
from models.facts import ErasureAsked
from models.fold import Fold
from models.ring import post_hash
from tests.authors import AUTHOR, DAY_0, RULES, deleted, fold, outputs, post
from tests.property.test_fold import outputs_of

DAY_MS = 86_400_000
FIRST = DAY_0 // DAY_MS


def test_the_days_a_deleted_post_moved_out_stay_out() -> None:
    """A post that came makes old days leave, whether its deletion came before or after it."""
    old, new = post(1, 0), post(2, 100)
    for events in ([old, new, deleted(new)], [old, deleted(new), new], [deleted(new), old, new]):
        assert outputs(events) == [], events


def test_a_deleted_post_stays_deleted() -> None:
    """No redelivery and no edit brings it back."""
    one = post(1, 3)
    edit = one._replace(edited_ms=one.ms + 5)
    for events in itertools.permutations([one, deleted(one), edit, one]):
        assert outputs(list(events)) == [], events


def test_an_edit_can_take_a_post_to_another_brand() -> None:
    """The edited text counts for the brand it names, no longer for the other, in any order."""
    from tests.authors import opinion

    one = post(1, 3, opinion("Acme"))
    edit = post(1, 3, opinion("Bolt", "negative"))._replace(edited_ms=one.ms + 5)
    for events in itertools.permutations([one, edit, one]):
        ((profile, _),) = outputs(list(events))
        assert (profile.brand, profile.windows["7d"].negative) == ("Bolt", 1)


@pytest.mark.parametrize("forever", [False, True])
def test_an_erasure_forgets_what_erased_posts_said_of_their_author(forever: bool) -> None:
    """Handle, followers and bot mark go with the posts they came from, in any order."""
    named = post(1, 0, handle="fan", followers=20_000, bot=True)
    nameless = post(2, 5, handle=None, followers=None)
    erasure = ErasureAsked(ms=DAY_0 + 3 * DAY_MS, forever=forever)
    for events in itertools.permutations([named, nameless, erasure]):
        state = fold(list(events))
        assert (state.handle, state.handles, state.followers, state.bot) == (None, {}, {}, None), events
        assert bool(outputs_of(state)) is not forever


def test_followers_of_an_old_post_are_forgotten_with_the_second_window() -> None:
    """After a tick, follower counts come from posts of two windows; counters, from one."""
    named = post(1, 0, followers=20_000)
    nameless = [post(n, 80 * (n - 1), handle=None, followers=None) for n in (2, 3)]
    for events in ([named, *nameless], [*nameless[:1], named, *nameless[1:]]):
        for tick, followers in ((179, 20_000), (180, None)):
            ((profile, _),) = outputs([*events, Tick(FIRST + tick)])
            assert (profile.followers, profile.windows["90d"].posts) == (followers, 2), events


def test_a_tick_between_two_posts_moves_none_out() -> None:
    """Days leave by the posts that come, not by the tick that came before them."""
    a, b, c, tick = post(1, 5), post(2, 50), post(3, 60), Tick(FIRST + 100)
    for events in ([a, b, tick, c], [a, b, c, tick], [b, a, tick, c]):
        ((profile, _),) = outputs(list(events))
        assert profile.windows["90d"].posts == 3, events


def test_when_the_newest_post_is_deleted_after_a_tick_the_older_ones_expire() -> None:
    """They were kept only since the newest one was in the window; the order does not matter."""
    old, new, tick = post(1, 0), post(2, 50), Tick(FIRST + 100)
    for events in ([old, new, tick, deleted(new)], [deleted(new), old, tick, new], [old, deleted(new), tick]):
        assert outputs(events) == [], events


def test_a_deletion_is_remembered_until_its_post_would_be_late() -> None:
    """A state with a deletion is not spent before the window has passed, and then it is."""
    gone = deleted(post(1, 10, followers=None))
    folding, state = Fold(RULES), fold([gone, Tick(FIRST + 99)])
    assert not folding.spent(state)
    late = folding.apply(AUTHOR, state, post(1, 10, followers=None), Position("enriched", 7))
    assert not late.late
    folding.apply(AUTHOR, state, Tick(FIRST + 100), Position("ticks", 8))
    assert folding.spent(state)
    assert folding.apply(AUTHOR, state, post(1, 10, followers=None), Position("enriched", 9)).late


def test_an_inactive_author_is_spent_when_followers_are_forgotten() -> None:
    """Follower counts are kept for two windows, and the state as long."""
    folding, state = Fold(RULES), fold([post(1, 0)])
    for day, spent in ((90, False), (179, False), (180, True)):
        folding.apply(AUTHOR, state, Tick(FIRST + day), Position("ticks", day))
        assert outputs_of(state) == []
        assert folding.spent(state) is spent


def test_the_newest_deletions_are_remembered() -> None:
    """A flood of deletions is bounded, and which are kept does not depend on their order."""
    flood = [deleted(post(n, n // 100)) for n in range(1500)]
    one, other = fold(flood), fold(flood[::-1])
    assert one.revised == other.revised
    assert len(one.revised) == 1024
    assert post_hash("x:1499") in one.revised


def test_an_expired_author_is_tombstoned_and_then_spent() -> None:
    """A tick past the window publishes tombstones once; the state is then as good as none."""
    state = fold([post(n, n) for n in range(5)])
    folding = Fold(RULES)
    gone = folding.apply(AUTHOR, state, Tick(FIRST + 200), Position("ticks", 0))
    assert gone.profile_tombstones == ["Acme/x:fan"]
    assert folding.spent(state)
    assert not folding.apply(AUTHOR, state, Tick(FIRST + 201), Position("ticks", 1)).profile_tombstones
    again = folding.apply(AUTHOR, state, Tick(FIRST + 200), Position("ticks", 0))
    assert again.profile_tombstones == ["Acme/x:fan"], "a replay publishes again"


def test_a_state_never_seen_is_not_stored_for_a_day_that_begins() -> None:
    """Only who says something is kept."""
    state = AuthorState()
    unknown = post(1)._replace(opinions=())
    outcome = Fold(RULES).apply(AUTHOR, state, unknown, Position("enriched", 0), today=FIRST + 1)
    assert not outcome.dirty
