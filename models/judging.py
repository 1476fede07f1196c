"""Judges an author about a brand, and finds out which of the records are new to readers."""

import hashlib
from collections.abc import Collection
from typing import NamedTuple

import msgspec

from models import ring
from models.author import AuthorState
from models.brand import Brand
from models.candidate import Candidate, Profile
from models.customer import normal_handle
from models.decision import Standing, Verdict, decide
from models.events import Bio
from models.explanation import explain, summarise
from models.outcome import Judgement, Outcome
from models.post import candidate_key, parse_author_key
from models.record import encode
from models.ring import NOTHING, TOMBSTONE, Days, Published, QuoteSlot, Ring
from models.rules import Rules


class _Rivals(NamedTuple):
    """Names (casefolded) and normal handles of the competitors of a brand."""

    names: frozenset[str]
    handles: frozenset[str]


class Judging:
    """Judges authors under one set of rules. Stateless: safe to share."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._keep_days = rules.window.keep_days
        self._model_version = rules.model_version
        self.brands = {brand.name: brand for brand in rules.brands}
        self._rivals = {brand.name: _rivals(brand, rules.brands) for brand in rules.brands}

    def verdict(
        self, author: str, brand: str, state: AuthorState, rules: Rules | None = None
    ) -> Verdict | None:
        """Return the current judgement, by `rules` if given; None if nothing is counted."""
        held = state.rings.get(brand)
        if held is None or brand not in self.brands or not held.window(self._keep_days):
            return None
        return self._decide(author, brand, state, held, rules or self._rules)[1]

    def records(
        self, author: str, brand: str, state: AuthorState
    ) -> tuple[Verdict | None, Profile | None, Candidate | None]:
        """Return the verdict, the profile and the candidate of a ring; None for each that does not exist."""
        held = state.rings[brand]
        counted = held.window(self._keep_days)
        if not counted or brand not in self.brands:
            return None, None, None
        key = candidate_key(brand, author)
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
            quotes=[self._linked(quote, author) for quote in ring.shown(held.quotes, counted)],
            handle=state.handle[2] if state.handle else None,
            model_version=self._model_version,
            revision=state.version,
        )
        return verdict, profile, candidate

    def publish(self, author: str, state: AuthorState, outcome: Outcome) -> None:
        """Judge every brand, and add to the outcome what readers do not have yet.

        For a replay everything is added: the first output may never have been delivered.
        """
        everything = outcome.replayed
        for brand, held in sorted(state.rings.items()):
            key = candidate_key(brand, author)
            verdict, profile, candidate = self.records(author, brand, state)
            before = held.published
            now = Published(digest(profile, before.profile), digest(candidate, before.candidate))
            if not everything and now.profile != before.profile:
                outcome.judgements.append(_judgement(brand, held, verdict))
            if profile is not None and (everything or now.profile != before.profile):
                outcome.profiles.append(profile)
            if candidate is not None and (everything or now.candidate != before.candidate):
                outcome.candidates.append(candidate)
            if now.profile == TOMBSTONE and (everything or before.profile != TOMBSTONE):
                outcome.profile_tombstones.append(key)
            if now.candidate == TOMBSTONE and (everything or before.candidate != TOMBSTONE):
                outcome.candidate_tombstones.append(key)
            held.published = now
            held.state = None if candidate is None else candidate.state

    def _decide(
        self, author: str, brand: str, state: AuthorState, held: Ring, rules: Rules
    ) -> tuple[Standing, Verdict]:
        walked = ring.unbroken(held.days, self._keep_days)
        standing = self._standing(author, brand, state, held, walked)
        return standing, decide(walked, standing, brand, rules, ticked=state.ticked, newest=held.newest)

    def _standing(self, author: str, brand: str, state: AuthorState, held: Ring, walked: Days) -> Standing:
        """Collect what is known of an author besides the ring. Words of ownership count for two windows."""
        known = [c for c in state.customers.values() if c.by_handle is None or c.by_handle in state.handles]
        bio = state.bio[2] if state.bio else Bio()
        platform, _ = parse_author_key(author)
        own_handles = self.brands[brand].handles.get(platform, ())
        excluded = {
            "employee": author in self.brands[brand].employees
            or any(c.employee for c in known)
            or brand in bio.employers,
            "do_not_contact": any(c.do_not_contact for c in known),
            "bot": state.bot is not None and state.bot[2],
            "own_account": any(normal_handle(handle) in state.handles for handle in own_handles),
            "competitor": self._speaks_for_rival(brand, state, bio),
        }
        return Standing(
            platform=platform,
            followers=state.followers[max(state.followers)][2] if state.followers else None,
            growth=tuple((day, seen[2]) for day, seen in state.followers.items()),
            following=state.following[2] if state.following else None,
            bio_themes=bio.themes,
            bio_sells=bio.sells,
            in_crm=bool(known),
            orders=max((c.orders for c in known), default=0),
            owning=ring.count_flag(walked, ring.OWNS),
            evidence=tuple(slot.text for slot in ring.shown(held.evidence, walked)),
            exclusions=tuple(code for code, applies in excluded.items() if applies),
            feedback=state.feedback.get(brand),
        )

    def _speaks_for_rival(self, brand: str, state: AuthorState, bio: Bio) -> bool:
        """Return true if the author has a competitor's handle, or works for one."""
        rivals = self._rivals[brand]
        return not rivals.handles.isdisjoint(state.handles) or any(
            employer.casefold() in rivals.names for employer in bio.employers
        )

    def _linked(self, quote: QuoteSlot, author: str) -> QuoteSlot:
        """Return the quote with an address: its own, else one built from the platform's template."""
        platform, _ = parse_author_key(author)
        template = self._rules.post_urls.get(platform)
        if quote.url or template is None:
            return quote
        return quote._replace(url=template.format(id=quote.post_id.removeprefix(f"{platform}:")))


def digest(record: Profile | Candidate | None, before: int) -> int:
    """Return a digest of a record without its revision. No record gives `TOMBSTONE` if there was one before.

    The lowest four bits are always 8: release 0.1.0 kept a code in three of them, and digests must stay
    comparable with those it stored.
    """
    if record is None:
        return TOMBSTONE if before != NOTHING else NOTHING
    seen = encode(msgspec.structs.replace(record, revision=0))
    bits = int.from_bytes(hashlib.blake2b(seen, digest_size=8).digest(), "little")
    return bits >> 5 << 4 | 8


def _judgement(brand: str, held: Ring, verdict: Verdict | None) -> Judgement:
    if verdict is None:
        return Judgement(brand, held.state, None, "expired", None, ())
    fired = tuple(verdict.severities)
    return Judgement(brand, held.state, verdict.state, verdict.because, verdict.score, fired)


def _rivals(brand: Brand, catalogue: Collection[Brand]) -> _Rivals:
    """Collect the competitors' names and handles. One that is in the catalogue also has its handles there."""
    names = frozenset(name.casefold() for name in brand.competitors)
    handles = {normal_handle("".join(name.split())) for name in brand.competitors}
    for other in catalogue:
        if other.name.casefold() in names:
            handles |= {normal_handle(handle) for of in other.handles.values() for handle in of}
    return _Rivals(names, frozenset(handles))
