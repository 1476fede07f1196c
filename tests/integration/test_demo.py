"""`make demo`, as a new user runs it."""

import json
import re
import subprocess
from pathlib import Path

from models.record import encode
from models.store import Store
from tests.running import differences, without_revision, written
from tests.waiting import STUCK

ROOT = Path(__file__).parents[2]


def test_make_demo_ends_by_itself_with_the_board_of_the_backtest(tmp_path: Path, yardstick: Path) -> None:
    """The demo shows progress, the board and the times, and its store holds what a backtest finds."""
    store, report = tmp_path / "superfan.db", tmp_path / "report.html"
    done = subprocess.run(
        ["make", "-s", "-C", str(ROOT), "demo", f"DEMO_ARGS=--store {store} --report {report}"],
        capture_output=True,
        text=True,
        timeout=STUCK,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    for words in ("14485/14485", "in the wanted tier", "wider board", "records/s", "everything"):
        assert words in re.sub(r"\s+", " ", said)
    assert "Traceback" not in said
    assert "WARNING" not in said
    opened = Store(f"sqlite:///{store}")
    found = {
        "profiles": {p.key: without_revision(json.loads(encode(p))) for p in opened.profiles()},
        "candidates": {c.key: without_revision(json.loads(encode(c))) for c in opened.candidates()},
    }
    opened.close()
    for name, records in found.items():
        assert differences(records, written(yardstick, name)) == []
    page = report.read_text()
    assert "People worth asking, and why" in page
    assert not re.search(r"(?:\bsrc=|<link|@import|url\()", page), "the page loads nothing from elsewhere"
