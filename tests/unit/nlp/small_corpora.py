"""A small data folder of our own making, with the files of the real one."""

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from nlp.training import corpora

POSTS = [f"word{i} is a very good word" for i in range(200)]
TARGETS = [f"target{i}" for i in range(40)]
BRANDS = [f"BrandNo{i}" for i in range(20)]


def written(folder: Path) -> Path:
    """Write all corpora into a folder and return it. Each post is in all of them, in different spellings."""
    about = [(f"{post} says {target}", target) for post, target in zip(POSTS, itertools.cycle(TARGETS))]
    branded = [(f"{post} by {brand}", brand) for post, brand in zip(POSTS, itertools.cycle(BRANDS))]
    everywhere = [text for text, _ in about + branded]
    overall = [{"text": text.upper() + " http://t.co/1", "label": "positive"} for text in everywhere]
    _rows(folder / "sentiment/train.jsonl", [*overall, {"text": r"it\u2019s \"ok\"", "label": "neutral"}])
    named = [{"text": f"@you {text}", "target": target, "polarity": "neutral"} for text, target in about]
    _rows(folder / "targeted/semeval_train.jsonl", named)
    placed = [{"text": t, "target": "word", "start": 0, "end": 4, "polarity": "neutral"} for t in everywhere]
    _rows(folder / "targeted/dong_train.jsonl", placed)
    linked = [{**row, "text": f"{row['text']} {{link}}"} for row in named]
    _rows(folder / "targeted/sxsw_brands.jsonl", linked)
    marked = [
        {"text": text, "target": brand, "polarity": "negative", "irrelevant": i % 7 == 0}
        for i, (text, brand) in enumerate(branded)
    ]
    _rows(folder / "targeted/entity_sentiment.jsonl", marked)
    for name in corpora.MARKED:
        _conll(folder / f"ner/{name}.train.conll", everywhere)
        _conll(folder / f"ner/{name}.dev.conll", everywhere[5:15])
    for name, label in (("irony", "irony"), ("emotion", "joy")):
        _rows(folder / name / "train.jsonl", [{"text": text, "label": label} for text in everywhere])
        _rows(folder / name / "val.jsonl", [{"text": text, "label": label} for text in everywhere[20:25]])
    _rows(folder / "airline/posts.jsonl", [{"id": i, "text": f"@air {t}"} for i, t in enumerate(everywhere)])
    judged = {"brand": "Air", "sentiment": "negative", "confidence": 1.0}
    _rows(folder / "airline/gold_half.jsonl", [{"id": i, **judged} for i in range(0, len(everywhere), 2)])
    return folder


def _rows(file: Path, rows: Sequence[Mapping[str, object]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _conll(file: Path, posts: list[str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = ("\n".join(f"{word}\tO" for word in post.split()) for post in posts)
    file.write_text("\n\n".join(lines) + "\n\n", encoding="utf-8")
