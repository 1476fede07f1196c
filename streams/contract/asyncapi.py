"""What travels on the topics, for programs and for people: JSON Schemas, an AsyncAPI 3 document, a page.

All of it is made from the one topic table, the records and the roles: nothing is written twice. Internal
topics are left out: they may change with any release.
"""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup

from streams.roles import ROLES, Role
from streams.settings import Settings, TopicSettings
from streams.topics import TOPICS, Topic

Schema = dict[str, Any]
Examples = Mapping[str, Mapping[str, Any]]
"""Per topic, payloads by name."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PUBLISHED: tuple[Topic, ...] = tuple(topic for topic in TOPICS if not topic.internal)
_COMPONENTS = "#/components/schemas/"
_BINDING = {"bindingVersion": "0.5.0"}


def schema_of(topic: Topic) -> Schema:
    """The JSON Schema (2020-12) of a topic's records, complete in itself. A tombstone is no record."""
    assert topic.record is not None, f"{topic.name} has no records"  # noqa: S101 -- only changelogs have none
    _, definitions = msgspec.json.schema_components([topic.record], ref_template="#/$defs/{name}")
    own = definitions.pop(topic.record.__name__)
    head = {"$schema": DIALECT, "$id": f"urn:superfan:topic:{topic.name}"}
    return {**head, **_tidy(own), **({"$defs": _tidy(definitions)} if definitions else {})}


def document(version: str, examples: Examples) -> dict[str, Any]:
    """The AsyncAPI 3.0 document of this release: every published topic, who reads and who writes it."""
    records = {topic.record for topic in PUBLISHED}
    ordered = sorted((record for record in records if record), key=lambda record: record.__name__)
    _, schemas = msgspec.json.schema_components(ordered, ref_template=_COMPONENTS + "{name}")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Superfan",
            "version": version,
            "description": (
                "Finds a brand's enthusiastic existing customers in the social stream and says why. "
                "Records are JSON, UTF-8, one object each; unknown fields are ignored. Delivery is at least "
                "once: of two profiles or candidates of a key keep the one with the greater `revision`."
            ),
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "local": {
                "host": Settings.model_fields["broker_url"].default.removeprefix("kafka://"),
                "protocol": "kafka",
                "description": "The embedded broker's default address; `SUPERFAN_BROKER_URL` names another.",
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
            "schemas": _tidy(schemas),
        },
    }


def page(described: Mapping[str, Any]) -> str:
    """The document as one HTML page that needs no network and no script."""
    environment = Environment(
        loader=PackageLoader("streams.views", "templates"),
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code"] = _code
    schemas = {name: list(_fields(schema)) for name, schema in described["components"]["schemas"].items()}
    found = environment.get_template("asyncapi.html").render(
        document=described, topics=PUBLISHED, fields=schemas, to_json=_pretty
    )
    return found.rstrip() + "\n"


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
    """A schema with its docstrings out of their indentation."""
    if isinstance(schema, dict):
        return {
            name: inspect.cleandoc(value)
            if name == "description" and isinstance(value, str)
            else _tidy(value)
            for name, value in schema.items()
        }
    return [_tidy(item) for item in schema] if isinstance(schema, list) else schema


@dataclass(frozen=True, slots=True)
class _Field:
    """A row of the page: a property, the kinds of value it may have, and the limits upon them."""

    name: str
    required: bool
    kinds: tuple[tuple[str, str], ...]
    """`(text, name of a schema or "")`"""
    limits: str


_LIMITS = {
    "pattern": "matches {}",
    "maxLength": "at most {} characters",
    "minimum": "at least {}",
    "format": "a {}",
    "description": "{}",
}


def _fields(schema: Schema) -> Iterator[_Field]:
    for name, property_ in schema.get("properties", {}).items():
        limits = dict.fromkeys(_limits(property_))
        yield _Field(name, name in schema.get("required", ()), tuple(_kinds(property_)), "; ".join(limits))


def _kinds(schema: Schema, prefix: str = "") -> Iterator[tuple[str, str]]:
    match schema:
        case {"$ref": ref}:
            name = ref.removeprefix(_COMPONENTS)
            yield prefix + name.rpartition(".")[2], name
        case {"anyOf": choices}:
            for number, choice in enumerate(choices):
                yield from _kinds(choice, "" if number else prefix)
        case {"enum": values}:
            yield prefix + ", ".join(map(str, values)), ""
        case {"type": "array", "items": items}:
            yield from _kinds(items, prefix + "list of ")
        case {"type": "object", "additionalProperties": values}:
            yield from _kinds(values, prefix + "by name: ")
        case {"type": kind}:
            yield prefix + kind, ""


def _limits(schema: Schema) -> Iterable[str]:
    for choice in schema.get("anyOf", ()):
        yield from _limits(choice)
    for name, words in _LIMITS.items():
        if name in schema:
            yield words.format(schema[name])


def _code(text: str) -> Markup:
    """Text with its `names` set as code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if n % 2 else part for n, part in enumerate(parts)
    )


def _pretty(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
