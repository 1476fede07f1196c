"""Write the generated files under deploy/: `python -m deploy.generate`, part of `make generate`.

Edit the code they come from, not these files. A test compares the two.
"""

import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent
from typing import Any

from deploy.grafana import build
from streams.contract import asyncapi, strimzi
from streams.ops import metrics
from streams.settings import TopicSettings

DEPLOY = Path(__file__).parent
EXAMPLES = DEPLOY / "asyncapi" / "examples"
GENERATED = (
    "asyncapi/schemas/*",
    "asyncapi/asyncapi.json",
    "kubernetes/components/strimzi/topics.yaml",
    "kubernetes/components/monitoring/rules.yaml",
    "prometheus/README.md",
    "grafana/README.md",
    "grafana/dashboards/*",
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
    """Return the example payloads of one version, by topic and name."""
    return {
        folder.name: {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
        for folder in sorted(version.iterdir())
    }


def versions() -> list[Path]:
    """Return the folders of examples, oldest first: `v1`, `v2`, …"""
    return sorted(EXAMPLES.iterdir(), key=lambda folder: int(folder.name.removeprefix("v")))


def files() -> Iterator[tuple[Path, str]]:
    """Yield the path and the content of every generated file."""
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["project"]
    described = asyncapi.document(project["version"], examples(versions()[-1]))
    for topic in asyncapi.PUBLISHED:
        yield DEPLOY / "asyncapi" / "schemas" / f"{topic.name}.json", _json(asyncapi.schema_of(topic))
    yield DEPLOY / "asyncapi" / "asyncapi.json", _json(described)
    note = "# Generated from streams/topics.py by `make generate`; do not edit.\n"
    yield (
        DEPLOY / "kubernetes" / "components" / "strimzi" / "topics.yaml",
        note + strimzi.kafka_topics(TopicSettings()),
    )
    yield DEPLOY / "kubernetes" / "components" / "monitoring" / "rules.yaml", prometheus_rule()
    yield from build.files()
    for folder, name, table in (
        ("prometheus", "metrics", metrics.document()),
        ("grafana", "questions", build.questions()),
    ):
        readme = DEPLOY / folder / "README.md"
        yield readme, filled(readme.read_text(), name, table)


def filled(page: str, name: str, table: str) -> str:
    """Return a page with a table between the comments `<!-- NAME -->` and `<!-- end -->`.

    Raises:
        ValueError: the page has no such comments.
    """
    start, end = f"<!-- {name} -->\n", "<!-- end -->\n"
    head, opened, rest = page.partition(start)
    _, closed, tail = rest.partition(end)
    if not (opened and closed):
        raise ValueError(f"no table {name!r} in the page")
    return head + start + table + end + tail


def prometheus_rule() -> str:
    """Return the rules of all files as one resource of the Prometheus operator, comments included."""
    texts = [path.read_text() for path in sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))]
    groups = [text.partition("\ngroups:\n")[2].rstrip() for text in texts]
    return PROMETHEUS_RULE + indent("\n\n".join(groups), "  ") + "\n"


def main() -> None:
    """Write the files, and remove those that are no longer generated."""
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
