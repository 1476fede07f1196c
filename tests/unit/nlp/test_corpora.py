"""The split of the corpora into `train` and `dev`, on a small data folder."""

from pathlib import Path

import pytest

from nlp.training import corpora
from tests.unit.nlp.small_corpora import BRANDS, TARGETS


def _texts(data: Path, part: corpora.Part) -> dict[str, list[str]]:
    found = {name: [row.text for row in rows] for name, rows in corpora.targeted(data, part).items()}
    found["overall"] = [row.text for row in corpora.overall(data, part)]
    for name, posts in corpora.entities(data, part).items():
        found[name] = [" ".join(words) for words, _ in posts]
    found["irony"] = [text for text, _ in corpora.irony(data, part)]
    found["emotion"] = [text for text, _ in corpora.emotion(data, part)]
    return found


def test_no_post_is_on_both_sides(data: Path) -> None:
    """A post in `dev` of any corpus is in `train` of none, in no spelling."""
    train, dev = _texts(data, "train"), _texts(data, "dev")
    assert all(train.values())
    assert all(dev.values())
    keys = [{corpora.key(text) for texts in part.values() for text in texts} for part in (train, dev)]
    assert not keys[0] & keys[1]


def test_held_out_targets_are_held_out_everywhere(data: Path) -> None:
    """Some targets and brands, but not all, have no post in `train` of any corpus."""
    train = [text.lower().split() for texts in _texts(data, "train").values() for text in texts]
    for corpus, groups in (("semeval", TARGETS), ("entity", BRANDS)):
        held_out = {group for group in groups if corpora.is_held_out(corpus, group)}
        in_dev = {row.group for row in corpora.targeted(data, "dev")[corpus]}
        assert held_out
        assert held_out <= in_dev
        assert held_out < set(groups)
        assert not any(group.lower() in words for group in held_out for words in train)


def test_nothing_is_lost(data: Path) -> None:
    """Each post of a split corpus is in one of the two parts."""
    for name, rows in (("overall", 401), ("semeval", 200), ("dong", 400), ("sxsw", 200)):
        assert len(_texts(data, "train")[name]) + len(_texts(data, "dev")[name]) == rows


def test_about_a_tenth_is_dev() -> None:
    """The hash selects one post in ten for `dev`, the same ones on every machine."""
    posts = [f"post number {i}" for i in range(5_000)]
    assert 0.08 < sum(map(corpora.is_dev, posts)) / len(posts) < 0.12
    assert [i for i in range(40) if corpora.is_dev(posts[i])] == [4, 17, 20, 37, 39]


def test_keys_ignore_spelling() -> None:
    """The key ignores case, handles, links, entities, spaces and punctuation, but not words."""
    assert corpora.key("RT @Me: Tom &amp; Al's  http://t.co/x") == corpora.key("rt @You : tom al 's {link}")
    assert corpora.key("good") != corpora.key("goods")


def test_rows_are_clean(data: Path) -> None:
    """Escaped characters are decoded, and irrelevant rows are left out."""
    texts = [text for part in ("train", "dev") for text in _texts(data, part)["overall"]]
    assert 'it’s "ok"' in texts
    entity = [row for part in ("train", "dev") for row in corpora.targeted(data, part)["entity"]]
    assert len(entity) == sum(i % 7 != 0 for i in range(200))


@pytest.mark.parametrize(
    ("text", "target", "found"),
    [
        ("Pineapple or apple", "apple", "apple"),
        ("#AppleWatch!", "apple", "Apple"),
        ("dear @Microsoft", "@microsoft", "Microsoft"),
        ("Happy Valentine's Day", "valentine 's day", "Valentine's Day"),
        ("I play GTA all day", "GrandTheftAuto(GTA)", "GTA"),
        ("nothing here", "apple", None),
    ],
)
def test_find_target(text: str, target: str, found: str | None) -> None:
    """A target is found as a word, else inside a word, in the spelling of posts, else not at all."""
    span = corpora.find_target(text, target)
    assert (span and text[slice(*span)]) == found


def test_a_masked_post_names_its_target_nowhere() -> None:
    """All occurrences are replaced, and the span is that of the original target."""
    post = corpora.Labelled("#apple! Apple or APPLE?", "positive", (8, 13), "semeval", "apple")
    masked = corpora.masked(post)
    assert masked.text == "#it! it or it?"
    assert masked.target == (5, 7)
    without_target = corpora.Labelled("good", "positive", None, "entity", "Apple")
    assert corpora.masked(without_target) == without_target
