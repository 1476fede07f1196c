"""The decision: entering, staying, cooling, exclusions and feedback."""

import pytest

from models.author import FOREVER_MS, AuthorState
from models.brand import Brand
from models.candidate import Candidate
from models.customer import Customer
from models.events import Bio, CountedPost, Event, Position, Tick
from models.facts import CustomerLink, ErasureAsked, FeedbackGiven
from models.fold import Fold
from models.rules import Rules, Weights
from models.times import DAY_MS, day_from_iso
from tests.authors import DAY_0, RULES, deleted, opinion, outputs, post

CRM = CustomerLink(customer_id="c1", by_handle=None, customer=Customer(customer_id="c1", orders=3))
FAN: tuple[Event, ...] = (CRM, *(post(n, n) for n in range(5)))


def candidate(*events: Event, rules: Rules = RULES) -> Candidate | None:
    """Return the candidate record after the events."""
    found = outputs(events, rules)
    return found[0][1] if found else None


def state(*events: Event, rules: Rules = RULES) -> str | None:
    """Return the state of the candidate, or None."""
    found = candidate(*events, rules=rules)
    return found.state if found else None


def test_a_customer_who_praises_on_several_days_is_a_candidate() -> None:
    """Five days of praise by a customer of the wanted tier make a candidate."""
    assert state(*FAN) == "candidate"


def test_one_rave_never_flags() -> None:
    """A single enthusiastic post brings nobody on the board."""
    assert state(CRM, post(1)) is None


def test_praise_on_one_day_is_not_enough() -> None:
    """Many posts on one day are one day of praise."""
    assert state(CRM, *(post(n, 0, ms=n * 60_000) for n in range(9))) is None


@pytest.mark.parametrize("followers", [None, 500, 400_000])
def test_outside_the_wanted_tier_one_is_watched_at_most(followers: int | None) -> None:
    """An author with too few, too many or unknown followers is never a candidate."""
    assert state(CRM, *(post(n, n, followers=followers) for n in range(6))) in {None, "watch"}


def test_who_is_no_customer_is_no_candidate() -> None:
    """Without evidence of being a customer the same posts do not make a candidate."""
    assert state(*FAN[1:]) != "candidate"


def test_own_words_of_ownership_make_a_likely_customer() -> None:
    """Ownership words in the posts stand for the customer file."""
    owned = opinion(evidence=("my new Acme",))
    assert state(*(post(n, n, owned) for n in range(6))) == "candidate"


@pytest.mark.parametrize(
    "customer",
    [Customer(customer_id="c2", employee=True), Customer(customer_id="c2", do_not_contact=True)],
)
def test_employees_and_who_must_not_be_contacted_are_ruled_out(customer: Customer) -> None:
    """An exclusion takes an author off the board at once, whatever the score."""
    assert state(*FAN, CustomerLink(customer_id="c2", by_handle=None, customer=customer)) is None


def test_a_declared_bot_is_ruled_out() -> None:
    """An account that says it is a bot is never a candidate."""
    assert state(*FAN, post(99, 5, bot=True)) is None


RIVALS = Rules(
    brands=(
        Brand(name="Acme", competitors=("Bolt", "Zed Works")),
        Brand(name="Bolt", handles={"x": ("boltshop",)}),
    )
)


@pytest.mark.parametrize(
    "last",
    [
        post(99, 5, handle="BoltShop"),
        post(99, 5, handle="zedworks"),
        post(99, 5)._replace(bio=Bio(employers=("Bolt",))),
        post(99, 5)._replace(bio=Bio(employers=("Zed Works",))),
    ],
)
def test_who_speaks_for_a_competitor_is_ruled_out(last: CountedPost) -> None:
    """By a handle or by the bio; a brand that is nobody's competitor is another matter."""
    assert state(*FAN, last, rules=RIVALS) is None
    assert state(*FAN, last) == "candidate"


def test_the_model_version_names_what_judges() -> None:
    """Another niche, handle or threshold is another judge; another alias or address is not."""
    bare = RULES.model_version
    for update in ({"niche": ("travel",)}, {"handles": {"x": ("acme",)}}, {"competitors": ("Bolt",)}):
        brands = (RULES.brands[0].model_copy(update=update), RULES.brands[1])
        assert RULES.model_copy(update={"brands": brands}).model_version != bare
    assert RULES.model_copy(update={"weights": Weights(niche=0.2)}).model_version != bare
    aliases = (RULES.brands[0].model_copy(update={"aliases": ("acme inc",)}), RULES.brands[1])
    assert RULES.model_copy(update={"brands": aliases}).model_version == bare
    assert RULES.model_copy(update={"post_urls": {"x": "https://example.org/{id}"}}).model_version == bare


def test_sponsored_praise_counts_for_nothing() -> None:
    """Paid posts do not make a candidate."""
    assert state(CRM, *(post(n, n, opinion(sponsored=True)) for n in range(6))) is None


def test_complaints_make_no_candidate() -> None:
    """A customer who complains is not on the board."""
    assert state(CRM, *(post(n, n, opinion(label="negative")) for n in range(6))) is None


def test_a_candidate_who_turns_cools_off() -> None:
    """A month of complaints after the praise take the candidate away."""
    turned = [post(50 + n, 6 + n, opinion(label="negative")) for n in range(30)]
    assert state(*FAN, *turned) == "cooled"


@pytest.mark.parametrize(("days", "expected"), [(10, "declined"), (300, None)])
def test_a_declined_candidate_cools_off_for_180_days(days: int, expected: str | None) -> None:
    """A decline holds for 180 days of evaluated time."""
    declined = FeedbackGiven(brand="Acme", ms=DAY_0, decision="declined")
    later = [post(100 + n, days + n) for n in range(5)]
    found = state(*FAN, declined, *later)
    assert found == (expected or "candidate")


def test_an_accepted_candidate_stays() -> None:
    """An accepted author stays accepted."""
    assert state(*FAN, FeedbackGiven(brand="Acme", ms=DAY_0, decision="accepted")) == "accepted"


def test_inactivity_decays_and_expires() -> None:
    """Ticks lower the score of an inactive candidate and state how long ago the last praise was. After the
    window nothing is left."""
    last = DAY_0 // DAY_MS + len(FAN) - 2
    soon, later = (candidate(*FAN, Tick(last + days)) for days in (45, 46))
    assert soon is not None
    assert later is not None
    assert soon.score > later.score
    assert "silent" not in {said.code for said in soon.watch_outs}
    assert "Has not praised Acme for 46 days" in {said.text for said in later.watch_outs}
    assert outputs([*FAN, Tick(last + 90)]) == []


def test_a_lukewarm_candidate_cools_without_posts() -> None:
    """A candidate who entered narrowly falls below the limit soon, and is demoted after seven days there."""
    doubts = [post(20 + n, 5 + n, opinion(label="negative")) for n in range(6)]
    found = candidate(*FAN, *doubts)
    assert found is not None
    assert found.expires_at is not None
    left = day_from_iso(found.expires_at[:10])
    assert [state(*FAN, *doubts, Tick(day)) for day in (left - 1, left)] == ["candidate", "cooled"]


def test_a_later_post_does_not_undo_days_without_posts() -> None:
    """A neutral post does not undo the cooling of the days before it, nor a complaint a promotion on a day
    without posts."""
    doubts = [post(20 + n, 5 + n, opinion(label="negative")) for n in range(6)]
    found = candidate(*FAN, *doubts)
    assert found is not None
    assert found.expires_at is not None
    left = day_from_iso(found.expires_at[:10]) - DAY_0 // DAY_MS
    assert state(*FAN, *doubts, post(90, left + 1, opinion(label="neutral"))) == "cooled"
    praise = [CRM, *(post(n, 40 * n, opinion(intensity=120)) for n in range(3))]
    assert state(*praise) == "watch"
    complaints = [post(91 + n, 85, opinion(label="negative")) for n in range(2)]
    assert state(*praise, Tick(DAY_0 // DAY_MS + 81)) == state(*praise, *complaints) == "candidate"


LONG = (*FAN, post(5, 50), post(6, 94))


def test_praise_that_leaves_the_window_takes_nobody_off_the_board() -> None:
    """A candidate whose early praise has left the window stays one as long as the score is high enough."""
    found = candidate(*LONG)
    assert found is not None
    assert (found.state, found.why[1].value) == ("candidate", 2)
    assert found.entered_at is not None
    assert day_from_iso(found.entered_at[:10]) < DAY_0 // DAY_MS + 5
    assert state(CRM, *LONG[-2:]) == "watch"


def test_a_gap_of_a_window_is_a_new_beginning() -> None:
    """After 90 days without a post the first one makes no candidate of who was one; after 89 it does."""
    assert state(*FAN, post(5, 94)) is None
    assert state(*FAN, post(5, 93)) == "candidate"


@pytest.mark.parametrize("ticks", [(), (Tick(DAY_0 // DAY_MS + 95),)])
def test_the_deletion_of_a_post_outside_the_window_still_counts(ticks: tuple[Event, ...]) -> None:
    """Praise that was deleted long after brought nobody on the board, whether days begin or not."""
    gone = [deleted(event) for event in FAN if isinstance(event, CountedPost)]
    assert state(*LONG, *ticks) == "candidate"
    assert state(*LONG, *ticks, *gone) == "watch"


def test_an_erased_author_leaves_nothing_and_earlier_posts_stay_out() -> None:
    """After an erasure neither the posts before it nor a replay of them count."""
    erasure = ErasureAsked(ms=DAY_0 + 10 * DAY_MS, forever=False)
    assert outputs([*FAN, erasure]) == []
    assert outputs([*FAN, erasure, *FAN]) == []
    assert outputs([erasure, *FAN]) == []


def test_an_objection_also_keeps_later_posts_out() -> None:
    """An objection suppresses the author for good."""
    assert outputs([ErasureAsked(ms=0, forever=True), *FAN]) == []
    assert FOREVER_MS > DAY_0 * 10


def test_the_explanation_says_why_what_speaks_against_and_what_is_unknown() -> None:
    """A candidate's card has a headline, quotes, the customer evidence, unknowns and a notice date."""
    found = candidate(*FAN, post(60, 3, opinion(label="negative")))
    assert found is not None
    assert found.headline.startswith("A confirmed Acme customer with 20,000 followers praised it in 5 posts")
    assert [reason.code for reason in found.why] == ["enthusiasm", "volume", "customer", "reach"]
    assert 1 <= len(found.why[0].quotes) <= 3
    assert found.customer.evidence == ("in the customer file", "3 orders on file")
    assert [watch_out.code for watch_out in found.watch_outs] == ["criticism"]
    assert len(found.unknown) == 3
    assert found.notice.required
    assert found.notice.due_at is not None
    assert found.cost_band is not None
    assert set(found.lost_points) == {"enthusiasm", "volume", "customer", "reach"}


def test_a_late_post_changes_nothing_and_says_so() -> None:
    """A post older than the window keeps is late, whatever else it says."""
    folding, kept = Fold(RULES), AuthorState()
    folding.apply("x:fan", kept, post(1, 100), Position("enriched", 0))
    outcome = folding.apply("x:fan", kept, post(2, 10), Position("enriched", 1))
    assert (outcome.late, outcome.changed) == (True, False)


def test_a_replay_publishes_again_and_a_duplicate_does_not() -> None:
    """An offset seen again repeats its outputs; the same post at a new offset publishes nothing."""
    folding, kept = Fold(RULES), AuthorState()
    first = folding.apply("x:fan", kept, post(1), Position("enriched", 7))
    again = folding.apply("x:fan", kept, post(1), Position("enriched", 7))
    duplicate = folding.apply("x:fan", kept, post(1), Position("enriched", 8))
    assert again.profiles == first.profiles
    assert again.handle_claims == first.handle_claims == ["fan"]
    assert (duplicate.dirty, duplicate.duplicate, duplicate.profiles) == (False, True, [])


def test_copies_that_differ_only_in_words_or_link_end_alike_in_any_order() -> None:
    """Two copies of a post that count the same leave the same quote and evidence, in any order."""
    bare = post(1, 1, opinion())
    full = post(1, 1, opinion(evidence=("my new Acme",)))._replace(url="https://x.example/1")
    for rest in ([CRM, post(2, 2), post(3, 3)], [post(2, 2), post(3, 3)]):
        one, other = candidate(*rest, bare, full), candidate(*rest, full, bare)
        assert one is not None
        assert other is not None
        assert (one.why, one.customer, one.score) == (other.why, other.customer, other.score)
        assert 'wrote "my new Acme"' in one.customer.evidence
        assert "https://x.example/1" in [quote.url for quote in one.why[0].quotes]


def test_a_quote_without_an_address_gets_its_platforms() -> None:
    """A post that came with a link keeps it; another's is made of the platform's address and its id."""
    rules = RULES.model_copy(update={"post_urls": {"x": "https://example.org/post/{id}"}})
    own = post(7, 6)._replace(url="https://example.org/own", text="the best brand that there ever was")
    for _, found in outputs([*FAN, own], rules):
        assert found is not None
        urls = {quote.url for reason in found.why for quote in reason.quotes}
        assert urls <= {"https://example.org/own", *(f"https://example.org/post/{n}" for n in range(100))}
        assert "https://example.org/own" in urls
        assert len(urls) > 1


def test_a_quote_reads_as_its_author_wrote_it() -> None:
    """The three characters that platforms escape are shown as they are; nothing else is interpreted."""
    said = [post(n, n)._replace(text="Love my Acme &amp; its app &lt;3 &amp;lt; &#27;") for n in range(5)]
    found = candidate(CRM, *said)
    assert found is not None
    assert found.why[0].quotes[0].text == "Love my Acme & its app <3 &lt; &#27;"


@pytest.mark.parametrize("ticks", [(), (Tick(DAY_0 // DAY_MS + 95),)])
def test_an_edit_that_comes_too_late_takes_nothing_out(ticks: tuple[Event, ...]) -> None:
    """A corrected typo in praise that has left the window demotes nobody."""
    corrected = [event._replace(edited_ms=event.ms + 5) for event in FAN if isinstance(event, CountedPost)]
    assert state(*LONG, *ticks, *corrected) == "candidate"
