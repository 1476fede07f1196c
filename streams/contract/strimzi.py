"""Generate Strimzi KafkaTopic resources from the topic table, for topics managed in Kubernetes."""

import json
from collections.abc import Iterable

from streams.settings import TopicSettings
from streams.topics import TOPICS, Topic

CLUSTER = "kafka"
"""name of the Kafka resource that the topics belong to; an overlay may change the label"""

_RESOURCE = """\
---
# {meaning}; key: {key}
apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata:
  name: {name}
  labels:
    strimzi.io/cluster: {cluster}
spec:
  partitions: {partitions}
  replicas: {replication}
  config:
{config}
"""


def kafka_topics(settings: TopicSettings, table: Iterable[Topic] = TOPICS) -> str:
    """Return one YAML document per topic, internal ones too; `superfan topics apply` creates the same."""
    return "".join(
        _RESOURCE.format(
            meaning=topic.meaning,
            key=topic.key,
            name=topic.name,
            cluster=CLUSTER,
            partitions=settings.partitions,
            replication=settings.replication,
            config="\n".join(f"    {name}: {json.dumps(value)}" for name, value in topic.config().items()),
        )
        for topic in table
    )
