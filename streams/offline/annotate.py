"""`superfan annotate`: JSON Lines in, annotations out, in order; a bad line gives an error."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from models.batches import batched
from models.brand import Brand
from models.record import Record, encode
from models.rejection import Reason, Rejected, decode_json
from nlp.pipeline import Annotator, Target, TextIn

BATCH = 64
"""lines annotated at a time; larger arrays of the network cost more than they save"""


class _Target(Record, frozen=True):
    text: str
    start: int
    end: int


class _Request(Record, frozen=True):
    text: str
    targets: tuple[str | _Target, ...] | None = None


class _Error(Record, frozen=True):
    error: str
    detail: str


_decoder = msgspec.json.Decoder(_Request)


def annotate_lines(brands: Sequence[Brand], batches: Iterable[Sequence[bytes]]) -> Iterator[bytes]:
    """Yield one line of JSON for each line, in order: an annotation, or `{"error", "detail"}`.

    All lines of a batch are answered before the next batch is asked for.
    """
    annotator = Annotator(brands)
    parts = (part for batch in batches for part in batched(batch, BATCH))
    for lines in parts:
        requests = list(map(_request, lines))
        annotated = annotator.annotate(request for request in requests if isinstance(request, TextIn))
        for request in requests:
            if isinstance(request, TextIn):
                yield encode(next(annotated))
            else:
                yield encode(_Error(error=request.reason, detail=request.detail))


def _request(line: bytes) -> TextIn | Rejected:
    if not line:
        return Rejected(Reason.EMPTY, "the line is empty")
    try:
        request = decode_json(_decoder, line)
    except Rejected as rejection:
        return rejection
    targets = [
        t if isinstance(t, str) else Target(text=t.text, start=t.start, end=t.end)
        for t in request.targets or ()
    ]
    return TextIn(text=request.text, targets=tuple(targets))
