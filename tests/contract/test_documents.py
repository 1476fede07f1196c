"""Documents name only what exists, and a test runs every command that they name."""

import re
from pathlib import Path

from models.customer import decode_customer, decode_feedback
from models.post import decode_post
from models.times import instant

ROOT = Path(__file__).parents[2]
README = "\n".join((ROOT / name).read_text() for name in ("README.md", "streams/README.md"))
FOLDERS = ("deploy", "models", "nlp", "streams", "tests")

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
    documents = [*ROOT.glob("*.md"), *(path for name in FOLDERS for path in (ROOT / name).rglob("*.md"))]
    for path in documents:
        text = path.read_text()
        blocks = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
        named = re.findall(r"`make ([\w-]+)", text) + re.findall(r"^make ([\w-]+)", blocks, re.MULTILINE)
        assert set(named) <= targets, path
