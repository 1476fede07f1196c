"""A simulated world with known truth: brands, people, their posts, and the authors worth asking.

It uses no number or rule of the scorer. Texts come from `tests.judge.texts`. The same seed and texts give the
same bytes.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from models.brand import Brand
from models.post import author_key, candidate_key
from streams.settings import Settings, Source
from tests.judge import phrases
from tests.judge.people import DAY_S, DAYS, HOURS, MIXES, MOODS, PLATFORMS, TRAITS, Archetype, Person, people
from tests.judge.texts import Mood, Sentence, Texts

FIRST_DAY = round(datetime(2026, 7, 1, tzinfo=UTC).timestamp())
WANTED = (10_000, 60_000)
"""followers that a marketer wants: least, and limit (excluded)"""
ENOUGH, LOOKED_AT, LATELY = 3, 90, 30
"""needed to recognise a fan: days with praise, among this many last days, one of them this recent"""
AUTHORS = 3_000
REDELIVERED = 0.04
"""share of posts that arrive twice"""
COMMENTED = 0.03
"""share of posts with comments"""
IN_FILE = 0.55
"""share of the customers in the customer file"""
OWNING = 0.25
"""share of a customer's praises and gripes with words of a customer appended"""

CATALOGUE = (
    ("airline", Brand(
        name="Aerolume", aliases=("Aerolume Airlines",), hashtags=("flyaerolume",), products=("LumeMiles",),
        handles={"x": ("flyaerolume",), "instagram": ("aerolume",), "bluesky": ("aerolume.example",)},
        competitors=("Skyvane", "Nimbair"), niche=("travel", "aviation"),
    )),
    ("tech", Brand(
        name="Nordquill", aliases=("Nord Quill",), hashtags=("nordquill",), products=("QuillPad",),
        handles={"x": ("nordquill",), "instagram": ("nordquill",), "bluesky": ("nordquill.example",)},
        competitors=("Tessaro",), niche=("tech", "photography"),
    )),
    ("goods", Brand(
        name="Velstra", aliases=("Velstra Outdoor",), hashtags=("velstra",), products=("Velstra Ridge",),
        handles={"x": ("velstra_hq",), "instagram": ("velstra",)},
        competitors=("Korrigan", "Alpenfox"), niche=("outdoors", "fitness"),
    )),
    ("games", Brand(
        name="Pixelbarn", aliases=("Pixel Barn",), hashtags=("pixelbarn",), products=("Hollowmere",),
        handles={"x": ("pixelbarn",), "instagram": ("pixelbarn",), "bluesky": ("pixelbarn.example",)},
        competitors=("Grimlight",), niche=("gaming",),
    )),
)  # fmt: skip
"""kind of brand, and the brand; all names are invented"""


@dataclass(slots=True)
class Truth:
    """The true facts about one author and one brand."""

    archetype: Archetype
    worth: bool
    """True if a marketer should ask the author: a fan and customer, and nothing forbids it"""
    followers: int | None
    """followers on the last day, None if the platform does not show them"""
    customer_in_file: bool
    praises: list[int] = field(default_factory=list)
    """times of unpaid praise, in epoch seconds"""
    says_customer: int | None = None
    """time of the first post with words of a customer, in epoch seconds"""
    feedback: str | None = None
    note: str = ""

    @property
    def in_tier(self) -> bool:
        """True if the number of followers is known and wanted."""
        return self.followers is not None and WANTED[0] <= self.followers < WANTED[1]

    @property
    def findable(self) -> bool:
        """True if a person who reads all posts would recognise a fan: enough praise, and recent praise."""
        end = FIRST_DAY + DAYS * DAY_S
        seen = [at for at in self.praises if at >= end - LOOKED_AT * DAY_S]
        return (
            self.worth
            and self.in_tier
            and self.feedback in {None, "contacted"}
            and self.ready is not None
            and len({at // DAY_S for at in seen}) >= ENOUGH
            and max(seen) >= end - LATELY * DAY_S
        )

    @property
    def ready(self) -> int | None:
        """Time from which the author is recognisable: praise on `ENOUGH` days and a sign of a customer."""
        days: dict[int, int] = {}
        for at in sorted(self.praises):
            days.setdefault(at // DAY_S, at)
        customer = 0 if self.customer_in_file else self.says_customer
        if len(days) < ENOUGH or customer is None:
            return None
        return max(sorted(days.values())[ENOUGH - 1], customer)


@dataclass(slots=True)
class World:
    """The records of a world, and the truth by candidate key."""

    settings: Settings
    posts: list[tuple[int, bytes]] = field(default_factory=list)
    """(time of arrival in epoch seconds, record), by arrival"""
    customers: list[bytes] = field(default_factory=list)
    feedback: list[tuple[int, bytes]] = field(default_factory=list)
    truth: dict[str, Truth] = field(default_factory=dict)
    watched: list[str] = field(default_factory=list)
    """author keys of people whose followers came near the wanted number at some time"""


def build(seed: int, texts: Texts, *, authors: int = AUTHORS) -> World:
    """Build the world of a seed, with about this many authors and five posts each."""
    return _Builder(random.Random(seed), texts, authors).world


def settings_for(employees: frozenset[str] = frozenset()) -> Settings:
    """Return the settings of the simulation. `employees` are author keys that the brands list."""
    brands = tuple(brand.model_copy(update={"employees": employees}) for _, brand in CATALOGUE)
    basis = Source(lawful_basis="invented people")
    return Settings(brands=brands, sources=dict.fromkeys(PLATFORMS, basis))


class _Builder:
    def __init__(self, rng: random.Random, texts: Texts, authors: int) -> None:
        self._rng = rng
        self._texts = texts
        self._brands = [brand for _, brand in CATALOGUE]
        self._people = people(rng, authors, self._brands)
        self._number = 0
        listed = frozenset(_key(p) for p in self._people if p.employed == "list")
        self.world = World(settings_for(listed))
        self._posts: list[tuple[int, dict[str, Any]]] = []
        self._never_ask: set[str] = set()
        self._in_file: set[str] = set()
        self.world.watched = [
            _key(p) for p in self._people if _is_about(p.followers_on(0), p.followers_on(DAYS))
        ]
        self._write_customer_file()
        for person in self._people:
            self._write(person)
        self._write_comments()
        self._deliver()
        self._write_feedback()

    # --- who is a customer

    def _write_customer_file(self) -> None:
        rng = self._rng
        for number, person in enumerate(self._people):
            declared = person.employed == "file"
            if not declared and not (person.customer and rng.random() < IN_FILE):
                continue
            by_handle = rng.random() < 0.5
            account = {"handle": _spelled(rng, person.handle)} if by_handle else {"author_id": person.id}
            record: dict[str, Any] = {
                "customer_id": f"c-{number}",
                "handles": [{"platform": person.platform, **account}],
                "orders": rng.choice((None, 0, 1, 1, 2, 3, 5, 8)),
                "employee": True if declared else None,
            }
            if rng.random() < 0.02:
                record["do_not_contact"] = True
                self._never_ask.add(person.id)
            self._in_file.add(person.id)
            self.world.customers.append(msgspec.json.encode(record))
        rng.shuffle(self.world.customers)

    def _truth(self, person: Person, brand: int) -> Truth:
        key = candidate_key(self._brands[brand].name, _key(person))
        if key not in self.world.truth:
            at_home = brand == person.brand or person.archetype in {"bot", "giveaway", "reseller"}
            self.world.truth[key] = Truth(
                archetype=person.archetype if at_home else "passer_by",
                worth=person.archetype == "fan" and at_home and person.id not in self._never_ask,
                followers=person.followers_on(DAYS - 1) if person.shows_followers else None,
                customer_in_file=person.id in self._in_file,
                note=person.note,
            )
        return self.world.truth[key]

    # --- what they say

    def _write(self, person: Person) -> None:
        copies: list[str] = []
        for at in self._moments(person):
            elsewhere = {"giveaway": 0.75, "bot": 0.3, "reseller": 0.3}.get(person.archetype, 0.06)
            brand = self._rng.randrange(len(self._brands)) if self._rng.random() < elsewhere else person.brand
            if person.archetype == "bot":
                self._write_as_bot(person, brand, at, copies)
            elif self._rng.random() < TRAITS[person.archetype].special and (
                brand == person.brand or person.archetype in {"giveaway", "reseller"}
            ):
                self._write_special(person, brand, at)
            else:
                self._write_plain(person, brand, at)

    def _write_plain(self, person: Person, brand: int, at: int) -> None:
        rng = self._rng
        at_home = brand == person.brand or person.archetype == "giveaway"
        mood = rng.choices(MOODS, person.moods if at_home else (0.3, 0.5, 0.2))[0]
        truth = self._truth(person, brand)
        owning = person.customer and at_home
        drawn = rng.random()
        if drawn < 0.015:
            contest = self._filled(rng.choice(phrases.GIVEAWAY), person, brand)
            self._post(person, at, contest)  # now and then everybody takes part
            return
        if person.second_language and drawn < 0.25:
            text = self._filled(rng.choice(phrases.FOREIGN[mood]), person, brand)
        else:
            sentence = self._sentence(person, brand, mood, owning=owning)
            text = sentence.about(self._surface(person, brand))
            if owning and mood != "neutral" and rng.random() < OWNING and len(text) < 220:
                text = f"{text} {self._ownership(brand, mood)}"
                truth.says_customer = min(at, truth.says_customer or at)
        if rng.random() < 0.12:
            text = f"{text} {phrases.NICHE_TAGS[rng.choice(self._brands[brand].niche)]}"
        if rng.random() < 0.02:
            self._post(person, at, f"RT @{rng.choice(self._people).handle}: {text}")
            return
        if mood == "praise":
            truth.praises.append(at)
        self._post(person, at, text)

    def _write_special(self, person: Person, brand: int, at: int) -> None:
        """Write a post of the archetype's own kind."""
        rng = self._rng
        sponsored = None
        self._truth(person, brand)
        if person.archetype == "giveaway":
            text = self._filled(rng.choice(phrases.GIVEAWAY), person, brand)
        elif person.archetype == "sponsored":
            praise = self._sentence(person, brand, "praise", owning=True).about(self._surface(person, brand))
            text = self._filled(rng.choice(phrases.SPONSORED), person, brand)
            if person.paid == "flag":
                text, sponsored = rng.choice((text, praise)), True
            elif person.paid == "hashtag":
                text = f"{rng.choice((text, praise))} {rng.choice(phrases.SPONSOR_MARKS)}"
        elif person.archetype == "employee":
            text = self._filled(rng.choice(phrases.STAFF), person, brand)
        elif person.archetype == "reseller":
            text = self._filled(rng.choice(phrases.PITCH), person, brand)
        elif person.archetype == "ironic":
            if rng.random() < 0.5:
                text = self._filled(rng.choice(phrases.IRONY), person, brand)
            else:
                text = rng.choice(self._texts.irony).about(self._surface(person, brand))
        else:
            text = self._filled(rng.choice(phrases.RIVALRY), person, brand)
        self._post(person, at, text, sponsored=sponsored)

    def _write_as_bot(self, person: Person, brand: int, at: int, copies: list[str]) -> None:
        rng = self._rng
        self._truth(person, brand)
        if person.templates and len(copies) >= person.templates:
            text = self._altered(rng.choice(copies))
        else:
            text = self._sentence(person, brand, "praise", owning=True).about("{}")
            copies.append(text)
        self._post(person, at, text.replace("{}", self._surface(person, brand)))

    def _altered(self, text: str) -> str:
        """Return a copy with a small change at its end."""
        rng = self._rng
        tail = rng.choice(
            ("!", "!!", " 😍", " 🔥🔥", " #love", " #best", f" {rng.randrange(100)}", " wow", "")
        )
        return f"{text.rstrip('.!')}{tail}"

    def _sentence(self, person: Person, brand: int, mood: Mood, *, owning: bool) -> Sentence:
        mix = MIXES[CATALOGUE[brand][0]]
        for _ in range(8):
            sentence = self._texts.draw(self._rng, mood, mix, owning=owning)
            if sentence.pieces[0] + sentence.pieces[-1] not in person.used:
                break
        person.used.add(sentence.pieces[0] + sentence.pieces[-1])
        return sentence

    def _filled(self, phrase: str, person: Person, brand: int) -> str:
        named = self._brands[brand]
        return (
            phrase.replace("{}", self._surface(person, brand))
            .replace("{handle}", _handle(named, person.platform))
            .replace("{rival}", self._rng.choice(named.competitors))
        )

    def _ownership(self, brand: int, mood: Mood) -> str:
        """Return words of a customer that suit the mood."""
        if CATALOGUE[brand][0] == "airline":
            return self._rng.choice(phrases.FLOWN)
        return self._rng.choice(phrases.OWNERSHIP + (phrases.FOND if mood == "praise" else ()))

    def _surface(self, person: Person, brand: int) -> str:
        """Return a name of the brand, in one of its forms."""
        named = self._brands[brand]
        drawn = self._rng.random()
        if drawn < 0.45 and person.platform in named.handles:
            return f"@{_handle(named, person.platform)}"
        if drawn < 0.55:
            return f"#{named.hashtags[0]}"
        return named.name if drawn < 0.92 else named.aliases[0]

    # --- when, and how far it goes

    def _moments(self, person: Person) -> Iterator[int]:
        rng = self._rng
        if person.period is not None:
            at = FIRST_DAY + rng.randrange(DAY_S * 20)
            for _ in range(max(person.posts, 16)):
                at += person.period + rng.randrange(-90, 90)
                if at < FIRST_DAY + DAYS * DAY_S:
                    yield at
            return
        first, last = person.active
        if person.archetype == "one_hit":
            first = last = rng.randrange(first, last + 1)
        for _ in range(person.posts):
            hour = (rng.choices(range(24), HOURS)[0] - person.phase) % 24
            yield FIRST_DAY + rng.randint(first, last) * DAY_S + hour * 3600 + rng.randrange(3600)

    def _post(
        self, person: Person, at: int, text: str, *, sponsored: bool | None = None,
        reply_to: dict[str, str] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        rng = self._rng
        self._number += 1
        day = (at - FIRST_DAY) // DAY_S
        followers = person.followers_on(day)
        likes = round(followers * person.rate * rng.lognormvariate(0, 0.6))
        kind = "comment" if reply_to else rng.choices(("mention", "hashtag"), (0.85, 0.15))[0]
        post = {
            "id": f"{person.platform}:{self._number + 7_000_000}",
            "platform": person.platform,
            "kind": kind,
            "text": text,
            "created_at": datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z"),
            "author": {
                "id": person.id,
                "handle": person.handle,
                "bio": person.bio,
                "followers": followers if person.shows_followers and rng.random() < 0.95 else None,
                "following": person.following if person.shows_followers else None,
                "bot": person.bot_flag or None,
            },
            "url": f"https://{person.platform}.example/{person.handle}/{self._number}",
            "reply_to": reply_to,
            "metrics": {"likes": likes, "comments": round(likes * 0.08), "shares": round(likes * 0.05)}
            if person.shows_reactions
            else None,
            "sponsored": sponsored,
        }
        self._posts.append((at, post))
        return post

    def _write_comments(self) -> None:
        """Write comments of others on some posts, and answers of the authors."""
        rng = self._rng
        by_platform: dict[str, list[Person]] = {}
        for person in self._people:
            if person.archetype in {"passer_by", "fan", "silent"}:
                by_platform.setdefault(person.platform, []).append(person)
        authors = {person.id: person for person in self._people}
        end = FIRST_DAY + DAYS * DAY_S - 1
        for at, post in list(self._posts):
            author = authors[post["author"]["id"]]
            if rng.random() > COMMENTED or author.archetype == "bot":
                continue
            for guest in rng.sample(by_platform[author.platform], rng.randrange(1, 4)):
                if guest is author:
                    continue
                then = min(end, at + round(rng.expovariate(1 / 7_200)))
                to = {"id": post["id"], "author_id": author.id}
                comment = self._post(guest, then, rng.choice(phrases.NOTHING_NAMED), reply_to=to)
                if rng.random() < author.answers:
                    back = {"id": comment["id"], "author_id": guest.id}
                    later = min(end, then + round(rng.expovariate(1 / 7_200)))
                    self._post(author, later, rng.choice(phrases.ANSWERS), reply_to=back)

    def _deliver(self) -> None:
        """Order posts by arrival. Some arrive a second time, within two days."""
        rng = self._rng
        for at, post in self._posts:
            record = msgspec.json.encode(post)
            self.world.posts.append((at, record))
            if rng.random() < REDELIVERED:
                self.world.posts.append((at + rng.randrange(2 * DAY_S), record))
        self.world.posts.sort(key=lambda sent: sent[0])

    def _write_feedback(self) -> None:
        """Write decisions of a marketer about a few fans."""
        fans = sorted(key for key, truth in self.world.truth.items() if truth.worth and truth.in_tier)
        at = FIRST_DAY + 100 * DAY_S
        for key in self._rng.sample(fans, min(6, len(fans) // 10)):
            decision = self._rng.choice(("accepted", "declined", "contacted"))
            self.world.truth[key].feedback = decision
            self.world.feedback.append(
                (at, msgspec.json.encode({"key": key, "decision": decision, "at": at}))
            )


def _key(person: Person) -> str:
    return author_key(person.platform, person.id)


def _is_about(first: int, last: int) -> bool:
    """Return True if followers that grew from `first` to `last` came near the wanted number."""
    return last >= 0.8 * WANTED[0] and first < 1.25 * WANTED[1]


def _handle(brand: Brand, platform: str) -> str:
    return brand.handles.get(platform, (brand.name.lower(),))[0]


def _spelled(rng: random.Random, handle: str) -> str:
    """Return the handle as a person might type it into a form."""
    return rng.choice((handle, f"@{handle}", handle.upper()))
