"""Guarantees of the pipeline beside the table of cases."""

import itertools
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language

from models.annotation import MAX_TEXT, Annotation
from models.brand import Brand
from nlp.cues import phrases, spelled_out
from nlp.network import ASSET
from nlp.pipeline import ZONE, Annotator, Target, TextIn, build
from tests.unit.nlp.catalogue import BRANDS
from tests.unit.nlp.conftest import Annotate

TEXTS = [
    "I love @JetBlue, but @united is the worst!!!",
    "",
    "Just booked my flight with JetBlue ❤️ #travel",
    "Der Flug mit @JetBlue wurde gestern leider gestrichen",
    "@united " * 300,
    "The new Air Max look fantastic, Nike did it again in Portland",
    "ok",
    "been on hold for 2 hours, thanks for nothing @united",
]


def _without_entities(annotations: list[Annotation]) -> list[tuple[object, ...]]:
    return [(a.lang, a.sentiment, a.brands, a.targets, a.cues, a.evidence) for a in annotations]


def test_batches_do_not_change_annotations(annotator: Annotator) -> None:
    """A text gets the same annotation alone and in any batch."""
    inputs = [TextIn(text, "x", targets=("the",)) for text in TEXTS]
    alone = [next(annotator.annotate([text_in])) for text_in in inputs]

    for order in itertools.islice(itertools.permutations(range(len(inputs))), 0, 40_000, 4_001):
        together = list(annotator.annotate([inputs[i] for i in order] * 2))[: len(order)]
        assert _without_entities([alone[i] for i in order]) == _without_entities(together)
        assert [alone[i].entities for i in order] == [a.entities for a in together]


def test_a_new_pipeline_annotates_the_same(annotator: Annotator) -> None:
    """Neither earlier texts nor a new process changes an annotation."""
    texts = [TextIn(text, "x") for text in TEXTS]

    assert list(Annotator(BRANDS).annotate(texts)) == list(annotator.annotate(texts))


def test_a_stored_pipeline_annotates_the_same(tmp_path: Path) -> None:
    """A pipeline from `to_disk` or `to_bytes` finds the same brands and sentiments as the original."""
    original = build(BRANDS)
    original.to_disk(tmp_path)
    copy = build().from_bytes(original.to_bytes())

    expected = _findings(original)
    assert any(brands for brands, *_ in expected)
    assert expected == _findings(spacy.load(tmp_path)) == _findings(copy)


def test_a_stored_pipeline_loads_without_an_import(tmp_path: Path) -> None:
    """In a new process `spacy.load` alone gives the pipeline with its brands."""
    build(BRANDS).to_disk(tmp_path)
    code = """
import sys, spacy
doc = spacy.load(sys.argv[1])("I love @JetBlue")
print(*(span.label_ for span in doc.spans["brands"]))
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, check=True)

    assert done.stdout.split() == [b"JetBlue"]


def _findings(nlp: Language) -> list[tuple[object, ...]]:
    return [
        (
            [(span.start, span.end, span.label_, span._.sentiment) for span in doc.spans["brands"]],
            [(span.start, span.end, span.label_) for span in doc.spans["rivals"]],
            [(ent.start, ent.end, ent.label_) for ent in doc.ents],
            (doc._.lang, doc._.sentiment, doc._.cues, doc._.evidence, doc._.trade),
        )
        for doc in nlp.pipe([*TEXTS, "Delta beats United"])
    ]


def test_targets_as_strings(annotate: Annotate) -> None:
    """A target that is a string means all its occurrences, in any case."""
    targets = annotate("Xbox rocks. I said XBOX and #xbox!", targets=("xbox",)).targets

    assert [(t.text, t.start) for t in targets] == [("Xbox", 0), ("XBOX", 19), ("xbox", 29)]


def test_targets_have_their_own_sentiment(annotate: Annotate) -> None:
    """Two targets in one text can get different sentiments."""
    targets = annotate("I love the food but the service is terrible", targets=("food", "service")).targets

    assert [t.sentiment.label for t in targets] == ["positive", "negative"]


@pytest.mark.parametrize("span", [(0, 0), (-3, 2), (5, 3), (2, 99), (9_999, 10_009), (4, 5)])
def test_targets_outside_the_text(span: tuple[int, int], annotate: Annotate) -> None:
    """A target with impossible offsets is returned unchanged, with the sentiment of the whole text."""
    annotation = annotate("good day", targets=(Target("good", *span),))

    assert [("good", *span)] == [(t.text, t.start, t.end) for t in annotation.targets]
    assert [annotation.sentiment] == [t.sentiment for t in annotation.targets]


def test_lists_of_the_post(annotate: Annotate) -> None:
    """A post's lists of mentions and hashtags name brands, once each, and handles only on their platform."""
    annotation = annotate("love it", platform="x", mentions=("United", "nobody"), hashtags=("#jetblue",))

    assert [(b.brand, b.surface) for b in annotation.brands] == [("JetBlue", ""), ("United", "")]
    assert annotate("love it", platform="tumblr", mentions=("united",)).brands == ()
    assert len(annotate("love @united", platform="x", mentions=("united",)).brands) == 1


def test_no_brands(annotate: Annotate) -> None:
    """A pipeline without a catalogue finds no brands and works otherwise."""
    (annotation,) = Annotator([]).annotate([TextIn("I love @united")])

    assert annotation.brands == ()
    assert annotation.sentiment.label == "positive"


def test_longest_then_first() -> None:
    """The longest of overlapping names counts, and of equally long ones the first brand's."""
    brands = [
        Brand(name="Galaxy Note", aliases=("pad",)),
        Brand(name="Acme", aliases=("galaxy", "galaxy note pro", "pad")),
    ]
    (annotation,) = Annotator(brands).annotate([TextIn("galaxy note pro, galaxy note, pad")])

    assert [b.brand for b in annotation.brands] == ["Acme", "Galaxy Note", "Galaxy Note"]


def test_a_large_catalogue_costs_little(annotator: Annotator) -> None:
    """A catalogue of thousands of brands costs less than half again the time per post."""
    many = [
        Brand(name=f"Brand{i} & Works", aliases=(f"alias {i}",), handles={"x": (f"b{i}",)})
        for i in range(3_000)
    ]
    large = Annotator([*BRANDS, *many])
    texts = [TextIn(text, "x") for text in TEXTS * 20]

    def seconds(of: Annotator) -> float:
        started = time.process_time()
        list(of.annotate(texts))
        return time.process_time() - started

    small_seconds, large_seconds = (min(seconds(of) for _ in range(3)) for of in (annotator, large))

    assert large_seconds < 1.5 * small_seconds


@given(texts=st.lists(st.sampled_from([*TEXTS, "so good", "never again", "@x :("]), min_size=1, max_size=9))
@settings(max_examples=30, deadline=None)
def test_probabilities_are_four_decimals_that_sum_to_one(texts: list[str], annotator: Annotator) -> None:
    """All probabilities have four decimals and sum to 1, and the label has the largest one."""
    for annotation in annotator.annotate(TextIn(" ".join(texts), "x", targets=("the",)) for _ in range(2)):
        of_brands = [mention.sentiment for mention in annotation.brands]
        of_targets = [mention.sentiment for mention in annotation.targets]
        for opinion in (annotation.sentiment, *of_brands, *of_targets):
            shares = opinion.probabilities
            assert pytest.approx(1.0, abs=1e-9) == sum(shares.values())
            assert list(shares.values()) == [round(share, 4) for share in shares.values()]
            assert shares[opinion.label] == max(shares.values()) >= min(shares.values()) >= 0


def test_every_cue_phrase_is_found(annotate: Annotate) -> None:
    """A text with a phrase of the table gets its cue."""
    for cue, written in phrases().items():
        if cue in {"irony_beside_complaint", "nothing", "selling_beside", "staff_beside"}:
            continue
        for phrase in (p for w in written for p in spelled_out(w)):
            words = phrase.replace("*", "really").replace("0", "2").removeprefix("^ ")
            text = re.sub(r" (?=n't|'\w)", "", words)
            annotation = annotate(text)
            assert cue in annotation.cues + annotation.trade, f"{cue}: {phrase}"


def test_words_are_forgotten(annotator: Annotator) -> None:
    """The vocabulary of a long-running worker does not keep the words of all texts."""

    def words_known_in_a_new_zone() -> int:
        list(annotator.annotate([TextIn("a" * MAX_TEXT)] * (ZONE // MAX_TEXT)))
        list(annotator.annotate([TextIn("warm up")]))
        return len(annotator._nlp.vocab.strings)

    before = words_known_in_a_new_zone()
    list(annotator.annotate([TextIn(f"word{i} @someone{i} #tag{i}") for i in range(600)]))
    meanwhile = len(annotator._nlp.vocab.strings)

    assert before == words_known_in_a_new_zone()
    assert before < meanwhile


def test_assets_are_small() -> None:
    """The files of `assets/` take less than 25 MB together."""
    assert sum(asset.stat().st_size for asset in ASSET.parent.iterdir()) < 25_000_000


def test_the_pipeline_imports_little() -> None:
    """The pipeline imports neither training nor streams nor the store, so that it starts quickly."""
    code = """
import sys
from nlp.pipeline import Annotator, TextIn
list(Annotator(()).annotate([TextIn("I love it"), TextIn("te odio")]))
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    loaded = {name for module in done.stdout.decode().split() for name in (module, module.partition(".")[0])}
    assert "spacy" in loaded
    heavy = {"jax", "optax", "tokenizers", "torch", "tensorflow", "sklearn", "scipy", "pandas"}
    heavy |= {"streams", "faust", "kafka", "sqlalchemy", "alembic", "pydantic_settings", "prometheus_client"}
    assert not loaded & (
        heavy | {"nlp.training", "nlp.training.corpora", "nlp.training.baselines", "nlp.training.evaluate"}
    )
