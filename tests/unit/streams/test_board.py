"""The card in a terminal: nothing of a post steers it."""

import io

import msgspec
from rich.console import Console

from streams.views.board import card
from tests.authors import RULES, outputs
from tests.unit.models.test_decision import FAN


def test_addresses_on_a_card_are_those_of_the_web_without_controls() -> None:
    """A script is no address, and an address brings no control character along."""
    ((profile, candidate),) = outputs(FAN)
    assert candidate is not None
    first, *others = candidate.why
    bad, worse = (
        msgspec.structs.replace(first.quotes[0], url=url)
        for url in ("javascript:alert(1)", "https://x.example/\x1b[31m1")
    )
    hostile = msgspec.structs.replace(
        candidate,
        why=(msgspec.structs.replace(first, quotes=(bad, worse)), *others),
        profile_url="javascript:alert(2)",
    )
    shown = io.StringIO()
    Console(file=shown, width=120).print(card(hostile, profile, RULES))
    assert "\x1b" not in shown.getvalue()
    assert "javascript" not in shown.getvalue()
    assert "https://x.example/" in shown.getvalue()
