"""The libraries that a worker of each role holds in memory."""

import subprocess
import sys

import pytest

from streams.roles import Role

HEAVY = {"alembic", "jinja2", "numpy", "requests", "rich", "spacy", "sqlalchemy", "thinc"}
"""Packages of 5 to 60 MiB each."""
NEEDED = {Role.ENRICH: set(), Role.PROFILE: set(), Role.SINK: {"alembic", "sqlalchemy"}}
"""Those that a role uses in its own process; enriching has child processes for the text pipeline."""


def loaded(program: str) -> set[str]:
    """Return the heavy packages in a process that has run this program."""
    program += "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return HEAVY & set(done.stdout.split())


@pytest.mark.parametrize("role", Role)
def test_a_worker_loads_only_the_libraries_of_its_role(role: Role) -> None:
    """A worker of one role holds no heavy library that only other roles need."""
    assert loaded(f"import streams.supervision, streams.roles.{role}") == NEEDED[role]


def test_settings_load_no_store() -> None:
    """Settings with a store address are checked without SQLAlchemy."""
    program = "from streams.settings import DEMO_CONFIG, load; load(DEMO_CONFIG, store_url='sqlite:///a.db')"
    assert loaded(program) == set()


def test_a_child_of_the_enrich_role_loads_the_text_pipeline_only() -> None:
    """A text process holds spaCy, and neither SQL nor tables for a terminal."""
    program = "from streams.agents.annotators import build_enricher; build_enricher((), frozenset())"
    assert {"alembic", "sqlalchemy"}.isdisjoint(loaded(program))
    assert "spacy" in loaded(program)
