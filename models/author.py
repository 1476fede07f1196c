"""The state of one author: a ring for each brand, and everything else that is known.

Each method applies one kind of event, in place, and returns true if it changed the state. "Newest" always
means by (instant, post id), never by arrival, so the order of arrival does not matter.
"""

import msgspec

from models.candidate import State
from models.customer import normal_handle
from models.events import DELETED, Bio, CountedPost
from models.facts import CustomerLink, ErasureAsked, FeedbackGiven
from models.ring import TOMBSTONE, WALKED_WINDOWS, Ring
from models.times import DAY_MS, day_of

MAX_HANDLES = 8
MAX_REVISED = 1024
"""edited and deleted posts that are remembered, the newest of them"""
FOREVER_MS = 1 << 62
"""end of an erasure that also covers all later posts"""


class KnownCustomer(msgspec.Struct, array_like=True, frozen=True):
    """A customer record that names this author, by id or by a handle."""

    by_handle: str | None
    orders: int
    employee: bool
    do_not_contact: bool


class AuthorState(msgspec.Struct, array_like=True):
    """Everything stored under one author key."""

    positions: dict[str, int] = {}
    """topic -> the offset after the newest one applied; the sum is the version of the state"""
    handle: tuple[int, str, str] | None = None
    """(instant, post id, handle) as last seen"""
    handles: dict[str, int] = {}
    """normal handle -> newest instant it was seen"""
    followers: dict[int, tuple[int, str, int]] = {}
    """day -> the last count seen on it, for two windows"""
    following: tuple[int, str, int] | None = None
    bio: tuple[int, str, Bio] | None = None
    bot: tuple[int, str, bool] | None = None
    customers: dict[str, KnownCustomer] = {}
    """customer id (and the handle it was matched by) -> record"""
    feedback: dict[str, tuple[int, str]] = {}
    """brand -> (instant, decision) of the newest feedback"""
    erased_ms: int = 0
    """posts up to this instant are erased"""
    ticked: int = 0
    """day of the last tick"""
    rings: dict[str, Ring] = {}
    revised: dict[int, tuple[int, int]] = {}
    """hash of an edited or deleted post -> (day after which it may be forgotten, last `edited_ms`)"""

    def __post_init__(self) -> None:
        """Read states of release 0.1.0, which kept `Ring.state` as a code in the candidate's digest."""
        for ring in self.rings.values():
            published = ring.published
            if published.candidate > TOMBSTONE and (code := published.candidate & 0b111):
                ring.state = _STATES_0_1_0[code - 1]
                ring.published = published._replace(candidate=published.candidate ^ code)

    @property
    def version(self) -> int:
        """A number that grows with every change. In one history, equal versions mean equal states."""
        return sum(self.positions.values())

    def learn(self, post: CountedPost, keep_days: int) -> tuple[bool, str | None]:
        """Take over what an accepted post says about its author.

        Returns:
            True if the state changed, and a handle that was not known before, in its normal form.
        """
        before = (self.handle, self.handles, self.followers, self.following, self.bio, self.bot)
        seen = (post.ms, post.post_id)
        claim = None
        if post.handle:
            self.handle = max(self.handle or (0, "", ""), (*seen, post.handle))
            name = normal_handle(post.handle)
            claim = None if name in self.handles else name
            handles = {**self.handles, name: max(self.handles.get(name, 0), post.ms)}
            newest = sorted(handles.items(), key=lambda item: (-item[1], item[0]))[:MAX_HANDLES]
            self.handles = dict(sorted(newest))
        if post.followers is not None:
            day, count = post.ms // DAY_MS, (*seen, post.followers)
            counts = {**self.followers, day: max(self.followers.get(day, count), count)}
            oldest = max(counts) - WALKED_WINDOWS * keep_days
            self.followers = {d: counts[d] for d in sorted(counts) if d > oldest}
        if post.following is not None:
            self.following = max(self.following or (0, "", 0), (*seen, post.following))
        if post.bio is not None:
            self.bio = max(self.bio or (0, "", Bio()), (*seen, post.bio))
        if post.bot is not None:
            self.bot = max(self.bot or (0, "", False), (*seen, post.bot))
        after = (self.handle, self.handles, self.followers, self.following, self.bio, self.bot)
        return before != after, claim

    def revise(self, post: CountedPost, hashed: int, keep_days: int) -> bool:
        """Remember an edit or a deletion, and remove older versions of the post from the rings."""
        if post.edited_ms <= self.revised.get(hashed, (0, 0))[1]:
            return False
        self.withdraw(post, hashed, keep_days)
        day = day_of(post.ms)
        until = day if post.edited_ms == DELETED else max(day, day_of(post.edited_ms))
        # A deletion may carry another time than its post: the later one counts.
        until = max(until, self.revised.get(hashed, (0, 0))[0])
        revised = {**self.revised, hashed: (until, post.edited_ms)}
        newest = sorted(revised.items(), key=lambda item: (item[1], item[0]), reverse=True)
        self.revised = dict(sorted(newest[:MAX_REVISED]))
        return True

    def withdraw(self, post: CountedPost, hashed: int, keep_days: int) -> bool:
        """Remove a post and its texts from every ring; return true if it was counted in one.

        An edit of a post outside the window removes nothing: the counted version may be that very edit.
        A deletion always removes.
        """
        found = False
        for ring in self.rings.values():
            if post.edited_ms == DELETED or day_of(post.ms) > max(ring.newest, self.ticked) - keep_days:
                found |= ring.withdraw(post.post_id, hashed)
        return found

    def link(self, fact: CustomerLink) -> bool:
        """Add, replace or remove a customer record."""
        slot = f"{fact.customer_id}\n{fact.by_handle or ''}"
        known = None
        if fact.customer is not None:
            known = KnownCustomer(
                by_handle=fact.by_handle,
                orders=fact.customer.orders or 0,
                employee=bool(fact.customer.employee),
                do_not_contact=bool(fact.customer.do_not_contact),
            )
        if self.customers.get(slot) == known:
            return False
        customers = {k: v for k, v in self.customers.items() if k != slot}
        if known is not None:
            customers[slot] = known
        self.customers = dict(sorted(customers.items()))
        return True

    def take_feedback(self, fact: FeedbackGiven) -> bool:
        """Keep a marketer's decision if it is the newest about the brand."""
        newest = max(self.feedback.get(fact.brand, (0, "")), (fact.ms, fact.decision))
        if self.feedback.get(fact.brand) == newest:
            return False
        self.feedback[fact.brand] = newest
        return True

    def erase(self, fact: ErasureAsked) -> bool:
        """Remove every post up to the instant of an erasure, and everything learned from them."""
        until = FOREVER_MS if fact.forever else fact.ms
        if until <= self.erased_ms:
            return False
        self.erased_ms = until
        for ring in self.rings.values():
            ring.erase(until)
        self._forget(until, followers_until=until)
        return True

    def begin_day(self, day: int, keep_days: int) -> bool:
        """Note that a day has begun, and forget what older posts said about their author.

        Posts stay, since the window ends with the newest post. `Ring.expire` removes them later.
        """
        if day <= self.ticked:
            return False
        self.ticked = day
        first, first_walked = day - keep_days + 1, day - WALKED_WINDOWS * keep_days + 1
        self.revised = {hashed: entry for hashed, entry in self.revised.items() if entry[0] >= first}
        self._forget(first * DAY_MS - 1, followers_until=first_walked * DAY_MS - 1)
        return True

    def spent(self, keep_days: int) -> bool:
        """Return true if nothing is left that can matter: the state equals that of an unknown author.

        The state may be deleted only after its last output (tombstones) was delivered.
        """
        first = self.ticked - keep_days + 1
        return not (
            self.customers
            or self.feedback
            or self.revised
            or self.followers
            or self.erased_ms >= first * DAY_MS
            or any(ring.days or ring.newest >= first for ring in self.rings.values())
        )

    def _forget(self, until: int, *, followers_until: int) -> None:
        """Remove what posts up to these instants said about their author."""
        if self.handle is not None and self.handle[0] <= until:
            self.handle = None
        self.followers = {day: seen for day, seen in self.followers.items() if seen[0] > followers_until}
        if self.following is not None and self.following[0] <= until:
            self.following = None
        if self.bio is not None and self.bio[0] <= until:
            self.bio = None
        if self.bot is not None and self.bot[0] <= until:
            self.bot = None
        self.handles = {name: ms for name, ms in self.handles.items() if ms > until}


_STATES_0_1_0: tuple[State, ...] = ("candidate", "watch", "accepted", "declined", "cooled")
"""the order in which release 0.1.0 numbered them, from 1"""
