"""Hostile texts: the pipeline annotates all of them, in linear time."""

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.vocab import Vocab

from models.annotation import MAX_TEXT
from nlp.pipeline import Annotator, TextIn
from nlp.tokenizer import PostTokenizer
from tests.unit.nlp.conftest import Annotate

_TOKENIZER = PostTokenizer(Vocab())
HOSTILE = {
    "empty": "",
    "blank": " \n\t \r\n  ",
    "one word of 1 MB": "a" * 1_000_000,
    "shouted vowels": "lo" + "o" * 20_000 + "ve",
    "10,000 emoji": "😍" * 10_000,
    "joined emoji": "👨‍👩‍👧‍👦" * 2_000,
    "zero width": "un\u200bited\u200d\ufeff" * 500,
    "right to left": "\u202eمرحبا @united שלום\u202c" * 50,
    "controls": "".join(map(chr, range(32))) * 20,
    "NULs": "\x00" * 500 + "@united",
    "lone combining marks": "\u0301" * 5_000,
    "lone surrogates": "\ud800 love \udfff @united",
    "brackets": "(" * 5_000 + ")" * 5_000,
    "nested emoticons": ":(((((" * 1_500 + "x",
    "emoticon bait": ":" + "D" * 9_000 + "a",
    "joined words": "a'" * 5_000,
    "dotted words": "a." * 5_000,
    "clitics": "n't" * 3_000,
    "handles": "@united " * 1_200,
    "two brands": "@united, @JetBlue " * 500,
    "hashtags": "#UnitedAirlines" * 600,
    "camel": "#" + "aB" * 4_900,
    "marks": "@#" * 5_000,
    "link bait": "http://" * 1_400,
    "commas": "good, than " * 900,
    "cue bait": "never fly " * 1_000,
    "negations": "not " * 2_500 + "good",
    "folding changes length": "İstanbul ß ﬃ @united",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_texts_are_answered(text: str, annotate: Annotate) -> None:
    """Every text is annotated, and all offsets match their surface text."""
    annotation = annotate(text, platform="x", targets=("united", "love"))

    assert text == annotation.text
    assert (len(text) > MAX_TEXT) == annotation.truncated
    assert pytest.approx(1.0) == sum(annotation.sentiment.probabilities.values())
    for entity in annotation.entities:
        assert text[entity.start : entity.end] == entity.text
    for target in annotation.targets:
        assert text[target.start : target.end] == target.text
    for mention in annotation.brands:
        assert text[mention.start : mention.end] == mention.surface


@pytest.mark.parametrize("unit", ["a", "😍", ":(", "@united, ", "#aB", "good, but ", "a'", "never fly ", "("])
def test_time_is_linear(unit: str, annotator: Annotator) -> None:
    """A text of eight times the length costs at most 24 times the processor time."""
    seconds = {}
    for times in (1_000, 8_000):
        text = (unit * times)[: times + 100]
        seconds[times] = min(_timed(annotator, text) for _ in range(3))

    assert seconds[8_000] < 3 * 8 * seconds[1_000]


def test_what_is_cut_costs_nothing(annotator: Annotator) -> None:
    """A text of 1 MB costs at most three times as much as the 10,000 characters that are read."""
    read, all_of_it = (min(_timed(annotator, "ab1" * n) for _ in range(3)) for n in (3_334, 333_334))

    assert all_of_it < 3 * read


@given(st.text(max_size=300))
@settings(max_examples=300, deadline=None)
def test_tokens_are_the_text(text: str) -> None:
    """Joining the tokens of any text gives that text."""
    assert text == _TOKENIZER(text).text


@given(st.text(alphabet="@#:(Dn'’t. -/aBé😍\u200d\ufe0f\n\x00!?", max_size=200))
@settings(max_examples=300, deadline=None)
def test_tokens_are_the_text_of_marks(text: str) -> None:
    """Joining the tokens also gives the text for any mix of punctuation, emoji and white space."""
    assert text == _TOKENIZER(text).text


def test_random_bytes_are_answered(annotator: Annotator) -> None:
    """Random characters of all planes get one annotation per text, in order."""
    rng = random.Random(7)
    texts = [
        "".join(chr(rng.choice([rng.randrange(0x110000), 32, 64])) for _ in range(80)) for _ in range(60)
    ]

    answers = [annotation.text for annotation in annotator.annotate(map(TextIn, texts))]

    assert texts == answers


def _timed(annotator: Annotator, text: str) -> float:
    started = time.process_time()
    list(annotator.annotate([TextIn(text, "x")]))
    return time.process_time() - started
