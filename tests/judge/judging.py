"""Runs a world through the served text pipeline and the core, day by day, and measures what came of it."""

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
from nlp.records import Enriched, Raw, Result
from streams.offline.backtest import Backtest
from tests.judge import baselines
from tests.judge.people import DAY_S, DAYS
from tests.judge.world import FIRST_DAY, World

END = FIRST_DAY + DAYS * DAY_S
WHOLE = Retention(keep_days=DAYS + 1)
"""a window in which no post of the world is ever too late, whatever order they come in"""
BASELINE_DAYS = 90
Said = tuple[Profile, Candidate | None]
Advance = Callable[[int], object]


class Reader(Enricher):
    """The served text pipeline; it reads a record once, however often it is asked."""

    def __init__(self, world: World) -> None:
        super().__init__(world.settings.brands, world.settings.lawful)
        self._known: dict[Raw, Result] = {}

    def enrich(self, records: Iterable[Raw]) -> list[Result]:
        """As `Enricher.enrich`."""
        asked = list(records)
        unknown = [raw for raw in dict.fromkeys(asked) if raw not in self._known]
        self._known.update(zip(unknown, super().enrich(unknown), strict=True))
        return [self._known[raw] for raw in asked]


class Watching(Fold):
    """The core, and a note of each time the published state enters or leaves `candidate`."""

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self.day = 0
        self.entered: dict[str, list[int]] = defaultdict(list)
        """candidate key -> days"""
        self.left: dict[str, list[str]] = defaultdict(list)
        """candidate key -> why it left, each time"""

    def apply(
        self, author: str, state: AuthorState, event: Event, position: Position, *, today: int = 0
    ) -> Outcome:
        """As `Fold.apply`."""
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
    """What one world came to. Shares are 0..1; days are whole days."""

    seed: int
    posts: int
    fans: int
    """true fans in the wanted tier"""
    findable: int
    """of these, those who said enough of late, see `world.Truth.findable`"""
    board: int
    """candidates at the end, over all brands"""
    recall: float
    """findable fans who are on the board"""
    recall_of_all: float
    """of all true fans in the tier"""
    precision: dict[int, float]
    """k -> share of the first k places held by somebody worth asking; an empty place is a miss"""
    false_flags: dict[str, float]
    """archetype -> share of the board held by those not worth asking"""
    flagged: int
    """who was a candidate at any time"""
    transitions: float
    """times that the state entered or left `candidate`, for each flagged author"""
    entries: float
    """of these, entering: 1 when nobody comes back"""
    left: dict[str, float]
    """of these, leaving, by why"""
    days_to_flag: list[int]
    """for each fan who was flagged: days from when a person could have known"""
    same_in_any_order: bool
    same_when_replayed: bool
    baselines: dict[str, dict[int, float]]
    """ranking -> precision in the same tier"""


@dataclass(slots=True)
class Judged:
    """The figures of a world, and what they were counted from."""

    figures: Figures
    said: dict[str, Said] = field(default_factory=dict)
    texts: dict[str, list[tuple[str, EnrichedPost]]] = field(default_factory=dict)
    """candidate key -> (what the text pipeline calls it, post), oldest first"""


def judge(seed: int, world: World, advance: Advance = lambda _: None) -> Judged:
    """Run the world, and the same records again in other orders; `advance` is told of each day done.

    Days begin one by one for authors of about the wanted size, on whom all eyes are; for the others,
    who cannot be flagged, only the last one does: what is found in the end is the same.
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
    said = {profile.key: (profile, candidate) for profile, candidate in run.profiles()}
    texts = texts_by_key(world, reader)
    figures = _figures(seed, world, [candidate.key for candidate in board(said)], core)
    ranked = baselines.rankings(_recent(texts), world.truth)
    figures.baselines = {name: precision(keys, world) for name, keys in ranked.items()}
    figures.same_in_any_order, figures.same_when_replayed = _determinism(seed, world, reader)
    return Judged(figures, said, texts)


def board(said: Mapping[str, Said]) -> list[Candidate]:
    """Who is a candidate, best first."""
    found = [candidate for _, candidate in said.values() if candidate and candidate.state == "candidate"]
    return sorted(found, key=lambda candidate: (-candidate.score, candidate.key))


def last_day(world: World, reader: Reader) -> dict[str, Said]:
    """Profiles and candidates at the end of the world, by candidate key."""
    run = _run(world, reader, Fold(world.settings.rules))
    run.customers(world.customers)
    run.feedback((value for _, value in world.feedback), _names(world))
    run.posts(value for _, value in world.posts)
    run.tick(END // DAY_S)
    return {profile.key: (profile, candidate) for profile, candidate in run.profiles()}


def precision(ranked: Sequence[str], world: World) -> dict[int, float]:
    """The share of the first 20 and 50 that is worth asking; an empty place is a miss."""
    return {k: sum(world.truth[key].worth for key in ranked[:k]) / k for k in (20, 50)}


def outputs(
    world: World,
    reader: Reader,
    posts: Sequence[bytes],
    *,
    again: Sequence[bytes] = (),
    facts_after: float = 0.0,
) -> list[bytes]:
    """Profiles and candidates (without their revision) when these posts come in this order, and the window
    keeps all of the world.

    `facts_after` is the share of the posts that come before customers and feedback do; `again` comes last.
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
    """Candidate key -> (what the text pipeline calls it, post), each post once, oldest first."""
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
        raise AssertionError(f"the world wrote a record that cannot be used: {letter}")

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
