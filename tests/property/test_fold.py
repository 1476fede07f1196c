"""The fold against a brute-force oracle that shares no code with it."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from models.annotation import Label
from models.author import AuthorState
from models.codec import Codec, version_of
from models.customer import Customer
from models.events import DELETED, Bio, CountedPost, Event, Position, Tick
from models.facts import CustomerLink, ErasureAsked, FeedbackGiven
from models.fold import Fold
from models.times import DAY_MS
from tests.authors import AUTHOR, DAY_0, RULES, fold, opinion, outputs, post

LABELS: tuple[Label, ...] = ("positive", "neutral", "negative")

_opinions = st.builds(
    opinion,
    brand=st.sampled_from(["Acme", "Bolt"]),
    label=st.sampled_from(LABELS),
    intensity=st.integers(0, 255),
    sponsored=st.booleans(),
    ambiguous=st.booleans(),
    evidence=st.sampled_from([(), ("my new",)]),
)


_signals: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "following": st.sampled_from([None, 100, 2_000]),
        "reactions": st.sampled_from([None, 0, 40, 5_000_000_000]),
        "comments": st.sampled_from([0, 3, 70_000]),
        "answers": st.booleans(),
        "fingerprint": st.sampled_from([0, 0xFF, 0xFFF, 1 << 63]),
        "themes": st.sampled_from([0, 1, 0b110]),
        "trade": st.sampled_from([(), ("selling",), ("selling", "staff")]),
        "bio": st.sampled_from([None, Bio(), Bio(1, ("Bolt",), False), Bio(2, (), True)]),
    }
)
"""facts of a post and its author besides its opinion"""


@st.composite
def _posts(draw: st.DrawFn) -> list[CountedPost]:
    """Distinct posts within the window: no order can make one of them late."""
    numbers = draw(st.lists(st.integers(0, 10_000), unique=True, max_size=25))
    return [
        post(
            number,
            draw(st.integers(0, 89)),
            draw(_opinions),
            ms=draw(st.integers(0, DAY_MS - 1)),
            followers=draw(st.sampled_from([None, 500, 20_000, 300_000])),
            handle=draw(st.sampled_from([None, "fan", "Fan", "other"])),
        )._replace(**draw(_signals))
        for number in numbers
    ]


@st.composite
def _revisions(draw: st.DrawFn, posts: list[CountedPost]) -> list[CountedPost]:
    """Edits and deletions of some of the posts, and of posts that were never seen."""
    numbers = [int(p.post_id.removeprefix("x:")) for p in posts] + [20_000]
    revisions = []
    for number in draw(st.lists(st.sampled_from(numbers), max_size=8)):
        first = next((p for p in posts if p.post_id == f"x:{number}"), post(number, 40))
        edited = draw(st.one_of(st.just(DELETED), st.integers(first.ms + 1, DAY_0 + 90 * DAY_MS - 1)))
        opinions = () if edited == DELETED else (draw(_opinions),)
        revisions.append(first._replace(edited_ms=edited, opinions=opinions, text=f"edit {edited}"))
    # Two versions of one instant would have no order.
    return list({(r.post_id, r.edited_ms): r for r in revisions}.values())


_facts = st.lists(
    st.one_of(
        st.builds(
            lambda handle, orders: CustomerLink(
                customer_id="c1",
                by_handle=handle,
                customer=Customer(customer_id="c1", orders=orders),
            ),
            st.sampled_from([None, "fan", "stranger"]),
            st.just(2),
        ),
        st.builds(
            lambda day, decision: FeedbackGiven(brand="Acme", ms=DAY_0 + day * DAY_MS, decision=decision),
            st.integers(0, 40),
            st.sampled_from(["accepted", "declined", "contacted"]),
        ),
        # A tick within the window of all posts, and an erasure of some of them.
        st.builds(Tick, st.integers(DAY_0 // DAY_MS + 80, DAY_0 // DAY_MS + 89)),
        st.builds(lambda day: ErasureAsked(ms=DAY_0 + day * DAY_MS, forever=day == 30), st.integers(0, 30)),
    ),
    max_size=5,
)


def oracle(posts: list[CountedPost]) -> dict[str, dict[str, object]]:
    """Windows, newest day and followers per brand, by counting from scratch."""
    said_of: dict[str, list[tuple[date, str]]] = defaultdict(list)
    for one in posts:
        day = date(1970, 1, 1) + timedelta(milliseconds=one.ms)
        said_of[one.opinions[0].brand].append((day, one.opinions[0].sentiment.label))
    known = [(p.ms, p.post_id, p.followers) for p in posts if p.followers is not None]
    result: dict[str, dict[str, object]] = {}
    for brand, said in said_of.items():
        newest = max(day for day, _ in said)
        windows = {}
        for length in (7, 30, 90):
            inside = [label for day, label in said if (newest - day).days < length]
            windows[f"{length}d"] = (len(inside), *(inside.count(label) for label in LABELS))
        result[brand] = {
            "as_of": newest.isoformat(),
            "windows": windows,
            "followers": max(known)[2] if known else None,
        }
    return result


@settings(deadline=None, max_examples=150)
@given(_posts())
def test_windows_are_what_counting_from_scratch_gives(posts: list[CountedPost]) -> None:
    """Windows, newest day and followers of every brand equal the oracle's."""
    found = {
        profile.brand: {
            "as_of": profile.as_of,
            "windows": {n: (w.posts, w.positive, w.neutral, w.negative) for n, w in profile.windows.items()},
            "followers": profile.followers,
        }
        for profile, _ in outputs(posts)
    }
    assert found == oracle(posts)


def _shown(events: list[Event]) -> list[object]:
    """Return the outputs without revisions."""
    return outputs_of(fold(events))


@settings(deadline=None, max_examples=150)
@given(_posts(), _facts, st.randoms(use_true_random=False), st.data())
def test_order_and_repetition_change_nothing(
    posts: list[CountedPost], facts: list[Event], shuffle: object, data: st.DataObject
) -> None:
    """Any order of posts, edits, deletions, customers, feedback, erasures and ticks, with repetitions,
    ends in the same result."""
    # The customer file is keyed: within one key the last record counts, so one record a key.
    slots = {(f.by_handle if isinstance(f, CustomerLink) else id(f)): f for f in facts}
    events: list[Event] = [*posts, *data.draw(_revisions(posts)), *slots.values()]
    again = data.draw(st.lists(st.sampled_from(events), max_size=10)) if events else []
    shuffled = [*events, *again]
    shuffle.shuffle(shuffled)  # type: ignore[attr-defined]
    assert _shown(shuffled) == _shown(events)


@settings(deadline=None, max_examples=150)
@given(st.data(), st.randoms(use_true_random=False))
def test_what_is_quoted_does_not_depend_on_order_when_praise_is_withdrawn(
    data: st.DataObject, shuffle: object
) -> None:
    """More praise than has a place, much of it edited or deleted, in any order: the same quotes."""
    praise = opinion(intensity=200, evidence=("my new",))
    times = data.draw(st.lists(st.integers(0, 89), min_size=9, max_size=30))
    events: list[Event] = [post(n, day, praise) for n, day in enumerate(times)]
    for n in data.draw(st.lists(st.integers(0, len(times) - 1), max_size=15, unique=True)):
        edited = data.draw(st.sampled_from([DELETED, DAY_0 + 89 * DAY_MS]))
        label = data.draw(st.sampled_from(LABELS))
        said_of = () if edited == DELETED else (opinion(label=label),)
        events.append(post(n, times[n], *said_of)._replace(edited_ms=edited, text=f"edit of {n}"))
    shuffled = list(events)
    shuffle.shuffle(shuffled)  # type: ignore[attr-defined]
    assert _shown(shuffled) == _shown(events)


@settings(deadline=None, max_examples=150)
@given(_posts(), st.data())
def test_of_a_post_the_last_version_counts(posts: list[CountedPost], data: st.DataObject) -> None:
    """Windows are those of the posts as last edited, without the deleted ones."""
    revisions = data.draw(_revisions(posts))
    events = data.draw(st.permutations([*posts, *revisions]))
    last: dict[str, CountedPost] = {}
    for one in sorted([*posts, *revisions], key=lambda p: p.edited_ms):
        last[one.post_id] = one
    left = [one for one in last.values() if one.edited_ms != DELETED]
    assert _counts(events) == {
        brand: (said_of["as_of"], said_of["windows"]) for brand, said_of in oracle(left).items()
    }


def _counts(events: Sequence[Event]) -> dict[str, tuple[object, object]]:
    return {
        profile.brand: (
            profile.as_of,
            {n: (w.posts, w.positive, w.neutral, w.negative) for n, w in profile.windows.items()},
        )
        for profile, _ in outputs(events)
    }


@settings(deadline=None, max_examples=100)
@given(_posts(), _facts, st.integers(0, 200))
def test_a_spent_state_is_as_good_as_none(posts: list[CountedPost], facts: list[Event], later: int) -> None:
    """Events after a state was deleted give the same result as if it had been kept."""
    first = DAY_0 // DAY_MS
    folding = Fold(RULES)
    state = fold([*posts, *(f for f in facts if not isinstance(f, CustomerLink | FeedbackGiven))])
    folding.apply(AUTHOR, state, Tick(first + 90 + later), Position("ticks", 10_000))
    if not folding.spent(state):
        return
    assert outputs_of(state) == []
    fresh = AuthorState(ticked=state.ticked)
    again = [post(1, 90 + later), post(2, 88 + later), post(3, 0)]
    for offset, one in enumerate(again, 50_000):
        for kept in (state, fresh):
            folding.apply(AUTHOR, kept, one, Position("enriched", offset), today=first + 90 + later)
    assert outputs_of(state) == outputs_of(fresh)


def outputs_of(state: AuthorState) -> list[object]:
    """Return the records that a state would publish, without revisions."""
    return [
        (msgspec.structs.replace(p, revision=0), c and msgspec.structs.replace(c, revision=0))
        for p, c in Fold(RULES).current(AUTHOR, state)
    ]


@settings(deadline=None, max_examples=60)
@given(_posts(), st.data())
def test_a_crash_at_any_point_changes_nothing(posts: list[CountedPost], data: st.DataObject) -> None:
    """State stored up to i, offsets committed up to j <= i: replaying from j ends in the same state."""
    stored_up_to = data.draw(st.integers(0, len(posts)))
    committed_up_to = data.draw(st.integers(0, stored_up_to))
    folding, codec = Fold(RULES), Codec(AuthorState)
    state = codec.unpack(codec.pack(fold(posts[:stored_up_to])))
    published: dict[str, object] = {}
    for offset, one in enumerate(posts[committed_up_to:], committed_up_to):
        outcome = folding.apply(AUTHOR, state, one, Position("enriched", offset))
        published.update({p.key: msgspec.structs.replace(p, revision=0) for p in outcome.profiles})
    straight = fold(posts)
    assert codec.pack(state) == codec.pack(straight)
    final = {p.key: msgspec.structs.replace(p, revision=0) for p, _ in folding.current(AUTHOR, straight)}
    # What was published after the crash and differs from the end would be a lost or doubled count.
    assert all(final[key] == profile for key, profile in published.items())


@settings(deadline=None, max_examples=100)
@given(_posts(), st.integers(0, 400))
def test_a_tick_is_the_same_wherever_it_comes_from(posts: list[CountedPost], days: int) -> None:
    """Ticking once far ahead ends where ticking day by day does, or hearing of it with the last post."""
    first = DAY_0 // DAY_MS
    daily = [Tick(first + day) for day in range(90, 90 + days, max(1, days // 7))] + [Tick(first + 90 + days)]
    assert _shown([*posts, *daily]) == _shown([*posts, Tick(first + 90 + days)])
    if posts and days == 0:
        state = fold(posts[:-1])
        Fold(RULES).apply(AUTHOR, state, posts[-1], Position("enriched", 10_000), today=first + 90)
        assert outputs_of(state) == _shown([*posts[:-1], Tick(first + 90), posts[-1]])


@settings(deadline=None, max_examples=100)
@given(_posts())
def test_a_state_survives_its_stored_form(posts: list[CountedPost]) -> None:
    """Packing and unpacking a state loses nothing, and the version in front is the state's."""
    codec = Codec(AuthorState)
    state = fold(posts)
    packed = codec.pack(state)
    assert codec.unpack(packed) == state
    assert version_of(packed) == state.version
