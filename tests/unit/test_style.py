"""The writing guide holds: no rule of it is broken.

`python -m tests.style [rule] [folder]` lists them.
"""

import pytest

from tests import style


@pytest.mark.parametrize("rule", style.RULES)
def test_the_writing_guide_is_kept(rule: str) -> None:
    """No rule of the writing guide is broken, anywhere."""
    found = style.RULES[rule]()
    shown = "\n".join(map(str, found[:50]))
    assert not found, f"{style.RULES[rule].__doc__} python -m tests.style {rule}\n{shown}"


def test_the_readme_is_short() -> None:
    """The README holds no more words than its limit; the rest is next to what it describes."""
    assert len(style.read("README.md").split()) <= style.MOST_README_WORDS


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("One two three. Four five.", [3, 2]),
        ("Runs `a b c` for\nit: see [the page](https://example.org/a b).", [4, 3]),
        ("A list:\n\n- one two\n- three", [2, 2, 1]),
    ],
)
def test_words_are_counted_by_sentence(text: str, counts: list[int]) -> None:
    """Code and addresses are one word; full stops, colons and items end a sentence."""
    found = [style.words(sentence) for _, sentence in style.sentences(style.Text("", 1, text))]
    assert [count for count in found if count] == counts
