"""A tokenizer for posts: handles, hashtags, links, emoji, emoticons and words, in linear time."""

import re
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import registry
from spacy.vocab import Vocab

import nlp.extensions  # noqa: F401 -- the documents made here carry these attributes

EMOJI = (
    r"[\U0001F1E6-\U0001F1FF]{2}"
    r"|[\U0001F300-\U0001FAFF\u2600-\u27BF\u2B00-\u2BFF\u2300-\u23FF]"
    r"[\uFE0F\U0001F3FB-\U0001F3FF]{0,2}(?:\u200D[\U0001F300-\U0001FAFF\u2600-\u27BF][\uFE0F\U0001F3FB-\U0001F3FF]{0,2}){0,4}"
)
EMOTICON = r"[<>]?[:;=8xX][\-o*']?[)\](\[dDpP/\\|@3*]{1,50}(?!\w)|<3+|\^_?\^|[oO]_[oO]"
ENTITY = r"&(?:amp|lt|gt|quot|apos|nbsp|#\d{1,6});"
# Each alternative bounds its repetitions, so that no input causes long backtracking.
# `@` and `#` inside a word begin no handle or hashtag (`me@united.com`). A full stop before a capital ends a
# sentence even without a space. Hyphens and slashes separate words (`Delta/United`). Some corpora and tools
# write a space inside a handle (`@ so_me`) or before a clitic (`it 's`): the name and the clitic stay whole.
# One space belongs to the token before it. Other white space is a token of its own.
PIECE = re.compile(
    rf"(https?://\S{{1,2000}}|www\.\S{{1,2000}}|(?<!\w)[@#]\w{{1,200}}|(?<=@ )\w{{1,200}}"
    rf"|(?<=\w )['’](?:s|m|re|ve|ll|d)(?!\w)|{EMOTICON}|{EMOJI}|{ENTITY}"
    rf"|[^\W_]{{1,200}}(?:(?:['’]|(?!{ENTITY})&|\.(?![A-Z][a-z]))[^\W_]{{1,200}}){{0,8}}"
    r"|(?P<mark>[^\w\s])(?P=mark){0,50}|\S|\s+)( ?)"
)
_WORDS, _TEXT = "superfan_words", "superfan_text"
_SPLIT = re.compile(r"(?i)^(.+?)(n['’]t|['’](?:s|m|re|ve|ll|d))$")


def words_of(doc: Doc) -> list[str]:
    """Return the tokens' texts. They are cached in documents of `PostTokenizer`."""
    words: list[str] | None = doc.user_data.get(_WORDS)
    return [token.text for token in doc] if words is None else words


def text_of(doc: Doc) -> str:
    """Return the text. `Doc.text` would join the tokens again each time."""
    text: str | None = doc.user_data.get(_TEXT)
    return doc.text if text is None else text


class PostTokenizer:
    """A spaCy tokenizer. Every character of the text is in a token or is the space after one."""

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab

    def __call__(self, text: str) -> Doc:
        """Tokenize a text, in time that is linear in its length."""
        words: list[str] = []
        spaces: list[bool] = []
        for token, _, space in PIECE.findall(text):
            if "'" in token or "’" in token:
                clitic = _SPLIT.match(token)
                if clitic:
                    words.append(clitic.group(1))
                    spaces.append(False)
                    token = clitic.group(2)  # noqa: PLW2901 -- the rest of it
            words.append(token)
            spaces.append(bool(space))
        doc = Doc(self.vocab, words=words, spaces=spaces)
        doc.user_data[_WORDS], doc.user_data[_TEXT] = words, text
        return doc

    # spaCy stores the tokenizer with a pipeline. This one has no state.
    def to_bytes(self, **_: Any) -> bytes:
        """Return no bytes."""
        return b""

    def from_bytes(self, _data: bytes, **_: Any) -> "PostTokenizer":
        """Return this tokenizer, unchanged."""
        return self

    def to_disk(self, _path: Any, **_: Any) -> None:
        """Write nothing."""

    def from_disk(self, _path: Any, **_: Any) -> "PostTokenizer":
        """Return this tokenizer, unchanged."""
        return self


@registry.tokenizers("superfan.PostTokenizer.v1")  # type: ignore[untyped-decorator]
def post_tokenizer() -> Any:
    """Return a factory of tokenizers, for `@tokenizers = "superfan.PostTokenizer.v1"` in `config.cfg`."""

    def create(nlp: Language) -> PostTokenizer:
        return PostTokenizer(nlp.vocab)

    return create
