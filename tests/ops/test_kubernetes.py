"""The Kubernetes manifests, built by kustomize and validated by the schemas of their readers."""

import json
import subprocess
import sysconfig
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from cloudcoil.models.keda.v1alpha1 import ScaledObject
from cloudcoil.models.prometheus_operator.v1 import PodMonitor, PrometheusRule

from streams.roles import ROLES, Role
from streams.settings import Settings, TopicSettings, WorkerSettings, load
from streams.topics import TOPICS

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
BIN = Path(sysconfig.get_path("scripts"))
OVERLAYS = ("development", "production")
RELEASES = ("1.31", "1.37")
"""the oldest and the newest supported Kubernetes"""
LARGEST_ANNOTATION = 262_144
"""limit of an annotation in bytes; `kubectl apply` stores the whole resource in one"""

Resource = dict[str, Any]


def built(overlay: str) -> list[Resource]:
    """Return the resources that `kubectl apply -k` would send."""
    command = [f"{BIN}/kubectl", "kustomize", f"{KUBERNETES}/overlays/{overlay}"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b"", "kustomize warns of deprecated fields"
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="module")
def overlays() -> dict[str, list[Resource]]:
    """The built resources of every overlay."""
    return {name: built(name) for name in OVERLAYS}


@pytest.fixture(scope="module")
def production(overlays: dict[str, list[Resource]]) -> list[Resource]:
    """The built resources of production."""
    return overlays["production"]


def of(resources: list[Resource], kind: str) -> dict[str, Resource]:
    """Return the resources of a kind, by name."""
    return {r["metadata"]["name"]: r for r in resources if r["kind"] == kind}


def workers(resources: list[Resource]) -> dict[Role, Resource]:
    """Return the Deployment of each role."""
    found = of(resources, "Deployment")
    return {role: found[f"superfan-{role}"] for role in Role}


def pod(deployment: Resource) -> Resource:
    """Return the pod template of a Deployment."""
    found: Resource = deployment["spec"]["template"]["spec"]
    return found


def settings_of(
    deployment: Resource, resources: list[Resource], patch: pytest.MonkeyPatch, tmp: Path
) -> Settings:
    """Load the settings as a worker of this Deployment would."""
    (container,) = pod(deployment)["containers"]
    (volume,) = [v for v in pod(deployment)["volumes"] if "configMap" in v]
    file = tmp / "superfan.toml"
    file.write_text(of(resources, "ConfigMap")[volume["configMap"]["name"]]["data"]["superfan.toml"])
    for env in container["env"]:
        if env["name"] not in {"SUPERFAN_CONFIG", "SUPERFAN_LOG_SECRET"}:
            patch.setenv(env["name"], env.get("value", "postgresql+psycopg://superfan@postgres/superfan"))
    return load(file)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_resource_is_valid(overlays: dict[str, list[Resource]], overlay: str, release: str) -> None:
    """Kubernetes' own kinds match its schemas without unknown fields; the other kinds are as expected."""
    others = set()
    for resource in overlays[overlay]:
        try:
            kubernetes_validate.validate(resource, release, strict=True)
        except kubernetes_validate.SchemaNotFoundError:
            others.add(resource["kind"])
    operators = {"KafkaTopic", "PodMonitor", "PrometheusRule", "ScaledObject"}
    assert others == (operators if overlay == "production" else set())


def test_an_unknown_field_is_found(production: list[Resource]) -> None:
    """The validation can fail: it rejects a misspelt field."""
    deployment = workers(production)[Role.SINK]
    broken = {**deployment, "spec": {**deployment["spec"], "replica": 3}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, RELEASES[-1], strict=True)


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        ("ScaledObject", ScaledObject.model_validate),
        ("PodMonitor", PodMonitor.model_validate),
        ("PrometheusRule", PrometheusRule.model_validate),
    ],
)
def test_resources_of_operators_match_their_models(
    production: list[Resource], kind: str, read: Callable[[Resource], Any]
) -> None:
    """The models of KEDA and the Prometheus operator know every field of their resources."""
    found = of(production, kind)
    assert found
    for resource in found.values():
        known = read(resource).model_dump(mode="json", by_alias=True, exclude_unset=True)
        assert known["spec"] == resource["spec"]


def test_topics_match_the_topic_table(production: list[Resource], tmp_path: Path, monkeypatch: Any) -> None:
    """A worker with production's settings accepts production's KafkaTopics."""
    settings = settings_of(workers(production)[Role.PROFILE], production, monkeypatch, tmp_path)
    found = of(production, "KafkaTopic")
    assert set(found) == {topic.name for topic in TOPICS}
    for topic in TOPICS:
        spec = found[topic.name]["spec"]
        assert spec["partitions"] == settings.topics.partitions
        assert spec["replicas"] == settings.topics.replication
        assert topic.config().items() <= spec["config"].items()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_settings_of_every_role_load(
    overlays: dict[str, list[Resource]], overlay: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings file and the variables of each Deployment load, and name the overlay's broker."""
    for role, deployment in workers(overlays[overlay]).items():
        with monkeypatch.context() as patch:
            settings = settings_of(deployment, overlays[overlay], patch, tmp_path)
        assert settings.bootstrap == ["kafka-kafka-bootstrap:9092"]
        assert pod(deployment)["containers"][0]["args"] == ["worker", "--role", role]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_worker_has_time_to_drain(overlays: dict[str, list[Resource]], overlay: str) -> None:
    """No pod is killed before twice `worker.drain_timeout`, and pods of a role leave one by one."""
    budgets = of(overlays[overlay], "PodDisruptionBudget")
    for role, deployment in workers(overlays[overlay]).items():
        assert pod(deployment)["terminationGracePeriodSeconds"] >= 2 * WorkerSettings().drain_timeout
        assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
        budget = budgets[f"superfan-{role}"]["spec"]
        assert budget["maxUnavailable"] == 1
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert budget["selector"]["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_worker_has_no_more_rights_than_it_needs(overlays: dict[str, list[Resource]], overlay: str) -> None:
    """Pods have no root, capability or token, and write to /tmp only; only the sink knows the database."""
    for role, deployment in workers(overlays[overlay]).items():
        spec = pod(deployment)
        (container,) = spec["containers"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["automountServiceAccountToken"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert [m["mountPath"] for m in container["volumeMounts"] if not m.get("readOnly")] == ["/tmp"]  # noqa: S108
        secrets = {env["name"] for env in container["env"] if "valueFrom" in env}
        assert secrets == {"SUPERFAN_LOG_SECRET"} | ({"SUPERFAN_STORE_URL"} if role is Role.SINK else set())
        assert {"cpu", "memory"} == container["resources"]["requests"].keys()
        assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_services_set_no_variables_in_a_worker(overlays: dict[str, list[Resource]], overlay: str) -> None:
    """Service links are off: they would set SUPERFAN_… variables, which a worker refuses if unknown."""
    assert all(pod(d)["enableServiceLinks"] is False for d in workers(overlays[overlay]).values())


def test_scaling_is_slow_and_ends_at_the_partitions(production: list[Resource]) -> None:
    """There are never more workers than partitions; steps are one pod, and downscaling waits half an hour."""
    scaled = of(production, "ScaledObject")
    assert set(scaled) == {"superfan-enrich", "superfan-profile"}
    for name, resource in scaled.items():
        spec = resource["spec"]
        role = Role(name.removeprefix("superfan-"))
        (trigger,) = spec["triggers"]
        behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        assert spec["scaleTargetRef"]["name"] == name
        assert "replicas" not in workers(production)[role]["spec"]
        assert spec["maxReplicaCount"] == TopicSettings().partitions
        assert trigger["metadata"]["consumerGroup"] == ROLES[role].group
        assert all(value["policies"][0]["value"] == 1 for value in behavior.values())
        assert behavior["scaleUp"]["stabilizationWindowSeconds"] >= 300
        assert behavior["scaleDown"]["stabilizationWindowSeconds"] >= 1800


def test_production_holds_no_secret_and_names_the_release(production: list[Resource]) -> None:
    """The database's address is a reference to a secret, and the image has this release's version."""
    assert of(production, "Secret") == {}
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    images = {pod(deployment)["containers"][0]["image"] for deployment in workers(production).values()}
    assert {image.rpartition(":")[2] for image in images} == {version}


def test_prometheus_and_the_probes_find_every_pod(production: list[Resource]) -> None:
    """The PodMonitor and the network policy select every pod, on the port of its metrics and probes."""
    (monitor,) = of(production, "PodMonitor").values()
    (policy,) = of(production, "NetworkPolicy").values()
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    (ingress,) = policy["spec"]["ingress"]
    ours = of(production, "Deployment")
    assert set(ours) == {*(f"superfan-{role}" for role in Role), "superfan-exporter"}
    for deployment in ours.values():
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        for selector in (monitor["spec"]["selector"], policy["spec"]["podSelector"]):
            assert selector["matchLabels"].items() <= labels.items()
        (container,) = pod(deployment)["containers"]
        (port,) = container["ports"]
        assert port["name"] == endpoint["port"]
        assert {"name": "SUPERFAN_METRICS__PORT", "value": str(port["containerPort"])} in container["env"]
        for probe, path in (("livenessProbe", "/live"), ("readinessProbe", "/ready")):
            assert container[probe]["httpGet"] == {"path": path, "port": port["name"]}
    assert [port["port"] for port in ingress["ports"]] == [endpoint["port"]]


def test_production_has_the_tested_rules(production: list[Resource]) -> None:
    """The PrometheusRule has every group of `deploy/prometheus/rules`, and pods have the job they select."""
    (rules,) = of(production, "PrometheusRule").values()
    files = sorted((ROOT / "deploy/prometheus/rules").glob("*.yml"))
    assert rules["spec"]["groups"] == [
        group for path in files for group in yaml.safe_load(path.read_text())["groups"]
    ]
    (job,) = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    (monitor,) = of(production, "PodMonitor").values()
    assert monitor["spec"]["selector"]["matchLabels"][monitor["spec"]["jobLabel"]] == job["job_name"]


def test_production_has_the_dashboards(production: list[Resource]) -> None:
    """Each is in a ConfigMap with the label of Grafana's sidecar, and small enough for `kubectl apply`."""
    maps = [map_ for name, map_ in of(production, "ConfigMap").items() if "-dashboard-" in name]
    shown = {name: text for map_ in maps for name, text in map_["data"].items()}
    folder = ROOT / "deploy/grafana/dashboards"
    assert shown == {path.name: path.read_text() for path in folder.glob("*.json")}
    for map_ in maps:
        assert map_["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert len(json.dumps(map_)) < LARGEST_ANNOTATION
