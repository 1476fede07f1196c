"""The fold at the heart of Superfan: (state, event) -> outcome. No clock, no randomness, no I/O.

It is a join: the same set of events gives the same profiles and candidates, in any order and any number
of times. Each event comes with its position in its topic. An event at a position that was applied before
is a replay: the state does not change, and everything is published again, since the first processing may
have died before its output was delivered.
"""

from collections.abc import Collection, Iterator

from models.author import AuthorState
from models.candidate import Candidate, Profile
from models.decision import Verdict
from models.events import DELETED, CountedPost, Event, Position
from models.facts import CustomerLink, ErasureAsked, FeedbackGiven
from models.judging import Judging
from models.outcome import Outcome
from models.ring import Ring, mark_of, post_hash
from models.rules import Rules
from models.times import DAY_MS


class Fold:
    """Applies events to states under one set of rules. Stateless: safe to share."""

    def __init__(self, rules: Rules) -> None:
        self._keep_days = rules.window.keep_days
        self._judging = Judging(rules)

    @property
    def brands(self) -> Collection[str]:
        """Names of the brands that are counted."""
        return self._judging.brands.keys()

    def apply(
        self, author: str, state: AuthorState, event: Event, position: Position, *, today: int = 0
    ) -> Outcome:
        """Change `state` in place and return what to store and publish; nothing unless `Outcome.dirty`.

        Args:
            author: the author key `platform:author_id`.
            today: day of the partition's last tick, which may not have reached this author yet.
        """
        offset = state.positions.get(position.topic, 0)
        outcome = Outcome(replayed=position.offset < offset)
        known = bool(state.positions)
        aged = today > state.ticked and state.begin_day(today, self._keep_days) and known
        if isinstance(event, CountedPost):
            outcome.changed = self._count(state, event, outcome)
        elif isinstance(event, CustomerLink):
            outcome.changed = state.link(event)
        elif isinstance(event, FeedbackGiven):
            outcome.changed = state.take_feedback(event)
        elif isinstance(event, ErasureAsked):
            outcome.changed = state.erase(event)
        else:
            outcome.changed = state.begin_day(event.day, self._keep_days)
        outcome.changed |= aged
        if outcome.changed:
            state.positions[position.topic] = max(offset, position.offset) + 1
        first_day = state.ticked - self._keep_days + 1
        for ring in state.rings.values():
            if ring.days and max(ring.days) < first_day:
                ring.expire(first_day)
        if outcome.changed or outcome.replayed:
            if outcome.replayed:
                outcome.handle_claims = sorted(state.handles)
            self._judging.publish(author, state, outcome)
            if isinstance(event, ErasureAsked):
                outcome.judgements = [
                    j if j.score is not None else j._replace(because="erased") for j in outcome.judgements
                ]
        return outcome

    def current(self, author: str, state: AuthorState) -> Iterator[tuple[Profile, Candidate | None]]:
        """Yield each current profile of an author with its candidate, if there is one; ordered by brand."""
        for brand in sorted(state.rings):
            _, profile, candidate = self._judging.records(author, brand, state)
            if profile is not None:
                yield profile, candidate

    def verdict(
        self, author: str, brand: str, state: AuthorState, rules: Rules | None = None
    ) -> Verdict | None:
        """Return the current judgement, by `rules` if given; None if nothing is counted."""
        return self._judging.verdict(author, brand, state, rules)

    def spent(self, state: AuthorState) -> bool:
        """Return true if nothing is left in the state that can matter, see `AuthorState.spent`."""
        return state.spent(self._keep_days)

    def _count(self, state: AuthorState, post: CountedPost, outcome: Outcome) -> bool:
        """Count a post for each brand, or withdraw it; return true if the state changed."""
        if post.ms <= state.erased_ms:
            return False
        keep_days = self._keep_days
        day = post.ms // DAY_MS
        hashed = post_hash(post.post_id)
        if day <= state.ticked - keep_days:
            outcome.late = bool(post.opinions)
            return post.edited_ms == DELETED and state.withdraw(post, hashed, keep_days)
        accepted = late = False
        changed = post.edited_ms > 0 and state.revise(post, hashed, keep_days)
        superseded = hashed in state.revised and post.edited_ms < state.revised[hashed][1]
        for opinion in post.opinions:
            if opinion.brand not in self._judging.brands:
                continue
            ring = state.rings.get(opinion.brand)
            newest = ring.newest if ring else 0
            if day <= max(newest, state.ticked) - keep_days:
                late = True
                continue
            accepted = True
            if ring is None:
                ring = state.rings[opinion.brand] = Ring()
            mark = mark_of(post, opinion, hashed)
            if ring.count(mark, post, opinion, keep_days=keep_days, superseded=superseded):
                outcome.counted.append(opinion)
                changed = True
            changed |= ring.newest > newest
        if not accepted:
            outcome.late = late
            return changed
        outcome.duplicate = not changed
        learned, claim = state.learn(post, keep_days)
        if claim is not None:
            outcome.handle_claims.append(claim)
        return learned or changed
