"""The published contract of the topics: schemas, examples, AsyncAPI document and manifests."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from deploy import generate
from models.candidate import Candidate, Profile
from models.customer import decode_customer, decode_erasure, decode_feedback
from models.dead_letter import DeadLetter
from models.opinion import EnrichedPost
from models.post import PLATFORMS, decode_post
from models.rejection import Reason, Rejected
from models.tick import decode_tick
from models.times import LATEST_MS
from streams import topics
from streams.contract import asyncapi
from streams.roles import ROLES
from tests.malformed import malformed

KEPT = sorted(generate.EXAMPLES.glob("v*/*/*.json"))


def _post(value: bytes) -> object:
    return decode_post(value, received_ms=LATEST_MS, lawful=PLATFORMS)


READERS: dict[str, Callable[[bytes], object]] = {
    **dict.fromkeys(topics.POSTS, _post),
    topics.CUSTOMERS: decode_customer,
    topics.FEEDBACK: decode_feedback,
    topics.ERASURES: decode_erasure,
    topics.TICKS: lambda value: decode_tick(value, received_ms=LATEST_MS),
    topics.ENRICHED: msgspec.json.Decoder(EnrichedPost).decode,
    topics.LATE: msgspec.json.Decoder(EnrichedPost).decode,
    topics.PROFILES: msgspec.json.Decoder(Profile).decode,
    topics.CANDIDATES: msgspec.json.Decoder(Candidate).decode,
    topics.DEAD_LETTERS: msgspec.json.Decoder(DeadLetter).decode,
}
"""the decoder of each published topic"""

BY_SCHEMA = {
    Reason.NOT_AN_OBJECT,
    Reason.MISSING_FIELD,
    Reason.WRONG_TYPE,
    Reason.BAD_ID,
    Reason.EMPTY_AUTHOR,
    Reason.UNKNOWN_KIND,
    Reason.UNKNOWN_PLATFORM,
    Reason.UNKNOWN_OPERATION,
}
"""reasons that need neither the clock nor the settings, so that a schema can state them"""

ONLY_ANNOTATE = {
    ("Annotation", "targets"),
    *(("TargetMention", name) for name in ("text", "start", "end", "sentiment")),
}
"""fields that only `superfan annotate` fills"""


def validator(topic: str) -> Draft202012Validator:
    """Return a validator with the published schema of a topic."""
    schema = asyncapi.schema_of(topics.BY_NAME[topic])
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def refused(topic: str, payload: Any) -> tuple[bool, bool]:
    """Return whether the schema, and whether the decoder, refuses a payload."""
    try:
        READERS[topic](json.dumps(payload).encode())
    except (Rejected, msgspec.ValidationError):
        read = False
    else:
        read = True
    return not validator(topic).is_valid(payload), not read


def test_generated_files_are_up_to_date() -> None:
    """`make generate` changes nothing: the committed files are those that the code generates."""
    wanted = dict(generate.files())
    found = {path for pattern in generate.GENERATED for path in generate.DEPLOY.glob(pattern)}
    assert found == set(wanted)
    stale = [str(path) for path, text in wanted.items() if path.read_text() != text]
    assert stale == []


def test_a_page_without_markers_is_refused() -> None:
    """A generated table replaces the one between its markers; a page that lost them is an error."""
    page = "A\n<!-- metrics -->\nold\n<!-- end -->\nB\n"
    assert generate.filled(page, "metrics", "new\n") == page.replace("old", "new")
    with pytest.raises(ValueError, match="no table 'metrics'"):
        generate.filled(page.replace("<!-- end -->", ""), "metrics", "new\n")


@pytest.mark.parametrize("path", KEPT, ids=lambda path: str(path.relative_to(generate.EXAMPLES)))
def test_every_example_ever_published_is_still_read(path: Path) -> None:
    """The current schema and the current decoder accept every example ever published."""
    assert refused(path.parent.name, json.loads(path.read_text())) == (False, False)


@pytest.mark.parametrize("topic", asyncapi.PUBLISHED, ids=lambda topic: topic.name)
def test_examples_without_a_required_field_are_refused(topic: topics.Topic) -> None:
    """Schema and decoder refuse an example that lacks a required field, and accept an unknown one."""
    newest = generate.examples(generate.versions()[-1])[topic.name]
    required = asyncapi.schema_of(topic)["required"]
    assert newest
    for payload in newest.values():
        for name in required:
            less = {key: value for key, value in payload.items() if key != name}
            assert refused(topic.name, less) == (True, True), name
        assert refused(topic.name, {**payload, "added_later": 1}) == (False, False)


def test_every_published_field_has_an_example() -> None:
    """Every field has an example in which it is neither null nor empty."""
    described = asyncapi.document("1", {})["components"]
    schemas = described["schemas"]
    fields = {(record, name) for record, schema in schemas.items() for name in schema.get("properties", ())}
    shown: set[tuple[str, str]] = set()
    for path in KEPT:
        payload = described["messages"][path.parent.name]["payload"]
        shown.update(_shown(payload, json.loads(path.read_text()), schemas))
    assert fields - shown == ONLY_ANNOTATE


def test_the_schema_refuses_malformed_posts() -> None:
    """The schema refuses every malformed post that can be recognised without clock and settings."""
    mentions = validator(topics.MENTIONS)
    for value, reason in malformed(30):
        if reason in BY_SCHEMA:
            assert not mentions.is_valid(json.loads(value)), (reason, value[:200])


def test_the_schema_accepts_the_bundled_records(posts: list[bytes], customers: list[bytes]) -> None:
    """The bundled posts and customers are valid by their schemas."""
    for topic, values in ((topics.MENTIONS, posts[::25]), (topics.CUSTOMERS, customers[::25])):
        published = validator(topic)
        wrong = [value for value in values if not published.is_valid(json.loads(value))]
        assert wrong == []


def test_references_and_examples_of_the_document_are_valid() -> None:
    """Every `$ref` of the AsyncAPI document resolves, and every example matches its message's payload."""
    described = asyncapi.document("1", generate.examples(generate.versions()[-1]))
    for ref in _refs(described):
        target = described
        for part in ref.removeprefix("#/").split("/"):
            target = target[part]
    for message in described["components"]["messages"].values():
        payload = {**message["payload"], "components": described["components"]}
        for example in message.get("examples", ()):
            Draft202012Validator(payload).validate(example["payload"])


def test_every_topic_is_used_by_a_role() -> None:
    """A role reads or writes every topic of the table."""
    used = {name for spec in ROLES.values() for name in (*spec.inputs, *spec.outputs)}
    assert used == {topic.name for topic in topics.TOPICS if topic.record is not None}


def test_names_of_schemas_do_not_depend_on_modules() -> None:
    """No schema component is named after a Python module, so moving code renames none."""
    named = asyncapi.document("1", {})["components"]["schemas"]
    assert [name for name in named if not name.isidentifier()] == []
    assert {"WhyReason", "RejectionReason"} <= set(named)


def _shown(schema: Any, value: Any, schemas: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (record, field) of every field that is filled in this payload."""
    for choice in schema.get("anyOf", ()):
        yield from _shown(choice, value, schemas)
    record = schema.get("$ref", "").rpartition("/")[2]
    if isinstance(value, dict):
        for name, item in value.items():
            known = (
                schemas[record].get("properties", {}).get(name)
                if record
                else schema.get("additionalProperties")
            )
            if isinstance(known, dict) and item not in (None, "", [], {}):
                if record:
                    yield record, name
                yield from _shown(known, item, schemas)
    elif isinstance(value, list):
        for item in value:
            yield from _shown(schema.get("items", {}), item, schemas)


def _refs(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from _refs(value)
