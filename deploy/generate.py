"""Writes what is generated under deploy/ from the code: `python -m deploy.generate`.

Nothing of it is edited by hand; a test says when it is out of date.
"""

import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent
from typing import Any

from streams.contract import asyncapi, strimzi
from streams.settings import TopicSettings

DEPLOY = Path(__file__).parent
EXAMPLES = DEPLOY / "asyncapi" / "examples"
GENERATED = (
    "asyncapi/schemas/*",
    "asyncapi/asyncapi.json",
    "asyncapi/index.html",
    "kubernetes/components/strimzi/topics.yaml",
    "kubernetes/components/monitoring/rules.yaml",
)
PROMETHEUS_RULE = """\
# Generated from deploy/prometheus/rules by `make generate`; do not edit.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: superfan
  labels:
    app.kubernetes.io/part-of: superfan
spec:
  groups:
"""


def examples(version: Path) -> asyncapi.Examples:
    """The example payloads of one version, per topic and by name."""
    return {
        folder.name: {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
        for folder in sorted(version.iterdir())
    }


def versions() -> list[Path]:
    """The folders of examples, oldest first: `v1`, `v2`, …"""
    return sorted(EXAMPLES.iterdir(), key=lambda folder: int(folder.name.removeprefix("v")))


def files() -> Iterator[tuple[Path, str]]:
    """Every generated file and what belongs into it."""
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["project"]
    described = asyncapi.document(project["version"], examples(versions()[-1]))
    for topic in asyncapi.PUBLISHED:
        yield DEPLOY / "asyncapi" / "schemas" / f"{topic.name}.json", _json(asyncapi.schema_of(topic))
    yield DEPLOY / "asyncapi" / "asyncapi.json", _json(described)
    yield DEPLOY / "asyncapi" / "index.html", asyncapi.page(described)
    note = "# Generated from streams/topics.py by `make generate`; do not edit.\n"
    yield (
        DEPLOY / "kubernetes" / "components" / "strimzi" / "topics.yaml",
        note + strimzi.kafka_topics(TopicSettings()),
    )
    yield DEPLOY / "kubernetes" / "components" / "monitoring" / "rules.yaml", prometheus_rule()


def prometheus_rule() -> str:
    """The groups of all files of rules as one resource of the Prometheus operator, comments included."""
    texts = [path.read_text() for path in sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))]
    groups = [text.partition("\ngroups:\n")[2].rstrip() for text in texts]
    return PROMETHEUS_RULE + indent("\n\n".join(groups), "  ") + "\n"


def main() -> None:
    """Write the files, and take away what is generated no more."""
    wanted = dict(files())
    for pattern in GENERATED:
        for old in set(DEPLOY.glob(pattern)) - set(wanted):
            old.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    sys.stderr.write(f"{len(wanted)} files written.\n")


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
