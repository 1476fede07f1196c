"""The attributes that the pipeline adds to spaCy's `Doc` and `Span`. Importing this module registers them.

Set by the caller, None if unknown:

- `doc._.platform`: the platform of the post
- `doc._.platform_lang`: the language that the platform reports

Set by components:

- `doc._.lang`: ISO 639 code, None if unclear (`superfan_language`)
- `doc._.cues`, `doc._.evidence`, `doc._.trade`: tuples of strings (`superfan_cues`)
- `doc._.sentiment`, `span._.sentiment`: a `Sentiment` each (`superfan_sentiment`)
"""

from spacy.tokens import Doc, Span

for _name in ("platform", "platform_lang", "lang", "sentiment", "cues", "evidence", "trade"):
    if not Doc.has_extension(_name):
        Doc.set_extension(_name, default=None)
if not Span.has_extension("sentiment"):
    Span.set_extension("sentiment", default=None)
