"""Training rows for teacher and student: posts with their labels, and posts without.

`Row.corpus` names the origin of a row: a corpus of `nlp.training.corpora`, or one of these:

- `overall`, `addressed`: posts with a label of the whole post. The latter begin with a handle, the target.
- `contrasts`, `singles`: generated posts, see `nlp.training.made`.
- `joined`: two short posts in one.
- `unlabelled`, `asked`, `varied`: no labels; the teacher predicts them.
"""

import math
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from spacy.training import biluo_to_iob
from spacy.vocab import Vocab

from nlp.network import TAGS
from nlp.tokenizer import PostTokenizer, words_of
from nlp.training import corpora
from nlp.training.made import GRAMMAR, contrasts, singles

LABELS = ("positive", "neutral", "negative")
CONTRASTS, SINGLES, JOINED = 5_000, 12_000, 3_000
"""numbers of generated and of joined posts"""
PLAIN = 20
"""copies of each generated post without a name"""
ASKED = 30_000
"""most rows for further names in posts"""
VARIED = {"dong": 5.0, "semeval": 1.0, "sxsw": 2.0, "entity": 0.5}
"""changed copies of each post with a target, by corpus"""
LOST, OTHER, RENAMED = 0.08, 0.12, 0.3
"""shares of words left out and words replaced in a changed post; share of posts with another target"""
SHORT = 90
"""most characters of a post that may be joined with another"""
SEED = 20261123
MADE_UP = frozenset({"contrasts", "singles"})
"""values of `Row.corpus` of generated posts, whose labels are certain"""
LONGEST = 72
"""words of a post that are read in training"""
ANY = (1 << len(TAGS)) - 1
"""all tags, as bits"""
OPEN = sum(1 << n for n, tag in enumerate(TAGS) if tag == "O" or tag[2:] in {"PRODUCT", "GROUP", "WORK"})
"""tags, as bits, of an unlabelled word of the Broad Twitter Corpus, which does not label these entities"""

_HANDLE = re.compile(r"@\w+")
_tokenizer = PostTokenizer(Vocab())


@dataclass(frozen=True, slots=True)
class Row:
    """A post. `overall` and `towards` are indices into `LABELS`, None without a label."""

    text: str
    target: tuple[int, int] | None
    overall: int | None
    towards: int | None
    corpus: str


@dataclass(frozen=True, slots=True)
class Tagged:
    """A sentence. Bit n of a word's `allowed` is set if it may have the tag `TAGS[n]`."""

    words: list[str]
    allowed: list[int]


def tokens(row: Row) -> tuple[list[str], list[bool]]:
    """Return the words of a post, and a flag for each word that overlaps the target."""
    doc = _tokenizer(row.text)
    words = words_of(doc)[:LONGEST] or ["."]
    marked = [False] * len(words)
    if row.target is not None and len(doc):
        start, end = row.target
        marked = [t.idx < end and t.idx + len(t) > start for t in doc][:LONGEST]
    return words, marked


def tagged(data: Path) -> list[Tagged]:
    """Return the training sentences of the entity corpora.

    The Broad Twitter Corpus splits most handles (`@`, `united`) and labels both pieces, but not whole
    handles. The pipeline reads whole handles. So a sentence with a split handle is returned a second time,
    with the handle whole and without a label.
    """
    found = []
    for corpus, sentences in corpora.entities(data, "train").items():
        free = OPEN if corpus == "btc" else 1
        for words, tags in sentences:
            allowed = [free if tag == "O" else 1 << TAGS.index(tag) for tag in biluo_to_iob(tags)]
            found.append(Tagged(words[:LONGEST], allowed[:LONGEST]))
            if "@" in words[:-1]:
                found.append(_as_posted(found[-1], free))
    return found


def _as_posted(sentence: Tagged, free: int) -> Tagged:
    words: list[str] = []
    allowed: list[int] = []
    for word, tags in zip(sentence.words, sentence.allowed, strict=True):
        if words and words[-1] == "@":
            words[-1], allowed[-1] = "@" + word, free
        else:
            words.append(word)
            allowed.append(tags)
    return Tagged(words, allowed)


def training_rows(data: Path) -> list[Row]:
    """Return each training post once for each labelled target, or once without a target."""
    whole = {row.text: LABELS.index(row.label) for row in corpora.overall(data, "train")}
    rows = [
        Row(row.text, row.target, whole.get(row.text), LABELS.index(row.label), name)
        for name, found in corpora.targeted(data, "train").items()
        for row in found
    ]
    targeted = {row.text for row in rows}
    rows += [_whole(text, label) for text, label in whole.items() if text not in targeted]
    # A generated post may equal a post of the development part by chance.
    made = [row for row in _made_up(data) if corpora.part_of(data, row.text) == "train"]
    return [*rows, *made, *_joined(rows)]


def _whole(text: str, label: int) -> Row:
    """Return a post with one label. A handle at its beginning is its target: customers write so to brands."""
    if addressed := _HANDLE.match(text):
        return Row(text, addressed.span(), label, label, "addressed")
    return Row(text, None, label, None, "overall")


def unlabelled_rows(data: Path) -> list[Row]:
    """Return posts without labels, for the teacher to predict. The first handle is the target.

    They add posts to brands and emotional posts. Airline posts that measure are left out, and no airline
    label is used.
    """
    texts = [text for text, _ in corpora.emotion(data, "train")]
    texts += [" ".join(words) for words, _ in corpora.entities(data, "train")["btc"]]
    texts += corpora.airline_unlabelled(data)
    measured = {corpora.key(post.text) for post in corpora.airline(data)}
    found = []
    for text in dict.fromkeys(texts):
        if corpora.key(text) in measured:
            continue
        handle = _HANDLE.search(text)
        found.append(Row(text, handle.span() if handle else None, None, None, "unlabelled"))
    return found


def asked_rows(rows: Sequence[Row], best: Sequence[npt.NDArray[np.int64]], seed: int = SEED) -> list[Row]:
    """Return up to `ASKED` rows for names without a label in posts of people, for the teacher to predict.

    `best` are the teacher's tags for the words of each row. The corpora have hardly any posts with labels for
    two names.
    """
    labelled: dict[str, set[tuple[int, int]]] = {}
    for row in rows:
        labelled.setdefault(row.text, set()).update([row.target] if row.target else [])
    found = []
    for row, tags in zip(rows, best, strict=True):
        if row.corpus in {*MADE_UP, "joined", "varied"}:
            continue
        for start, end in _spans(row.text, tags):
            if not any(start < e and end > s for s, e in labelled[row.text]):
                labelled[row.text].add((start, end))
                found.append(Row(row.text, (start, end), None, None, "asked"))
    random.Random(seed).shuffle(found)  # noqa: S311 -- a seed is what is wanted
    return found[:ASKED]


def varied_rows(rows: Sequence[Row], seed: int = SEED) -> list[Row]:
    """Return posts with a target in which some words are changed, for the teacher to predict.

    They keep the small network from memorising its few labels. Words and targets are drawn from the same
    corpus, by frequency (Jiao et al. 2020 draw them from a language model).
    """
    rng = random.Random(seed)  # noqa: S311 -- a seed is what is wanted
    found = []
    for corpus, times in VARIED.items():
        own = [row for row in rows if row.corpus == corpus and row.target]
        words = [t.text for row in own for t in _tokenizer(row.text) if not t.text.isspace()]
        targets = [row.text[slice(*row.target)] for row in own if row.target]
        for row in rng.sample(own * math.ceil(times), round(len(own) * times)):
            found.append(_varied(row, words, targets, rng))
    return found


def _varied(row: Row, words: Sequence[str], targets: Sequence[str], rng: random.Random) -> Row:
    start, end = row.target or (0, 0)
    target = rng.choice(targets) if rng.random() < RENAMED else row.text[start:end]

    def changed(text: str) -> str:
        kept = []
        for token in _tokenizer(text):
            drawn = 1.0 if token.text.isspace() else rng.random()
            if drawn >= LOST:
                word = rng.choice(words) if drawn < LOST + OTHER else token.text
                kept.append(word + token.whitespace_)
        return "".join(kept)

    before = changed(row.text[:start])
    text = before + target + changed(row.text[end:])
    return Row(text, (len(before), len(before) + len(target)), None, None, "varied")


def _spans(text: str, tags: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield the spans of handles and of tagged names in a post, in characters."""
    yield from (found.span() for found in _HANDLE.finditer(text))
    doc = _tokenizer(text)
    start = end = None
    for token, tag in zip(doc, [*tags, 0], strict=False):
        if start is not None and end is not None and TAGS[tag][0] != "I":
            yield start, end
            start = None
        if TAGS[tag][0] == "B" and token.text[0] not in "@":
            start = token.idx
        end = token.idx + len(token)
    if start is not None and end is not None:
        yield start, end


def development_rows(data: Path) -> dict[str, list[Row]]:
    """Return development posts by measure. No training row has one of them."""
    found = {
        "overall": [
            Row(r.text, None, LABELS.index(r.label), None, "overall") for r in corpora.overall(data, "dev")
        ]
    }
    for name, labelled in corpora.targeted(data, "dev").items():
        found[name] = [Row(r.text, r.target, None, LABELS.index(r.label), name) for r in labelled]
    return found


def weights(rows: list[Row]) -> dict[tuple[str, int], float]:
    """Return the weight in the loss, from .3 to 3, of each kind of label ("overall", "to dong", …) and label.

    Overall labels are balanced fully, because the measure is the mean recall of the classes. Labels towards a
    target are balanced by the square root.
    """
    counts = Counter(("overall", row.overall) for row in rows if row.overall is not None)
    counts += Counter((f"to {row.corpus}", row.towards) for row in rows if row.towards is not None)
    totals: Counter[str] = Counter()
    for (kind, _), count in counts.items():
        totals[kind] += count
    return {
        (kind, label): float(
            np.clip((totals[kind] / 3 / count) ** (1.0 if kind == "overall" else 0.5), 0.3, 3.0)
        )
        for (kind, label), count in counts.items()
    }


def gold(rows: list[Row], of: dict[tuple[str, int], float]) -> tuple[npt.NDArray[np.float32], ...]:
    """Return one-hot labels and weights: overall (n x 3), its weight (n), towards (n x 3), its weight (n)."""
    whole, towards = np.zeros((2, len(rows), 3), dtype=np.float32)
    w_whole, w_towards = np.zeros((2, len(rows)), dtype=np.float32)
    for n, row in enumerate(rows):
        if row.overall is not None:
            whole[n, row.overall] = 1
            w_whole[n] = of["overall", row.overall]
        if row.towards is not None:
            towards[n, row.towards] = 1
            w_towards[n] = of[f"to {row.corpus}", row.towards]
    return whole, w_whole, towards, w_towards


def _made_up(data: Path) -> Iterator[Row]:
    names = sorted(
        {
            " ".join(words[start:end])
            for words, tags in corpora.entities(data, "train")["wnut17"]
            for start, end in _names(tags)
        }
    )
    joined = [name.replace(" ", "") for name in names if name.replace(" ", "").isalnum()]
    named = [
        *names,
        *(f"@{name}" for name in joined),
        *(f"#{name}" for name in joined[::3]),
        *GRAMMAR["things"],
    ]
    for made in contrasts(named, CONTRASTS, SEED):
        yield Row(made.text, made.target, None, LABELS.index(made.label), "contrasts")
    for made in singles(named, SINGLES, SEED):
        # A post with one name has the sentiment towards that name.
        label = LABELS.index(made.label)
        yield Row(made.text, made.target, label, label, "singles")
    for name, posts in GRAMMAR["plain"].items():
        for text in posts:
            yield from [Row(text, None, LABELS.index(name), None, "singles")] * PLAIN


def _joined(rows: list[Row]) -> Iterator[Row]:
    """Yield two short posts joined into one, once for each target, with the target's own label."""
    rng = random.Random(SEED)  # noqa: S311 -- a seed is what is wanted
    short = [row for row in rows if row.target and row.corpus != "addressed" and len(row.text) <= SHORT]
    for _ in range(JOINED):
        a, b = rng.sample(short, 2)
        between = rng.choice(GRAMMAR["joints"])
        text, shift = a.text + between + b.text, len(a.text + between)
        for row, by in ((a, 0), (b, shift)):
            start, end = row.target or (0, 0)
            yield Row(text, (start + by, end + by), None, row.towards, "joined")


def _names(tags: list[str]) -> Iterator[tuple[int, int]]:
    start = 0
    for at, tag in enumerate(tags):
        if tag[0] in "BU":
            start = at
        if tag[0] in "LU" and tag[2:] in {"ORG", "PRODUCT"}:
            yield start, at + 1
