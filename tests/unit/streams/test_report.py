"""The page of `superfan report`: everything on it is the record's, and no post can do anything to it."""

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest

from models.author import AuthorState
from models.brand import Brand
from models.candidate import Candidate, Profile, Reason, WatchOut
from models.customer import Customer
from models.events import Event, Position
from models.facts import CustomerLink
from models.fold import Fold
from models.rules import Rules
from models.store import Store
from streams.settings import DEMO_CONFIG, Settings, load
from streams.views.card_content import MEANING
from streams.views.report import write_report
from tests.authors import RULES, opinion, post

CRM = CustomerLink(customer_id="c1", by_handle=None, customer=Customer(customer_id="c1", orders=3))
HOSTILE = (
    '<script>alert(1)</script> I love Acme "so" much',
    "Acme <img src=x onerror=alert(1)> made my day, lovely",
    "\u202eAcme is lovely\u200b\u0000 and this is turned round \x1b[31m",
    "A" * 150 + " Acme",
    "so h\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301appy with Acme today, thank you",
)


class Seen(HTMLParser):
    """The elements of a page, its texts, and its table rows as lists of cells."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self._texts: list[str] = []
        self._in_cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record an element."""
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
            self._in_cell = True

    def handle_data(self, data: str) -> None:
        """Record a text."""
        self._texts.append(data)
        if self._in_cell:
            self.rows[-1][-1] += data

    def handle_endtag(self, tag: str) -> None:
        """Close a cell."""
        self._in_cell = self._in_cell and tag not in {"td", "th"}

    @property
    def words(self) -> str:
        """The text of a page, on one line."""
        return re.sub(r"\s+", " ", "".join(self._texts))


def hostile() -> list[Event]:
    """Return the events of a fan whose texts hold markup and controls."""
    return [
        CRM,
        *(
            post(n, n, opinion(intensity=250 - n), handle="<b>\u202efan</b>")._replace(
                text=text, url=f"javascript:alert({n})", reactions=40, themes=1
            )
            for n, text in enumerate(HOSTILE)
        ),
        post(9, 6, opinion(label="negative")),
    ]


def stored(folder: Path, *authors: tuple[str, Sequence[Event]], rules: Rules = RULES) -> Store:
    """Return a store with the records that the events of each author give."""
    store = Store(f"sqlite:///{folder}/store.db")
    store.migrate()
    for author, events in authors:
        folding, state = Fold(rules), AuthorState()
        for offset, event in enumerate(events):
            folding.apply(author, state, event, Position("enriched", offset))
        for record in folding.current(author, state):
            store.apply([one for one in record if one is not None])
    return store


@pytest.fixture
def settings() -> Settings:
    """The demo's settings, with the brands of these tests."""
    niche = Brand(name="Acme", niche=("travel",))
    return load(DEMO_CONFIG).model_copy(update={"brands": (niche, Brand(name="Bolt", competitors=("Cog",)))})


def page_of(store: Store, settings: Settings, folder: Path) -> str:
    """Return the page of a store."""
    write_report(folder / "page.html", store, settings)
    return (folder / "page.html").read_text()


def test_no_post_does_anything_to_the_page(settings: Settings, tmp_path: Path) -> None:
    """Markup in texts, handles and addresses is text, addresses that are scripts are none, and nothing
    turns the page round or covers it."""
    store = stored(tmp_path, ("x:fan", hostile()), rules=settings.rules)
    page = page_of(store, settings, tmp_path)
    seen = Seen(page)
    assert "<script>alert(1)</script> I love Acme" in seen.words
    assert "<img src=x onerror=alert(1)> made my day" in seen.words
    assert {"script", "img", "iframe", "object", "form", "link", "b"}.isdisjoint(
        tag for tag, _ in seen.elements
    )
    for _, attributes in seen.elements:
        assert not any(name.startswith("on") or name == "src" for name in attributes)
        assert not (attributes.get("href") or "").startswith("javascript")
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\x00\x1b]", page)
    assert "\u0301" * 5 not in page
    assert "url(" not in page
    assert "@import" not in page


def test_every_number_of_a_card_is_the_records(settings: Settings, tmp_path: Path) -> None:
    """Score, components, points lost, days, followers, cost and dates are those of candidate and profile."""
    store = stored(tmp_path, ("x:fan", hostile()), rules=settings.rules)
    candidate, profile = store.candidate("Acme/x:fan"), store.profile("Acme/x:fan")
    assert isinstance(candidate, Candidate)
    assert isinstance(profile, Profile)
    page = page_of(store, settings, tmp_path)
    seen = Seen(page)
    words = seen.words
    card = words[words.index("of 100 points") - 200 : words.index("A post about several brands")]
    assert candidate.headline in card
    reasons: list[Reason | WatchOut] = [*candidate.why, *candidate.watch_outs]
    for reason in reasons:
        assert reason.text in card
    for text in candidate.unknown:
        assert text.lower() in card.lower()
    named = {f"{name}{meaning}": name for name, meaning in MEANING.items()}
    values = {named[row[0]]: row[2:] for row in seen.rows if row and row[0] in named}
    for name, value in candidate.components.items():
        shown = values[name]
        lost = candidate.lost_points.get(name)
        if value is None:
            assert shown == ["not known"]
        else:
            assert (shown[0], shown[2]) == (f"{value:.2f}", f"−{lost}" if lost else "0")
    windows = profile.windows["90d"]
    for count, label in ((windows.positive, "positive"), (windows.negative, "negative")):
        assert f"{count} {label}" in card
    assert f"{candidate.score} of 100 points" in card
    assert f"{candidate.tier.followers:,} followers" in card
    assert "I love <mark>Acme</mark>" in page
    assert "in 90 days" in card
    for day, counts in profile.days.items():
        shown_counts = f"{counts.positive} positive, {counts.neutral} neutral, {counts.negative} negative"
        assert f"<title>{day}: {shown_counts}</title>" in page
    assert candidate.cost_band is not None
    assert f"{candidate.cost_band.low:,} to {candidate.cost_band.high:,} USD" in card
    assert candidate.expires_at is not None
    assert candidate.expires_at[:10] in card
    assert candidate.model_version in card


def test_the_same_store_gives_the_same_bytes(settings: Settings, tmp_path: Path) -> None:
    """In whatever order the authors came into the store."""
    authors: list[tuple[str, list[Event]]]
    authors = [(f"x:{n}", [CRM, *(post(10 * n + day, day) for day in range(4))]) for n in range(4)]
    pages = []
    for number, order in enumerate((authors, authors[::-1])):
        folder = tmp_path / str(number)
        folder.mkdir()
        store = stored(folder, *order, rules=settings.rules)
        pages += [page_of(store, settings, folder), page_of(store, settings, folder)]
    assert len(set(pages)) == 1


def test_an_empty_store_says_what_to_do(settings: Settings, tmp_path: Path) -> None:
    """A page without anybody names the commands that bring somebody."""
    words = Seen(page_of(stored(tmp_path), settings, tmp_path)).words
    assert "superfan feed" in words
    assert "superfan worker" in words


def test_brands_are_compared_by_what_is_said_of_them(settings: Settings, tmp_path: Path) -> None:
    """Share of voice and sentiment are counted from the profiles; a rival that is no brand is named."""
    about = [post(n, n % 3, opinion("Acme")) for n in range(6)]
    about += [post(20 + n, n, opinion("Bolt", "negative")) for n in range(2)]
    seen = Seen(page_of(stored(tmp_path, ("x:fan", [CRM, *about])), settings, tmp_path))
    by_brand = {row[0]: row[2:] for row in seen.rows if row and row[0] in {"Acme", "Bolt"}}
    assert by_brand == {
        "Acme": ["6", "75 %", "1", "6 100 %", "0 0 %", "0 0 %"],
        "Bolt": ["2", "25 %", "1", "0 0 %", "0 0 %", "2 100 %"],
    }
    assert "not brands of the settings: Cog" in seen.words
