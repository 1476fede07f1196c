"""The rows that the network is trained on."""

from pathlib import Path

import numpy as np
import pytest

from nlp.network import TAGS
from nlp.training import corpora, made, rows
from nlp.training.rows import ANY, OPEN, Row, Tagged


def test_nothing_that_trains_is_measured(data: Path) -> None:
    """No training row is a post of the development part, generated posts included."""
    held = {corpora.key(row.text) for found in rows.development_rows(data).values() for row in found}
    for row in rows.training_rows(data):
        if row.corpus != "joined":
            assert corpora.key(row.text) not in held, row
    assert held


def test_posts_without_labels_are_not_measured(data: Path) -> None:
    """Unlabelled rows are neither in a development part nor among the airline posts that measure."""
    measured = {corpora.key(row.text) for found in rows.development_rows(data).values() for row in found}
    measured |= {corpora.key(post.text) for post in corpora.airline(data)}
    unlabelled = rows.unlabelled_rows(data)

    assert any(row.target == (0, 4) for row in unlabelled)
    assert measured.isdisjoint(corpora.key(row.text) for row in unlabelled)


def test_the_same_rows_every_time(data: Path) -> None:
    """The rows are the same in every run."""
    assert rows.training_rows(data) == rows.training_rows(data)


def test_two_posts_in_one_keep_their_targets(data: Path) -> None:
    """A joined post occurs once for the target of each half, with the label of that half."""
    joined = [row for row in rows.training_rows(data) if row.corpus == "joined"]
    assert len(joined) == 2 * rows.JOINED
    for first, second in zip(joined[::2], joined[1::2], strict=True):
        assert first.text == second.text
        assert first.target is not None
        assert second.target is not None
        assert first.target < second.target
        assert any(rows.tokens(first)[1])
        assert first.towards is not None
        assert second.towards is not None


def test_changed_posts_keep_a_target_and_have_no_label(data: Path) -> None:
    """A changed post has a target of its corpus at its span, and no label."""
    training = rows.training_rows(data)
    changed = rows.varied_rows(training)
    counted = {name: sum(r.corpus == name and r.target is not None for r in training) for name in rows.VARIED}
    names = {row.text[slice(*row.target)] for row in training if row.corpus in rows.VARIED and row.target}

    assert len(changed) == sum(round(times * counted[name]) for name, times in rows.VARIED.items())
    assert {row.text[slice(*(row.target or ()))] for row in changed} <= names
    assert {(row.overall, row.towards) for row in changed} == {(None, None)}
    assert len({row.text for row in changed}) > len(changed) / 2
    assert changed == rows.varied_rows(training)


@pytest.mark.parametrize("make", [made.contrasts, made.singles])
def test_made_up_posts_name_their_target(make: object) -> None:
    """The target of a generated post is one of the names, without an article."""
    names = ["Acme", "@Globex", "#Initech", "the menu"]
    posts = list(make(names, 200, 1))  # type: ignore[operator]
    assert len(posts) >= 200
    assert {post.text[slice(*post.target)] for post in posts} == {"Acme", "@Globex", "#Initech", "menu"}
    assert {post.label for post in posts} == {"positive", "neutral", "negative"}
    assert posts == list(make(names, 200, 1))  # type: ignore[operator]
    assert posts != list(make(names, 200, 2))  # type: ignore[operator]


def test_the_teacher_labels_further_names() -> None:
    """Further names are handles and tagged names without a label, once each, outside generated posts."""
    text = "@ann says Air France beats Delta"
    tags = np.array([TAGS.index(tag) for tag in ("O", "O", "B-ORG", "I-ORG", "O", "B-ORG")])
    labelled = Row(text, (27, 32), None, 2, "semeval")
    made_up = Row(text.replace("ann", "bob"), (27, 32), 0, 0, "singles")
    asked = rows.asked_rows([labelled, labelled, made_up], [tags] * 3)

    assert {text[slice(*row.target or ())] for row in asked} == {"@ann", "Air France"}
    assert len(asked) == 2
    assert {(row.overall, row.towards) for row in asked} == {(None, None)}


def test_tokens_of_the_target_are_marked() -> None:
    """The words that overlap the target are marked; without a target, none."""
    assert rows.tokens(Row("I love @JetBlue!", (7, 15), None, 0, "x")) == (
        ["I", "love", "@JetBlue", "!"],
        [False, False, True, False],
    )
    assert rows.tokens(Row("fine", None, 1, None, "x")) == (["fine"], [False])
    assert rows.tokens(Row("", None, 1, None, "x")) == (["."], [False])


def test_split_handles_are_also_read_whole() -> None:
    """A sentence with a split handle gives a second one with the whole handle, without a label."""
    person = 1 << TAGS.index("B-PERSON")
    sentence = Tagged(["so", "@", "ann", "wins"], [OPEN, person, person, OPEN])
    assert rows._as_posted(sentence, OPEN) == Tagged(["so", "@ann", "wins"], [OPEN, OPEN, OPEN])


def test_masks_of_tags() -> None:
    """`OPEN` allows the entities that a corpus does not mark, and `ANY` allows all tags."""
    named = {tag for n, tag in enumerate(TAGS) if OPEN >> n & 1}
    assert named == {"O", "B-PRODUCT", "I-PRODUCT", "B-GROUP", "I-GROUP", "B-WORK", "I-WORK"}
    assert ANY.bit_count() == len(TAGS)
