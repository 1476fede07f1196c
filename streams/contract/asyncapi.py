"""Generate the contract of the published topics: JSON Schemas and an AsyncAPI 3 document.

Both come from the topic table, the records and the roles, so nothing is written twice. Internal topics are
left out: they may change with any release.
"""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from models import candidate, rejection
from streams.roles import ROLES, Role
from streams.settings import Settings, TopicSettings
from streams.topics import TOPICS, Topic

Schema = dict[str, Any]
Examples = Mapping[str, Mapping[str, Any]]
"""Per topic, payloads by name."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PUBLISHED: tuple[Topic, ...] = tuple(topic for topic in TOPICS if not topic.internal)
_COMPONENTS = "#/components/schemas/"
_NAMES: Final[dict[str, str]] = {
    _COMPONENTS + f"{record.__module__}.{record.__qualname__}": _COMPONENTS + name
    for record, name in ((candidate.Reason, "WhyReason"), (rejection.Reason, "RejectionReason"))
}
"""References to records that share a class name, which msgspec tells apart by their modules."""
_BINDING = {"bindingVersion": "0.5.0"}


def schema_of(topic: Topic) -> Schema:
    """Return the self-contained JSON Schema (2020-12) of a topic's records. It does not cover tombstones."""
    assert topic.record is not None, f"{topic.name} has no records"  # noqa: S101 -- only changelogs have none
    _, definitions = msgspec.json.schema_components([topic.record], ref_template="#/$defs/{name}")
    own = definitions.pop(topic.record.__name__)
    head = {"$schema": DIALECT, "$id": f"urn:superfan:topic:{topic.name}"}
    return {**head, **_tidy(own), **({"$defs": _tidy(definitions)} if definitions else {})}


def document(version: str, examples: Examples) -> dict[str, Any]:
    """Build the AsyncAPI 3.0 document of a release: every published topic, its readers and its writers."""
    records = {topic.record for topic in PUBLISHED}
    ordered = sorted((record for record in records if record), key=lambda record: record.__name__)
    _, schemas = msgspec.json.schema_components(ordered, ref_template=_COMPONENTS + "{name}")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Superfan",
            "version": version,
            "description": (
                "Finds a brand's enthusiastic existing customers in the social stream and explains why. "
                "Each record is one JSON object in UTF-8; readers ignore unknown fields. Delivery is at "
                "least once: of two profiles or candidates with the same key, keep the one with the "
                "greater `revision`."
            ),
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "local": {
                "host": Settings.model_fields["broker_url"].default.removeprefix("kafka://"),
                "protocol": "kafka",
                "description": "The default broker; `SUPERFAN_BROKER_URL` sets another.",
            }
        },
        "channels": {topic.name: _channel(topic) for topic in PUBLISHED},
        "operations": dict(_operations()),
        "components": {
            "messages": {
                name: message
                for topic in PUBLISHED
                for name, message in _messages(topic, examples.get(topic.name, {}))
            },
            "schemas": {_named(name): _tidy(schema) for name, schema in schemas.items()},
        },
    }


def _channel(topic: Topic) -> dict[str, Any]:
    config: dict[str, Any] = {
        name: value.split(",") if name == "cleanup.policy" else int(value)
        for name, value in topic.config().items()
    }
    names = [topic.name, *([_tombstone(topic)] if topic.tombstone else [])]
    return {
        "address": topic.name,
        "description": _sentence(topic.meaning),
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {
            "kafka": {"partitions": TopicSettings().partitions, "topicConfiguration": config, **_BINDING}
        },
    }


def _messages(topic: Topic, examples: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    assert topic.record is not None  # noqa: S101 -- published topics have records
    bindings = {"kafka": {"key": {"type": "string", "description": _sentence(topic.key)}, **_BINDING}}
    message: dict[str, Any] = {
        "name": topic.record.__name__,
        "title": _sentence(topic.meaning),
        "payload": {"$ref": _COMPONENTS + topic.record.__name__},
        "bindings": bindings,
    }
    if examples:
        message["examples"] = [{"name": name, "payload": payload} for name, payload in examples.items()]
    yield topic.name, message
    if topic.tombstone:
        gone = {"name": "Tombstone", "title": topic.tombstone, "payload": {"type": "null"}}
        yield _tombstone(topic), {**gone, "bindings": bindings}


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    published = {topic.name for topic in PUBLISHED}
    for role, spec in ROLES.items():
        group = {"groupId": {"type": "string", "enum": [spec.group]}, **_BINDING}
        for name in (name for name in spec.inputs if name in published):
            yield (
                f"{role}.receive.{name}",
                {**_operation(role, "receive", name), "bindings": {"kafka": group}},
            )
        for name in (name for name in spec.outputs if name in published):
            yield f"{role}.send.{name}", _operation(role, "send", name)


def _operation(role: Role, action: str, topic: str) -> dict[str, Any]:
    does = "reads" if action == "receive" else "writes"
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic}"},
        "summary": f"The {role} role {does} `{topic}`.",
    }


def _tombstone(topic: Topic) -> str:
    return f"{topic.name}.tombstone"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _tidy(schema: Any) -> Any:
    """Return a schema with dedented descriptions and stable component names."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tidied = {name: _tidy(value) for name, value in schema.items()}
    if isinstance(text := tidied.get("description"), str):
        tidied["description"] = inspect.cleandoc(text)
    if isinstance(ref := tidied.get("$ref"), str):
        tidied["$ref"] = _NAMES.get(ref, ref)
    return tidied


def _named(component: str) -> str:
    """Return the published name of a schema component."""
    ref = _COMPONENTS + component
    return _NAMES.get(ref, ref).removeprefix(_COMPONENTS)
