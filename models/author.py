"""All that is kept of one author, and how each event changes it.

`fold` is the heart of Superfan: `(state, event) -> (state, what to publish)`, without clock,
randomness or I/O. It is a join: the same set of events gives the same profiles and candidates in
any order, any number of times. Each event comes with its position in its topic. A position that
was seen before marks a replay: nothing changes, and everything is published again, since the
first processing may have died before its output was delivered.
"""

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeVar, get_args

import msgspec

from models import ring
from models.brand import Brand
from models.candidate import Candidate, Profile, State
from models.customer import normal_handle
from models.decision import Because, Standing, Verdict, decide
from models.explanation import QuoteMark, explain, summarise
from models.facts import AnyAuthorFact, CustomerLink, ErasureAsked, FeedbackGiven
from models.opinion import Opinion
from models.post import candidate_key
from models.record import encode
from models.rules import Rules
from models.signals import Trade
from models.times import DAY_MS, day_of

MAX_QUOTES = 8
MAX_EVIDENCE = 8
MAX_HANDLES = 8
MAX_URL = 2_000
"""characters of a link that is kept"""
MAX_REACTIONS = 4_000_000_000
MAX_COMMENTS = 65_535
MAX_REVISED = 1024
"""edited and deleted posts that are remembered, the newest of them"""
FOREVER_MS = 1 << 62
DELETED = 1 << 62
"""the edit after which no other comes"""


class Evidence(NamedTuple):
    """Words of ownership or purchase in one post; without text only the place of such a post."""

    ms: int
    post_id: str
    text: str


class Bio(NamedTuple):
    """What an author's bio shows; its words are not kept."""

    themes: int = 0
    """a bit for each niche"""
    employers: tuple[str, ...] = ()
    sells: bool = False


P = TypeVar("P", QuoteMark, Evidence)


class Ring(msgspec.Struct, array_like=True):
    """What is kept of an author about one brand. `published` are digests of the profile and the
    candidate that readers have (`_digest`): 0 nothing, 1 a tombstone."""

    days: ring.Days = {}
    """of two windows: the decision walks them, and words of ownership count; all else counts the last one"""
    quotes: tuple[QuoteMark, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    published: tuple[int, int] = (0, 0)
    newest: int = 0
    """newest day of any post that came, also of one that was deleted since: days leave by it"""


class Linked(msgspec.Struct, array_like=True, frozen=True):
    """A customer record that names this author, by id or by a handle."""

    by_handle: str | None
    orders: int
    employee: bool
    do_not_contact: bool


class AuthorState(msgspec.Struct, array_like=True):
    """Everything kept under one author key. Newest means by (instant, post id), never by arrival."""

    positions: dict[str, int] = {}
    """topic -> one past the newest position folded; the sum is the state's version"""
    handle: tuple[int, str, str] | None = None
    handles: dict[str, int] = {}
    """normal handle -> newest instant it was seen"""
    followers: dict[int, tuple[int, str, int]] = {}
    """day -> the last count seen on it, back as far as days are walked"""
    following: tuple[int, str, int] | None = None
    bio: tuple[int, str, Bio] | None = None
    bot: tuple[int, str, bool] | None = None
    customers: dict[str, Linked] = {}
    """customer id (and handle it was matched by) -> record"""
    feedback: dict[str, tuple[int, str]] = {}
    erased_ms: int = 0
    ticked: int = 0
    rings: dict[str, Ring] = {}
    revised: dict[int, tuple[int, int]] = {}
    """hash of an edited or deleted post -> (day it leaves by, instant of the last edit or `DELETED`)"""

    @property
    def version(self) -> int:
        """Grows with every change; equal versions along one history mean equal states."""
        return sum(self.positions.values())


# --- events


class CountedPost(NamedTuple):
    """A post with its opinions, as far as counting needs it."""

    post_id: str
    ms: int
    text: str
    url: str | None
    handle: str | None
    followers: int | None
    bot: bool | None
    opinions: tuple[Opinion, ...]
    edited_ms: int = 0
    """instant of the edit, 0 for a post as first written, `DELETED`"""
    following: int | None = None
    reactions: int | None = None
    """likes, comments and shares; null when unknown"""
    comments: int = 0
    answers: bool = False
    """it answers somebody else's post"""
    fingerprint: int = 0
    themes: int = 0
    trade: tuple[Trade, ...] = ()
    bio: Bio | None = None


class Tick(NamedTuple):
    """A day has begun; silent authors decay and expire."""

    day: int


Event = CountedPost | AnyAuthorFact | Tick


class Position(NamedTuple):
    """Where the event stood: a topic of which this author reads one partition, and the offset there."""

    topic: str
    offset: int


# --- outcomes


class Judged(NamedTuple):
    """A judgement that readers get to see anew, once: what it was before, what it is, and why.

    States are null where there is no candidate. `score` (0..100) is null when nothing is left of the
    profile; `fired` are the codes of the authenticity rules that speak against the author.
    """

    brand: str
    before: State | None
    after: State | None
    because: Because | Literal["erased", "expired"]
    score: float | None
    fired: tuple[str, ...]


@dataclass(slots=True)
class Outcome:
    """What one event brought about. Tombstones are keys whose copy must be deleted."""

    changed: bool = False
    replayed: bool = False
    late: bool = False
    duplicate: bool = False
    profiles: list[Profile] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    profile_tombstones: list[str] = field(default_factory=list)
    candidate_tombstones: list[str] = field(default_factory=list)
    handle_claims: list[str] = field(default_factory=list)
    """normal handles this author goes by, for the join with customers known by handle"""
    counted: list[Opinion] = field(default_factory=list)
    """opinions of known brands that this event has counted; empty for a duplicate and for a replay"""
    judged: list[Judged] = field(default_factory=list)
    """what has changed for readers; empty for a replay"""

    @property
    def dirty(self) -> bool:
        """The state must be stored (again), and what is listed here published."""
        return self.changed or self.replayed


class Fold:
    """Applies events to states under one set of rules. Stateless: safe to share."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._model_version = rules.model_version
        self._brands = {brand.name: brand for brand in rules.brands}
        self._rivals = {brand.name: _rivals(brand, rules.brands) for brand in rules.brands}

    @property
    def brands(self) -> Collection[str]:
        """Names of the brands that are counted."""
        return self._brands.keys()

    def apply(
        self, author: str, state: AuthorState, event: Event, position: Position, *, today: int = 0
    ) -> Outcome:
        """Change `state` in place and say what to publish.

        `author` is the author key, `today` the day of the last tick, which may not have come to
        this author yet. Unless the outcome is `dirty` there is nothing to store or publish.
        """
        replayed = position.offset < state.positions.get(position.topic, 0)
        outcome = Outcome(replayed=replayed)
        known = bool(state.positions)
        aged = self._tick(state, Tick(today)) and known
        if isinstance(event, CountedPost):
            outcome.changed = self._count(state, event, outcome)
        elif isinstance(event, CustomerLink):
            outcome.changed = _link(state, event)
        elif isinstance(event, FeedbackGiven):
            outcome.changed = _take_feedback(state, event)
        elif isinstance(event, ErasureAsked):
            outcome.changed = _erase(state, event)
        else:
            outcome.changed = self._tick(state, event)
        outcome.changed |= aged
        if outcome.changed:
            at = state.positions.get(position.topic, 0)
            state.positions[position.topic] = max(at + 1, position.offset + 1)
        self._expire(state)
        if outcome.dirty:
            if replayed:
                outcome.handle_claims = sorted(state.handles)
            self._publish(author, state, outcome, everything=replayed)
            if not replayed and isinstance(event, ErasureAsked):
                outcome.judged = [
                    j if j.score is not None else j._replace(because="erased") for j in outcome.judged
                ]
        return outcome

    def current(self, author: str, state: AuthorState) -> Iterator[tuple[Profile, Candidate | None]]:
        """Each profile of an author as it stands, with its candidate if there is one; by brand."""
        for brand, held in sorted(state.rings.items()):
            _, profile, candidate = self._judge(candidate_key(brand, author), brand, author, state, held)
            if profile is not None:
                yield profile, candidate

    def verdict(
        self, author: str, brand: str, state: AuthorState, rules: Rules | None = None
    ) -> Verdict | None:
        """The judgement as it stands, by these rules or by `rules`; null where nothing is counted."""
        held = state.rings.get(brand)
        counted = self._counted(held) if held else {}
        if held is None or not counted or brand not in self._brands:
            return None
        return self._decide(author, brand, state, held, rules or self._rules)[1]

    def _count(self, state: AuthorState, post: CountedPost, outcome: Outcome) -> bool:
        if post.ms <= state.erased_ms:
            return False
        keep = self._rules.window.keep_days
        day = day_of(post.ms)
        hashed = ring.post_hash(post.post_id)
        if day <= state.ticked - keep:
            outcome.late = bool(post.opinions)
            return post.edited_ms == DELETED and _withdraw(state, post, hashed, keep)
        accepted = late = False
        changed = _revise(state, post, hashed, keep)
        superseded = hashed in state.revised and post.edited_ms < state.revised[hashed][1]
        for opinion in post.opinions:
            if opinion.brand not in self._brands:
                continue
            held = state.rings.get(opinion.brand)
            newest = max(held.newest if held else 0, state.ticked)
            if day <= newest - keep:
                late = True
                continue
            accepted = True
            if held is None:
                held = state.rings[opinion.brand] = Ring()
            if day > held.newest:
                held.newest = day
                changed = True
            if self._mark(held, hashed, post, opinion, superseded=superseded):
                outcome.counted.append(opinion)
                changed = True
            walked = held.newest - self._rules.window.walked_days + 1
            ring.evict(held.days, walked)
            held.quotes = _since(held.quotes, (held.newest - keep + 1) * DAY_MS)
            held.evidence = _since(held.evidence, walked * DAY_MS)
        if not accepted:
            outcome.late = late
            return changed
        outcome.duplicate = not changed
        return self._learn(state, post, outcome) or changed

    def _mark(
        self, held: Ring, hashed: int, post: CountedPost, opinion: Opinion, *, superseded: bool
    ) -> bool:
        flags = (
            ring.CODES[opinion.sentiment.label]
            | (ring.AMBIGUOUS if opinion.ambiguous else 0)
            | (ring.SPONSORED if opinion.sponsored else 0)
            | (ring.GIVEAWAY if opinion.giveaway else 0)
            | (ring.OWNS if opinion.evidence else 0)
            | (ring.SELLS if "selling" in post.trade else 0)
            | (ring.STAFF if "staff" in post.trade else 0)
            | (ring.REPLY if post.answers else 0)
        )
        mark = ring.Mark(
            hashed,
            post.ms % DAY_MS,
            flags,
            opinion.intensity,
            reactions=0 if post.reactions is None else min(post.reactions, MAX_REACTIONS) + 1,
            comments=min(post.comments, MAX_COMMENTS),
            fingerprint=post.fingerprint,
            themes=post.themes,
        )
        newer = not superseded and ring.add(held.days, post.ms, mark)
        stands = newer or (not superseded and ring.holds_mark(held.days, post.ms, mark))
        quote = evidence = None
        if opinion.quotable:
            url = post.url if post.url is not None and len(post.url) <= MAX_URL else ""
            quote = QuoteMark(post.ms, post.post_id, post.text, opinion.intensity, url)
        if opinion.evidence:
            evidence = Evidence(post.ms, post.post_id, "; ".join(opinion.evidence))
        before = (held.quotes, held.evidence)
        held.quotes = _place(held.quotes, post.post_id, quote, MAX_QUOTES, newer=newer, stands=stands)
        held.evidence = _place(
            held.evidence, post.post_id, evidence, MAX_EVIDENCE, newer=newer, stands=stands
        )
        return newer or before != (held.quotes, held.evidence)

    def _learn(self, state: AuthorState, post: CountedPost, outcome: Outcome) -> bool:
        """What an accepted post says about its author."""
        before = _known(state)
        key = (post.ms, post.post_id)
        if post.handle:
            state.handle = max(state.handle or (0, "", ""), (*key, post.handle))
            name = normal_handle(post.handle)
            if name not in state.handles:
                outcome.handle_claims.append(name)
            seen = {**state.handles, name: max(state.handles.get(name, 0), post.ms)}
            newest = sorted(seen.items(), key=lambda item: (-item[1], item[0]))[:MAX_HANDLES]
            state.handles = dict(sorted(newest))
        if post.followers is not None:
            self._follow(state, day_of(post.ms), (*key, post.followers))
        if post.following is not None:
            state.following = max(state.following or (0, "", 0), (*key, post.following))
        if post.bio is not None:
            state.bio = max(state.bio or (0, "", Bio()), (*key, post.bio))
        if post.bot is not None:
            state.bot = max(state.bot or (0, "", False), (*key, post.bot))
        return before != _known(state)

    def _follow(self, state: AuthorState, day: int, seen: tuple[int, str, int]) -> None:
        """The last count of each day, as far back from the newest as days are walked."""
        counts = {**state.followers, day: max(state.followers.get(day, seen), seen)}
        oldest = max(counts) - self._rules.window.walked_days
        state.followers = {d: counts[d] for d in sorted(counts) if d > oldest}

    def _tick(self, state: AuthorState, tick: Tick) -> bool:
        if tick.day <= state.ticked:
            return False
        state.ticked = tick.day
        oldest = tick.day - self._rules.window.keep_days + 1
        state.revised = {h: entry for h, entry in state.revised.items() if entry[0] >= oldest}
        walked = tick.day - self._rules.window.walked_days + 1
        _unlearn(state, oldest * DAY_MS - 1, followers_until=walked * DAY_MS - 1)
        return True

    def _expire(self, state: AuthorState) -> None:
        """Windows reach back from the newest post, whatever the day; when that is past, all is."""
        oldest = state.ticked - self._rules.window.keep_days + 1
        for held in state.rings.values():
            if held.days and max(held.days) < oldest:
                held.days = {}
                held.quotes = _since(held.quotes, oldest * DAY_MS)
                held.evidence = _since(held.evidence, oldest * DAY_MS)

    def spent(self, state: AuthorState) -> bool:
        """Whether nothing is left that could ever matter again: as good as an author never seen.

        Only when what it published last (tombstones) was delivered may the state be deleted.
        """
        oldest = state.ticked - self._rules.window.keep_days + 1
        return not (
            state.customers
            or state.feedback
            or state.revised
            or state.followers
            or state.erased_ms >= oldest * DAY_MS
            or any(held.days or held.newest >= oldest for held in state.rings.values())
        )

    def _publish(self, author: str, state: AuthorState, outcome: Outcome, *, everything: bool) -> None:
        for brand, held in sorted(state.rings.items()):
            key = candidate_key(brand, author)
            verdict, profile, candidate = self._judge(key, brand, author, state, held)
            digests = (_digest(profile), _digest(candidate))
            had_profile, had_candidate = held.published
            if not everything and (digests[0] or min(had_profile, 1)) != had_profile:
                outcome.judged.append(_judged(brand, _state_in(had_candidate), verdict))
            if profile is not None and (everything or digests[0] != had_profile):
                outcome.profiles.append(profile)
            if candidate is not None and (everything or digests[1] != had_candidate):
                outcome.candidates.append(candidate)
            if profile is None and had_profile and (everything or had_profile != 1):
                outcome.profile_tombstones.append(key)
            if candidate is None and had_candidate and (everything or had_candidate != 1):
                outcome.candidate_tombstones.append(key)
            held.published = (digests[0] or min(had_profile, 1), digests[1] or min(had_candidate, 1))

    def _judge(
        self, key: str, brand: str, author: str, state: AuthorState, held: Ring
    ) -> tuple[Verdict | None, Profile | None, Candidate | None]:
        counted = self._counted(held)
        if not counted or brand not in self._brands:
            return None, None, None
        standing, verdict = self._decide(author, brand, state, held, self._rules)
        profile = summarise(
            key,
            counted,
            verdict,
            standing,
            model_version=self._model_version,
            revision=state.version,
        )
        if verdict.state is None:
            return verdict, profile, None
        candidate = explain(
            key,
            verdict,
            standing,
            self._rules,
            quotes=[self._linked(q, author) for q in _shown(held.quotes, counted)],
            handle=state.handle[2] if state.handle else None,
            model_version=self._model_version,
            revision=state.version,
        )
        return verdict, profile, candidate

    def _counted(self, held: Ring) -> ring.Days:
        """The days of the window."""
        return ring.since(held.days, held.newest - self._rules.window.keep_days + 1)

    def _decide(
        self, author: str, brand: str, state: AuthorState, held: Ring, rules: Rules
    ) -> tuple[Standing, Verdict]:
        walked = ring.unbroken(held.days, self._rules.window.keep_days)
        standing = self._standing(author, brand, state, held, walked)
        return standing, decide(walked, standing, brand, rules, ticked=state.ticked, newest=held.newest)

    def _linked(self, quote: QuoteMark, author: str) -> QuoteMark:
        """The quote with an address, if its post came without one and the platform's is known."""
        platform = author.partition(":")[0]
        template = self._rules.post_urls.get(platform)
        if quote.url or template is None:
            return quote
        return quote._replace(url=template.format(id=quote.post_id.removeprefix(f"{platform}:")))

    def _is_own(self, author: str, brand: str, state: AuthorState) -> bool:
        """Whether the author goes by a handle of the brand."""
        own = self._brands[brand].handles.get(author.partition(":")[0], ())
        return any(normal_handle(handle) in state.handles for handle in own)

    def _is_rival(self, brand: str, state: AuthorState, bio: Bio) -> bool:
        """Whether the author goes by a name of a competitor, or works for one."""
        names, handles = self._rivals[brand]
        return not handles.isdisjoint(state.handles) or any(e.casefold() in names for e in bio.employers)

    def _standing(
        self, author: str, brand: str, state: AuthorState, held: Ring, walked: ring.Days
    ) -> Standing:
        """The days that are walked also show whether somebody is a customer: who bought, has bought."""
        known = [c for c in state.customers.values() if c.by_handle is None or c.by_handle in state.handles]
        bio = state.bio[2] if state.bio else Bio()
        excluded = {
            "employee": author in self._brands[brand].employees
            or any(c.employee for c in known)
            or brand in bio.employers,
            "do_not_contact": any(c.do_not_contact for c in known),
            "bot": state.bot is not None and state.bot[2],
            "own_account": self._is_own(author, brand, state),
            "competitor": self._is_rival(brand, state, bio),
        }
        return Standing(
            platform=author.partition(":")[0],
            followers=state.followers[max(state.followers)][2] if state.followers else None,
            growth=tuple((day, seen[2]) for day, seen in state.followers.items()),
            following=state.following[2] if state.following else None,
            bio_themes=bio.themes,
            bio_sells=bio.sells,
            in_crm=bool(known),
            orders=max((c.orders for c in known), default=0),
            owning=ring.count(walked, ring.OWNS),
            evidence=tuple(e.text for e in _shown(held.evidence, walked)),
            exclusions=tuple(code for code, holds in excluded.items() if holds),
            feedback=state.feedback.get(brand),
        )


def _rivals(brand: Brand, catalogue: Collection[Brand]) -> tuple[frozenset[str], frozenset[str]]:
    """Names and handles of a brand's competitors; one that is in the catalogue brings its own handles."""
    names = frozenset(name.casefold() for name in brand.competitors)
    handles = {normal_handle("".join(name.split())) for name in brand.competitors}
    for other in catalogue:
        if other.name.casefold() in names:
            handles |= {normal_handle(handle) for of in other.handles.values() for handle in of}
    return names, frozenset(handles)


def _known(state: AuthorState) -> tuple[object, ...]:
    return state.handle, state.handles, state.followers, state.following, state.bio, state.bot


def _place(
    places: tuple[P, ...], post_id: str, said: P | None, most: int, *, newer: bool, stands: bool
) -> tuple[P, ...]:
    """The newest places, with what one version of a post says (None: nothing worth a place).

    A place belongs to a post of which any version had something to say, at that version's instant;
    it stays when the words are withdrawn. So which posts have one depends on what was written alone,
    not on the order in which posts, edits and deletions came: a post that was pushed out never has to
    come back. `newer` says that this version has just replaced what stood, `stands` that it is the one
    that counts now. Copies that differ in nothing that is counted (a link, a word) are one version:
    the larger text stays, whichever came first.
    """
    old = next((place for place in places if place.post_id == post_id), None)
    if said is None:
        if old is None or not newer:
            return places
        new = _withdrawn(old)
    else:
        new = said if stands else _withdrawn(said)
        if old is not None:
            shown = new if newer else max(new, old, key=lambda place: place[2:]) if stands else old
            at = max(old.ms, said.ms)
            new = shown if shown.ms == at else _withdrawn(shown._replace(ms=at))
    kept = [place for place in places if place.post_id != post_id]
    kept.append(new)
    return tuple(sorted(kept, reverse=True)[:most])


def _withdrawn(place: P) -> P:
    return type(place)(place.ms, place.post_id, "")


def _since(places: tuple[P, ...], oldest_ms: int) -> tuple[P, ...]:
    return tuple(place for place in places if place.ms >= oldest_ms)


def _shown(places: tuple[P, ...], days: ring.Days) -> tuple[P, ...]:
    """Those with words whose post is counted."""
    return tuple(place for place in places if place.text and ring.holds(days, place.post_id))


def _revise(state: AuthorState, post: CountedPost, hashed: int, keep: int) -> bool:
    """Note an edit or a deletion, and take older versions of the post out of the rings."""
    if post.edited_ms <= state.revised.get(hashed, (0, 0))[1]:
        return False
    _withdraw(state, post, hashed, keep)
    day = day_of(post.ms)
    leaves = day if post.edited_ms == DELETED else max(day, day_of(post.edited_ms))
    # A post may come under another time than its deletion: the later one counts.
    leaves = max(leaves, state.revised.get(hashed, (0, 0))[0])
    revised = {**state.revised, hashed: (leaves, post.edited_ms)}
    newest = sorted(revised.items(), key=lambda item: (item[1], item[0]), reverse=True)
    state.revised = dict(sorted(newest[:MAX_REVISED]))
    return True


def _withdraw(state: AuthorState, post: CountedPost, hashed: int, keep: int) -> bool:
    """Take a post out of the rings, with its words; whether it was counted in one.

    Where an edit comes too late, what stands stays: it may be that very version. A deletion never does.
    """
    found = False
    for held in state.rings.values():
        if post.edited_ms == DELETED or day_of(post.ms) > max(held.newest, state.ticked) - keep:
            found |= ring.remove(held.days, hashed)
            held.quotes = tuple(_withdrawn(q) if q.post_id == post.post_id else q for q in held.quotes)
            held.evidence = tuple(_withdrawn(e) if e.post_id == post.post_id else e for e in held.evidence)
    return found


def _unlearn(state: AuthorState, until: int, *, followers_until: int) -> None:
    """Forget what posts up to these instants said about their author."""
    if state.handle is not None and state.handle[0] <= until:
        state.handle = None
    state.followers = {day: seen for day, seen in state.followers.items() if seen[0] > followers_until}
    if state.following is not None and state.following[0] <= until:
        state.following = None
    if state.bio is not None and state.bio[0] <= until:
        state.bio = None
    if state.bot is not None and state.bot[0] <= until:
        state.bot = None
    state.handles = {name: ms for name, ms in state.handles.items() if ms > until}


def _link(state: AuthorState, fact: CustomerLink) -> bool:
    slot = f"{fact.customer_id}\n{fact.by_handle or ''}"
    linked = None
    if fact.customer is not None:
        linked = Linked(
            by_handle=fact.by_handle,
            orders=fact.customer.orders or 0,
            employee=bool(fact.customer.employee),
            do_not_contact=bool(fact.customer.do_not_contact),
        )
    if state.customers.get(slot) == linked:
        return False
    customers = {k: v for k, v in state.customers.items() if k != slot}
    if linked is not None:
        customers[slot] = linked
    state.customers = dict(sorted(customers.items()))
    return True


def _take_feedback(state: AuthorState, fact: FeedbackGiven) -> bool:
    newest = max(state.feedback.get(fact.brand, (0, "")), (fact.ms, fact.decision))
    if state.feedback.get(fact.brand) == newest:
        return False
    state.feedback[fact.brand] = newest
    return True


def _erase(state: AuthorState, fact: ErasureAsked) -> bool:
    until = FOREVER_MS if fact.forever else fact.ms
    if until <= state.erased_ms:
        return False
    state.erased_ms = until
    for held in state.rings.values():
        ring.erase(held.days, until)
        held.quotes, held.evidence = _since(held.quotes, until + 1), _since(held.evidence, until + 1)
    _unlearn(state, until, followers_until=until)
    return True


def _judged(brand: str, before: State | None, verdict: Verdict | None) -> Judged:
    if verdict is None:
        return Judged(brand, before, None, "expired", None, ())
    return Judged(brand, before, verdict.state, verdict.because, verdict.score, tuple(verdict.severities))


_STATES: tuple[State, ...] = get_args(State)


def _digest(record: Profile | Candidate | None) -> int:
    """63 bits of what a reader would see, the revision left out, and a candidate's state; 0 for nothing."""
    if record is None:
        return 0
    seen = encode(msgspec.structs.replace(record, revision=0))
    bits = int.from_bytes(hashlib.blake2b(seen, digest_size=8).digest(), "little")
    code = 1 + _STATES.index(record.state) if isinstance(record, Candidate) else 0
    return bits >> 5 << 4 | 8 | code


def _state_in(digest: int) -> State | None:
    """The state of the candidate behind a digest; null for nothing and for a tombstone."""
    code = digest & 7 if digest > 1 else 0
    return _STATES[code - 1] if code else None
