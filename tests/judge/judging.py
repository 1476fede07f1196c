"""Simulation of a world, day by day, with the text pipeline and the core that ship, and its figures."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from models.author import AuthorState
from models.candidate import Candidate, Profile
from models.events import Event, Position, Tick
from models.fold import Fold
from models.opinion import EnrichedPost
from models.outcome import Outcome
from models.post import candidate_key
from models.record import encode
from models.rules import Retention, Rules
from nlp.enrichment import Enricher
from nlp.records import Enriched, Raw
from nlp.records import Result as Enrichment
from streams.offline.backtest import Backtest
from tests.judge import baselines
from tests.judge.people import DAY_S, DAYS
from tests.judge.world import FIRST_DAY, World

END = FIRST_DAY + DAYS * DAY_S
WHOLE = Retention(keep_days=DAYS + 1)
"""a window that no post of the world misses, in any order"""
BASELINE_DAYS = 90
"""days of posts that the baselines rank by"""
Result = tuple[Profile, Candidate | None]
Advance = Callable[[int], object]


class Reader(Enricher):
    """The enricher, with a cache: it enriches each record once."""

    def __init__(self, world: World) -> None:
        super().__init__(world.settings.brands, world.settings.lawful)
        self._known: dict[Raw, Enrichment] = {}

    def enrich(self, records: Iterable[Raw]) -> list[Enrichment]:
        """Enrich records; see `Enricher.enrich`."""
        asked = list(records)
        unknown = [raw for raw in dict.fromkeys(asked) if raw not in self._known]
        self._known.update(zip(unknown, super().enrich(unknown), strict=True))
        return [self._known[raw] for raw in asked]


class Watching(Fold):
    """The core, with a record of each promotion to `candidate` and each demotion."""

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self.day = 0
        self.entered: dict[str, list[int]] = defaultdict(list)
        """days of promotion, by candidate key"""
        self.left: dict[str, list[str]] = defaultdict(list)
        """reasons of demotion, by candidate key"""

    def apply(
        self, author: str, state: AuthorState, event: Event, position: Position, *, today: int = 0
    ) -> Outcome:
        """Apply an event; see `Fold.apply`."""
        outcome = super().apply(author, state, event, position, today=today)
        for judged in outcome.judgements:
            before, after = judged.before == "candidate", judged.after == "candidate"
            key = candidate_key(judged.brand, author)
            if after and not before:
                self.entered[key].append(self.day)
            elif before and not after:
                self.left[key].append(judged.because)
        return outcome


@dataclass(slots=True)
class Figures:
    """The figures of one world. Shares are from 0 to 1."""

    seed: int
    posts: int
    fans: int
    """true fans in the wanted tier"""
    findable: int
    """fans with enough recent posts, see `world.Truth.findable`"""
    board: int
    """candidates at the end, over all brands"""
    recall: float
    """share of the findable fans that are candidates"""
    recall_of_all: float
    """share of all true fans in the tier that are candidates"""
    precision: dict[int, float]
    """by k: share of the first k ranks with an author worth asking; an empty rank is a miss"""
    false_flags: dict[str, float]
    """by archetype: share of the candidates that are not worth asking"""
    flagged: int
    """authors that were candidates at any time"""
    transitions: float
    """promotions and demotions for each flagged author"""
    entries: float
    """promotions for each flagged author"""
    left: dict[str, float]
    """demotions for each flagged author, by reason"""
    days_to_flag: list[int]
    """for each flagged fan: days from the first moment at which a person could know"""
    same_in_any_order: bool
    """profiles and candidates are the same for shuffled posts"""
    same_when_replayed: bool
    """profiles and candidates are the same after a replay of all posts"""
    baselines: dict[str, dict[int, float]]
    """by ranking: `precision` in the same tier"""


@dataclass(slots=True)
class Judged:
    """The figures of a world, with the data behind them."""

    figures: Figures
    results: dict[str, Result] = field(default_factory=dict)
    """profile and candidate by candidate key"""
    texts: dict[str, list[tuple[str, EnrichedPost]]] = field(default_factory=dict)
    """(label, post) by candidate key, oldest first"""


def judge(seed: int, world: World, advance: Advance = lambda _: None) -> Judged:
    """Simulate the world, then the same records in other orders. `advance(1)` is called after each day.

    Only authors near the wanted size get a tick every day. Others cannot become candidates. They get the last
    tick only, which gives the same result in the end.
    """
    reader = Reader(world)
    core = Watching(world.settings.rules)
    run = _run(world, reader, core)
    run.customers(world.customers)
    first_day = FIRST_DAY // DAY_S
    posts, feedback = _by_day(world.posts), _by_day(world.feedback)
    for day in range(first_day, first_day + DAYS + 1):
        core.day = day
        run.posts(posts.get(day, ()))
        run.feedback(feedback.get(day, ()), _names(world))
        for author in world.watched:
            run.apply(author, Tick(min(day + 1, first_day + DAYS)))
        advance(1)
    run.tick(first_day + DAYS)
    results = {profile.key: (profile, candidate) for profile, candidate in run.profiles()}
    texts = texts_by_key(world, reader)
    figures = _figures(seed, world, [candidate.key for candidate in board(results)], core)
    ranked = baselines.rankings(_recent(texts), world.truth)
    figures.baselines = {name: precision(keys, world) for name, keys in ranked.items()}
    figures.same_in_any_order, figures.same_when_replayed = _determinism(seed, world, reader)
    return Judged(figures, results, texts)


def board(results: Mapping[str, Result]) -> list[Candidate]:
    """Return the candidates, best first."""
    found = [candidate for _, candidate in results.values() if candidate and candidate.state == "candidate"]
    return sorted(found, key=lambda candidate: (-candidate.score, candidate.key))


def last_day(world: World, reader: Reader) -> dict[str, Result]:
    """Return profiles and candidates on the last day, by candidate key."""
    run = _run(world, reader, Fold(world.settings.rules))
    run.customers(world.customers)
    run.feedback((value for _, value in world.feedback), _names(world))
    run.posts(value for _, value in world.posts)
    run.tick(END // DAY_S)
    return {profile.key: (profile, candidate) for profile, candidate in run.profiles()}


def precision(ranked: Sequence[str], world: World) -> dict[int, float]:
    """Return the share of the first 20 and 50 that are worth asking. An empty rank is a miss."""
    return {k: sum(world.truth[key].worth for key in ranked[:k]) / k for k in (20, 50)}


def outputs(
    world: World,
    reader: Reader,
    posts: Sequence[bytes],
    *,
    again: Sequence[bytes] = (),
    facts_after: float = 0.0,
) -> list[bytes]:
    """Return encoded profiles and candidates for posts in this order, with a window over the whole world.

    Revisions are set to 0. Customers and feedback come after the share `facts_after` of the posts. The posts
    `again` come last.
    """
    run = _run(world, reader, Fold(world.settings.rules.model_copy(update={"window": WHOLE})))
    cut = round(len(posts) * facts_after)
    run.posts(posts[:cut])
    run.customers(world.customers)
    run.feedback((value for _, value in world.feedback), _names(world))
    run.posts(posts[cut:])
    run.posts(again)
    run.tick(END // DAY_S)
    return [
        encode(msgspec.structs.replace(record, revision=0))
        for records in run.profiles()
        for record in records
        if record is not None
    ]


def texts_by_key(world: World, reader: Reader) -> dict[str, list[tuple[str, EnrichedPost]]]:
    """Return (label, post) by candidate key, each post once, oldest first."""
    decoder = msgspec.json.Decoder(EnrichedPost)
    found: dict[str, list[tuple[str, EnrichedPost]]] = defaultdict(list)
    values = dict.fromkeys(value for _, value in world.posts)
    for result in reader.enrich([Raw(value, END * 1000) for value in values]):
        if isinstance(result, Enriched):
            enriched = decoder.decode(result.value)
            for opinion in enriched.brands:
                key = candidate_key(opinion.brand, result.author)
                found[key].append((opinion.sentiment.label, enriched))
    return found


def _determinism(seed: int, world: World, reader: Reader) -> tuple[bool, bool]:
    rng = random.Random(seed)
    posts = [value for _, value in world.posts]
    straight = outputs(world, reader, posts)
    twice = [*posts, *rng.sample(posts, len(posts) // 5)]
    shuffled = outputs(world, reader, rng.sample(twice, len(twice)), facts_after=rng.random())
    replayed = outputs(world, reader, posts, again=posts)
    return shuffled == straight, replayed == straight


def _run(world: World, reader: Reader, fold: Fold) -> Backtest:
    def no_dead_letter(letter: object) -> None:
        raise AssertionError(f"the simulator wrote a record that is rejected: {letter}")

    return Backtest(fold=fold, enricher=reader, received_ms=END * 1000, on_dead_letter=no_dead_letter)


def _names(world: World) -> list[str]:
    return [brand.name for brand in world.settings.brands]


def _by_day(records: Iterable[tuple[int, bytes]]) -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = defaultdict(list)
    for at, value in records:
        found[at // DAY_S].append(value)
    return found


def _recent(texts: Mapping[str, Sequence[tuple[str, EnrichedPost]]]) -> dict[str, list[EnrichedPost]]:
    since = (END - BASELINE_DAYS * DAY_S) * 1000
    found = {
        key: [post for _, post in posts if baselines.instant_of(post) >= since]
        for key, posts in texts.items()
    }
    return {key: posts for key, posts in found.items() if posts}


def _figures(seed: int, world: World, board: Sequence[str], core: Watching) -> Figures:
    truth = world.truth
    decided = {key for key, true in truth.items() if true.feedback}
    flagged = set(core.entered) - decided
    fans = {key for key, true in truth.items() if true.worth and true.in_tier}
    findable = [key for key, true in truth.items() if true.findable]
    entries = sum(len(core.entered[key]) for key in flagged)
    exits = Counter(why for key in flagged for why in core.left.get(key, ()))
    wrong = Counter(truth[key].archetype for key in board if not truth[key].worth)
    waited = [
        core.entered[key][0] - ready // DAY_S
        for key in sorted(flagged)
        if truth[key].worth and (ready := truth[key].ready) is not None
    ]
    return Figures(
        seed=seed,
        posts=len(world.posts),
        fans=len(fans),
        findable=len(findable),
        board=len(board),
        recall=len(set(findable) & set(board)) / max(1, len(findable)),
        recall_of_all=len(fans & set(board)) / max(1, len(fans)),
        precision=precision(board, world),
        false_flags={name: count / max(1, len(board)) for name, count in sorted(wrong.items())},
        flagged=len(flagged),
        transitions=(entries + exits.total()) / max(1, len(flagged)),
        entries=entries / max(1, len(flagged)),
        left={why: count / max(1, len(flagged)) for why, count in sorted(exits.items())},
        days_to_flag=waited,
        same_in_any_order=False,
        same_when_replayed=False,
        baselines={},
    )
