"""Fixtures: one pipeline for all tests, because loading it is slow."""

from collections.abc import Callable
from pathlib import Path

import pytest

from models.annotation import Annotation
from nlp.pipeline import Annotator, TextIn
from tests.unit.nlp import small_corpora
from tests.unit.nlp.catalogue import BRANDS

Annotate = Callable[..., Annotation]


@pytest.fixture(scope="session")
def annotator() -> Annotator:
    """The pipeline with the test catalogue."""
    return Annotator(BRANDS)


@pytest.fixture(scope="session")
def annotate(annotator: Annotator) -> Annotate:
    """A function that annotates one text, with the keywords of `TextIn`."""

    def one(text: str, **context: object) -> Annotation:
        (annotation,) = annotator.annotate([TextIn(text, **context)])  # type: ignore[arg-type]
        return annotation

    return one


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data folder with all corpora."""
    return small_corpora.written(tmp_path_factory.mktemp("data"))
