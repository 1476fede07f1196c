"""A report of the errors in one world, for a person to read: false flags and missed fans."""

from collections.abc import Iterator, Sequence

from models.opinion import EnrichedPost
from tests.judge import judging
from tests.judge.judging import Judged
from tests.judge.world import Truth, World

SHOWN = 3
"""posts shown for each author"""


def listed(world: World, judged: Judged) -> Iterator[str]:
    """Yield lines of text: first the wrong candidates, then the findable fans that are no candidates."""
    board = judging.board(judged.results)
    ranks = {candidate.key: rank for rank, candidate in enumerate(board, 1)}
    wrong = [key for key in ranks if not world.truth[key].worth]
    yield f"# {len(wrong)} false flags on a board of {len(board)}"
    for key in wrong:
        yield from _case(world.truth[key], key, judged, f"rank {ranks[key]}")
    missed = sorted(key for key, true in world.truth.items() if true.findable and key not in ranks)
    yield ""
    yield f"# {len(missed)} fans missed of {sum(true.findable for true in world.truth.values())}"
    for key in missed:
        yield from _case(world.truth[key], key, judged, "missed")


def _case(true: Truth, key: str, judged: Judged, verdict: str) -> Iterator[str]:
    profile, candidate = judged.results.get(key, (None, None))
    yield ""
    yield f"## {key}: {', '.join(filter(None, (true.archetype, true.note, verdict)))}"
    if profile is None:
        yield "no post was counted"
        return
    yield (
        f"state {profile.state}, score {profile.score}, followers {profile.followers}, customer "
        f"{profile.customer} (in the file: {true.customer_in_file}), {len(true.praises)} praises in truth"
    )
    seen = profile.windows["90d"]
    yield f"90 days: +{seen.positive} ={seen.neutral} -{seen.negative} on {profile.positive_days} days"
    known = {name: round(x, 2) for name, x in profile.components.items() if x is not None}
    yield f"components {known}; authenticity {profile.authenticity.severities or 1}"
    if candidate is not None:
        yield f"lost points {candidate.lost_points}; watch-outs {[w.code for w in candidate.watch_outs]}"
    for label, post in _examples(judged.texts[key], true):
        cues = f" [{', '.join(post.annotations.cues)}]" if post.annotations.cues else ""
        yield f"- {label}{cues}: {post.post.text}"


def _examples(posts: Sequence[tuple[str, EnrichedPost]], true: Truth) -> Sequence[tuple[str, EnrichedPost]]:
    """Return `SHOWN` posts: first those with an unexpected label for the author, newest first."""
    unexpected = "positive" if not true.worth else "negative"
    newest = sorted(enumerate(posts), key=lambda item: (item[1][0] != unexpected, -item[0]))
    return [post for _, post in newest[:SHOWN]]
