"""Create the topics that are missing on the broker, and compare the others with the topic table."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic
from kafka.errors import (
    KafkaError,
    RetriableError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
)

from models.errors import SuperfanError
from streams.settings import Settings
from streams.topics import TOPICS, Topic


class BrokerUnavailable(SuperfanError):
    """No broker answers at the configured address."""

    def __init__(self, settings: Settings, error: Exception) -> None:
        super().__init__(
            f"No Kafka broker answers at {settings.broker_url}",
            str(error) or type(error).__name__,
            "start one with `superfan broker`, or set SUPERFAN_BROKER_URL",
        )


class TopicError(SuperfanError):
    """A topic on the broker is missing, or differs from the topic table."""


class Difference(NamedTuple):
    """A setting of a topic that differs from the table; `PARTITIONS` is the number of partitions."""

    name: str
    found: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.name} is {self.found}, should be {self.wanted}"


PARTITIONS = "partitions"
_APPLY = "run `superfan topics apply`"


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic on the broker; `differences` is empty when it agrees with the table."""

    topic: Topic
    partitions: tuple[Mapping[str, Any], ...] = ()
    """the broker's description of each: leader, replicas, replicas in sync; empty if the topic is missing"""
    differences: tuple[Difference, ...] = ()

    @property
    def exists(self) -> bool:
        """True if the broker has the topic."""
        return bool(self.partitions)

    def __str__(self) -> str:
        return ", ".join(map(str, self.differences)) if self.exists else "missing"


def missing(topic: str) -> TopicError:
    """Return the error for a topic that is not on the broker."""
    return TopicError(f"There is no topic {topic}", "it was never created, or it was deleted", _APPLY)


@contextmanager
def admin_client(settings: Settings) -> Iterator[KafkaAdminClient]:
    """Yield an admin client of the broker.

    Raises `BrokerUnavailable` when no broker answers within ten seconds, and when the broker goes away or is
    not ready inside the `with` block. Raises `TopicError` when the block asks for a topic that is missing.
    """
    try:
        client = KafkaAdminClient(bootstrap_servers=settings.bootstrap, bootstrap_timeout_ms=10_000)
    except (KafkaError, OSError) as error:
        raise BrokerUnavailable(settings, error) from None
    try:
        yield client
    except UnknownTopicOrPartitionError as error:
        raise TopicError("A topic is missing on the broker", str(error), _APPLY) from None
    except RetriableError as error:
        raise BrokerUnavailable(settings, error) from None
    finally:
        client.close()


def compare(
    client: KafkaAdminClient, settings: Settings, table: Iterable[Topic] = TOPICS
) -> list[TopicState]:
    """Return the state of each topic of the table on the broker."""
    table = list(table)
    known = set(client.list_topics())
    there = [topic.name for topic in table if topic.name in known]
    described = {t["name"]: tuple(t["partitions"]) for t in client.describe_topics(there)} if there else {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in there]
    configs = client.describe_configs(resources, config_filter="all")["topic"] if there else {}
    states = []
    for topic in table:
        if topic.name not in known:
            states.append(TopicState(topic))
            continue
        partitions = described[topic.name]
        wrong = []
        if len(partitions) != settings.topics.partitions:
            wrong.append(Difference(PARTITIONS, str(len(partitions)), str(settings.topics.partitions)))
        for name, wanted in topic.config().items():
            found = configs[topic.name][name]["value"]
            if set(found.split(",")) != set(wanted.split(",")):
                wrong.append(Difference(name, found, wanted))
        states.append(TopicState(topic, partitions, tuple(wrong)))
    return states


def apply(client: KafkaAdminClient, settings: Settings, table: Iterable[Topic] = TOPICS) -> list[str]:
    """Create the missing topics and return their names; raises `TopicError` if an existing one differs.

    An existing topic is never changed: its data may depend on its settings. Several workers may call this at
    once. A broker that goes away meanwhile is a `RetriableError` of the client.
    """
    states = compare(client, settings, table)
    missing = [state.topic for state in states if not state.exists]
    if wrong := [state for state in states if state.differences]:
        raise TopicError(
            f"{len(wrong)} topics on the broker differ from the table",
            "; ".join(f"{state.topic.name}: {state}" for state in wrong),
            "`superfan doctor` says how to alter each; or set topics.partitions to what they have",
        )
    for topic in missing:
        new = NewTopic(
            topic.name, settings.topics.partitions, settings.topics.replication, topic_configs=topic.config()
        )
        try:
            client.create_topics([new], wait_for_metadata=True)
        except TopicAlreadyExistsError:
            continue
        except RetriableError:
            raise
        except KafkaError as error:
            raise TopicError(
                f"Topic {topic.name} could not be created",
                str(error),
                "check topics.replication and the broker's log",
            ) from None
    return [topic.name for topic in missing]
