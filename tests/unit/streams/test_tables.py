"""Tables in a terminal are safe, even if a record was written by an attacker."""

import pytest

from streams.views.tables import print_findings, print_table

HOSTILE = '{"a\\[/x]": "[red]\x1b]0;title\x07\x00\x9b31m\u202e end\\"'


def test_a_record_is_neither_markup_nor_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets and backslashes stand as they were sent; what would steer the terminal is a dot."""
    print_table([{"payload": HOSTILE, "there": True, "nothing": None}])
    print_findings([("store", False, HOSTILE, HOSTILE)])
    shown = capsys.readouterr().out
    assert '{"a\\[/x]": "[red]·]0;title··' in shown
    assert shown.count("end\\") == 3
    assert not {c for c in shown if not c.isprintable()} - {"\n"}
