"""A static web page of the store, without scripts or anything loaded from elsewhere.

The same store, settings and options give the same bytes: the clock is not read.
"""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from models.candidate import Candidate, DayCounts, Profile
from models.errors import SuperfanError
from models.explanation import MAX_SHOWN_QUOTES
from models.rules import Rules
from models.store import Store
from models.tables import COSTS_READ
from streams.settings import Settings
from streams.views.card_content import (
    MEANING,
    SHOWN_DAYS,
    STATES,
    Part,
    last_days,
    missing,
    parts,
    summed,
    surfaces,
)
from streams.views.safe_text import plain, web_link

MAX_CARDS = 60
Advance = Callable[[int], object]


class ReportError(SuperfanError):
    """The page cannot be written."""


class Written(NamedTuple):
    """The number of cards on a page, and of authors that matched."""

    cards: int
    found: int


class Card(NamedTuple):
    """A candidate as the page shows it. `days` is empty without a profile in the store."""

    candidate: Candidate
    parts: list[Part]
    days: list[tuple[str, DayCounts]]
    missing: list[str]
    marked: Callable[[str], Markup]
    """a text with the names of the brand marked"""


class Voice(NamedTuple):
    """The opinions of a brand on the days shown; `share` (0..1) is its share of all posts about brands."""

    brand: str
    authors: int
    days: list[tuple[str, DayCounts]]
    counts: DayCounts
    posts: int
    share: float


def write_report(
    target: Path,
    store: Store,
    settings: Settings,
    *,
    brand: str | None = None,
    states: Sequence[str] | None = None,
    limit: int = MAX_CARDS,
    advance: Advance = lambda _: None,
) -> Written:
    """Write the page, ordered by state, then by score; `-` is standard output.

    Calls `advance(1)` for every profile it reads. Raises `ReportError` and `StoreError`.
    """
    everyone = sorted(
        store.candidates(brand=brand, states=states), key=lambda c: (STATES.index(c.state), -c.score, c.key)
    )
    shown, rules = everyone[:limit], settings.rules
    profiles, voices, last = _read_profiles(store, settings, {c.key for c in shown}, advance)
    page = (
        _environment()
        .get_template("report.html")
        .render(
            cards=[_card(candidate, profiles.get(candidate.key), rules) for candidate in shown],
            found=len(everyone),
            in_state=Counter(candidate.state for candidate in everyone),
            states=STATES,
            only_brand=brand,
            voices=voices,
            other_rivals=sorted(
                {rival for b in settings.brands for rival in b.competitors}
                - {b.name for b in settings.brands}
            ),
            last=last,
            shown_days=SHOWN_DAYS,
            meanings=MEANING,
            rules=rules,
            settings_used=_settings_used(rules),
            costs_read=COSTS_READ,
            most_quotes=MAX_SHOWN_QUOTES,
        )
    )
    try:
        if str(target) == "-":
            sys.stdout.buffer.write(page.encode())
        else:
            target.write_text(page, encoding="utf-8")
    except BrokenPipeError:  # the reader has closed the pipe: no error of the page
        raise
    except OSError as error:
        raise ReportError(
            f"{target} cannot be written",
            error.strerror or str(error),
            "name a file in a folder that exists and may be written to",
        ) from None
    return Written(len(shown), len(everyone))


def _card(candidate: Candidate, profile: Profile | None, rules: Rules) -> Card:
    return Card(
        candidate=candidate,
        parts=parts(candidate, rules),
        days=last_days(profile.days, profile.evaluated_on) if profile else [],
        missing=missing(candidate, profile, rules),
        marked=_marker(rules, candidate.brand, candidate.platform),
    )


def _marker(rules: Rules, brand: str, platform: str) -> Callable[[str], Markup]:
    pattern = surfaces(rules, brand, platform)

    def mark(text: str) -> Markup:
        pieces, end = [], 0
        text = plain(text)
        for match in pattern.finditer(text):
            pieces += [escape(text[end : match.start()]), Markup("<mark>{}</mark>").format(match[0])]
            end = match.end()
        return Markup("").join([*pieces, escape(text[end:])])

    return mark


def _read_profiles(
    store: Store, settings: Settings, wanted: set[str], advance: Advance
) -> tuple[dict[str, Profile], list[Voice], str | None]:
    """Return the wanted profiles by key, the opinions of each brand, and the last day of the store."""
    profiles: dict[str, Profile] = {}
    by_brand: dict[str, dict[str, Counter[str]]] = {brand.name: {} for brand in settings.brands}
    writers: dict[str, Counter[str]] = {brand.name: Counter() for brand in settings.brands}
    last = None
    for profile in store.profiles():
        advance(1)
        last = max(last or "", profile.evaluated_on)
        if profile.key in wanted:
            profiles[profile.key] = profile
        if profile.brand in by_brand:
            writers[profile.brand][max(profile.days)] += 1
            for day, count in profile.days.items():
                by_brand[profile.brand].setdefault(day, Counter()).update(
                    positive=count.positive, neutral=count.neutral, negative=count.negative
                )
    if last is None:
        return {}, [], None
    voices = []
    for name, counted in by_brand.items():
        days = last_days({day: DayCounts(**count) for day, count in counted.items()}, last)
        counts = summed(days)
        posts = counts.positive + counts.neutral + counts.negative
        authors = sum(n for day, n in writers[name].items() if day >= days[0][0])
        voices.append(Voice(name, authors, days, counts, posts, 0.0))
    total = sum(voice.posts for voice in voices)
    voices = [voice._replace(share=voice.posts / total if total else 0.0) for voice in voices]
    return profiles, sorted(voices, key=lambda voice: (-voice.posts, voice.brand)), last


def _settings_used(rules: Rules) -> list[tuple[str, str]]:
    """Return the settings that decide, by their names in `superfan.toml`."""
    found = rules.model_dump(mode="json", include={"tiers", "customers", "window", "weights", "thresholds"})
    return [
        (f"{section}.{name}", ", ".join(value) if isinstance(value, list) else str(value))
        for section, values in found.items()
        for name, value in values.items()
    ]


@cache
def _environment() -> Environment:
    def tidy(value: Any) -> Any:
        """Make a text that a template prints plain; it is escaped afterwards."""
        return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        loader=PackageLoader("streams.views", "templates"),
        autoescape=True,
        finalize=tidy,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["web"] = web_link
    environment.filters["summed"] = summed
    environment.filters["number"] = lambda n: f"{n:,}"
    environment.filters["percent"] = lambda part, of=1: f"{100 * part / of:.0f} %" if of else "–"
    return environment
