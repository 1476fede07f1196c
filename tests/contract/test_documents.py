"""Documents name only what exists, and a test runs every command that they name."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.customer import decode_customer, decode_feedback
from models.post import decode_post
from models.times import instant
from streams.settings import Settings
from streams.topics import TOPICS

ROOT = Path(__file__).parents[2]
README = "\n".join((ROOT / name).read_text() for name in ("README.md", "streams/README.md"))
FOLDERS = ("deploy", "models", "nlp", "streams", "tests")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(path for name in FOLDERS for path in (ROOT / name).rglob("*.md"))])
STREAMS = (ROOT / "streams" / "README.md").read_text()

RUN_HERE = {
    "superfan topics list",
    "superfan topics apply",
    "superfan worker",
    "superfan feed FILE",
    "superfan feed posts.jsonl",
    "superfan lag",
    "superfan tick",
    "superfan forget PLATFORM AUTHOR_ID",
    "superfan backtest",
    "superfan backtest --posts posts.jsonl --compare candidate.toml --out results",
    "superfan tune",
    "superfan tune --feedback feedback.jsonl -o candidate.toml",
    "superfan annotate",
    "superfan nlp explain TEXT",
    "superfan candidates list",
    "superfan candidates show KEY",
    "superfan candidates tail",
    "superfan report",
    "superfan dead-letters list",
    "superfan dead-letters show PLACE",
    "superfan doctor",
    "superfan health",
    "superfan config",
    "superfan broker",
}
RUN_ELSEWHERE = {
    "superfan dead-letters replay": "tests/integration/test_dead_letters.py",
    "superfan exporter": "tests/ops/test_live.py",
    "superfan store rebuild": "tests/integration/test_store_rebuild.py",
    "superfan topics accept TOPIC": "tests/integration/test_no_dead_role.py",
    "make demo": "tests/integration/test_demo.py",
    "superfan demo": "tests/integration/test_demo.py",
    "make test": "every run of the tests",
}


def test_every_command_of_the_readme_is_run_by_a_test() -> None:
    """A command that the README names and no test runs would rot."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    named = {line.strip() for block in blocks for line in block.splitlines() if line.strip()}
    named |= set(re.findall(r"^\| `(superfan [^`]+)` \|", README, re.MULTILINE))
    assert named == RUN_HERE | set(RUN_ELSEWHERE)


def test_the_examples_of_the_readme_are_records() -> None:
    """A reader may copy the README's post, customer and feedback: the code accepts each."""
    post, customer, feedback = (
        block.encode() for block in re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    )
    received_ms = instant("2026-11-30T00:00:00Z")
    assert decode_post(post, received_ms=received_ms, lawful=frozenset({"x"}))[0].author.handle == "ana"
    assert decode_customer(customer).orders == 3
    assert decode_feedback(feedback).decision == "accepted"


def test_every_target_that_a_document_names_is_one() -> None:
    """`make X`, in a sentence or in a block of commands of any document, is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for path in DOCUMENTS:
        text = path.read_text()
        blocks = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
        named = re.findall(r"`make ([\w-]+)", text) + re.findall(r"^make ([\w-]+)", blocks, re.MULTILINE)
        assert set(named) <= targets, path


def links(text: str) -> Iterator[str]:
    """Yield the targets of links and pictures that are files of this repository."""
    for target in re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"", text):
        path = "".join(target).partition("#")[0]
        if path and "://" not in path:
            yield path


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(document: Path) -> None:
    """Every relative link and picture of a document is a file or folder of the repository."""
    missing = [path for path in links(document.read_text()) if not (document.parent / path).exists()]
    assert missing == []


def test_every_setting_is_in_the_table() -> None:
    """The table of settings names every key and every section."""
    named = set(
        re.findall(r"`\[*([a-z_]+)[\].]*", STREAMS.partition("## Settings")[2].partition("## Topics")[0])
    )
    assert set(Settings.model_fields) <= named


def test_every_public_topic_is_in_the_table() -> None:
    """The table of topics names every topic that is part of the contract."""
    named = set(re.findall(r"`([a-z-]+)`", STREAMS.partition("## Topics")[2].partition("## Guarantees")[0]))
    assert {topic.name for topic in TOPICS if not topic.internal} <= named
