"""The tokenizer of posts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.vocab import Vocab

from nlp.tokenizer import PostTokenizer, words_of

_TOKENIZER = PostTokenizer(Vocab())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("@so_me #FlyDelta http://t.co/x", ["@so_me", "#FlyDelta", "http://t.co/x"]),
        ("me@united.com", ["me", "@", "united.com"]),
        ("RT @ so_me : hi", ["RT", "@", "so_me", ":", "hi"]),
        ("it's fine, don't", ["it", "'s", "fine", ",", "do", "n't"]),
        ("it 's fine , do n't", ["it", "'s", "fine", ",", "do", "n't"]),
        ("we’ll see", ["we", "’ll", "see"]),
        ("he said 's all", ["he", "said", "'s", "all"]),
        ("a 'simple' one", ["a", "'", "simple", "'", "one"]),
        ("so 'dear to me", ["so", "'", "dear", "to", "me"]),
        ("Delta/United 20% off", ["Delta", "/", "United", "20", "%", "off"]),
    ],
)
def test_tokens(text: str, words: list[str]) -> None:
    """Handles, links and hashtags stay whole and clitics are split, with any spacing of a corpus."""
    assert words_of(_TOKENIZER(text)) == words


@given(st.text(alphabet=st.sampled_from("@#_' ’sdll:)\n&amp;Aé😍."), max_size=60))
def test_no_character_is_lost(text: str) -> None:
    """Joining the tokens and the spaces after them gives the text."""
    assert _TOKENIZER(text).text == text
