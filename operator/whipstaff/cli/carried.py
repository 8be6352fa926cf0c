"""What the package carries for an installation: the definitions, and the operator's own chart."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from whipstaff.chart import rendering
from whipstaff.chart.rendering import ReleaseInfo
from whipstaff.chart.values import merge_documents
from whipstaff.cli import chart_files, offline
from whipstaff.cli.packed import CHART, DEFINITIONS, NAMESPACE_FILE, packed
from whipstaff.golang import yaml
from whipstaff.helmrelease.edits import MANAGER
from whipstaff.release.revision import JsonObject
from whipstaff.settings import VERSION

NAME, NAMESPACE = "whipstaff", "whipstaff-system"

# Labels: who made an object, and in which version.
MADE_BY = "app.kubernetes.io/managed-by"
VERSION_LABEL = "app.kubernetes.io/version"
VALUES = "whipstaff.dev/values"  # annotation of the Deployment: what it was installed with, as JSON

_HELMS_LABELS = (MADE_BY, "helm.sh/chart")

# By kind: the group and version, the plural, and whether it lies in a namespace.
KINDS = {
    "Namespace": ("v1", "namespaces", False),
    "CustomResourceDefinition": ("apiextensions.k8s.io/v1", "customresourcedefinitions", False),
    "ServiceAccount": ("v1", "serviceaccounts", True),
    "Secret": ("v1", "secrets", True),
    "ClusterRole": ("rbac.authorization.k8s.io/v1", "clusterroles", False),
    "ClusterRoleBinding": ("rbac.authorization.k8s.io/v1", "clusterrolebindings", False),
    "Role": ("rbac.authorization.k8s.io/v1", "roles", True),
    "RoleBinding": ("rbac.authorization.k8s.io/v1", "rolebindings", True),
    "Service": ("v1", "services", True),
    "Deployment": ("apps/v1", "deployments", True),
    "ValidatingWebhookConfiguration": (
        "admissionregistration.k8s.io/v1",
        "validatingwebhookconfigurations",
        False,
    ),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be installed, and where."""

    namespace: str = NAMESPACE
    values: JsonObject | None = None  # of the chart
    version: str = ""  # of the operator; that of the package if empty
    secrets: tuple[JsonObject, ...] = ()  # that the values name


@dataclass(frozen=True, slots=True)
class Carried:
    """The objects of an installation, in the order in which they are made."""

    namespace: JsonObject
    definitions: tuple[JsonObject, ...]
    objects: tuple[JsonObject, ...]

    def all(self) -> Iterator[JsonObject]:
        """Yield everything."""
        yield self.namespace
        yield from self.definitions
        yield from self.objects

    def marked(self, values: JsonObject) -> "Carried":
        """Return the same objects with the mark of who made them, and of what."""
        return Carried(
            self.namespace,
            tuple(_labelled(body, VERSION_LABEL, VERSION) for body in self.definitions),
            tuple(_marked(body, values) for body in self.objects),
        )


def carried(choice: Choice) -> Carried:
    """Render what installs the operator; an OperatorError says what is wrong with the values."""
    given = choice.values or {}
    wanted = table(given.get("crds")).get("install", True)
    rendered = _render(choice, merge_documents([given, {"crds": {"install": False}}]))
    bodies = [*map(_plain, rendered), *choice.secrets]
    namespace = yaml.load_map(packed(NAMESPACE_FILE).read_text(encoding="utf-8"))
    namespace["metadata"] = {**table(namespace["metadata"]), "name": choice.namespace}
    return Carried(
        namespace,
        tuple(_definitions()) if wanted else (),
        tuple(_placed(body, choice.namespace) for body in bodies),
    )


def check_server(version: str) -> None:
    """Raise KubeVersionIncompatible if the operator does not work with an API server."""
    chart = chart_files.load_folder(packed(CHART))
    rendering.check_kube_version(chart, offline.capabilities(version))


def path_of(kind: str, namespace: str = "", name: str = "") -> str:
    """Return where objects of a kind are; of all namespaces if none is named."""
    group, plural, namespaced = KINDS[kind]
    root = f"/apis/{group}" if "/" in group else f"/api/{group}"
    place = f"/namespaces/{quote(namespace, safe='')}" if namespaced and namespace else ""
    return f"{root}{place}/{plural}" + (f"/{quote(name, safe='')}" if name else "")


def noted(values: JsonObject) -> str:
    """Return values as they are noted at the Deployment; the same text for the same values."""
    return json.dumps(values, sort_keys=True)


def subject_of(body: JsonObject) -> str:
    """Return what messages call an object."""
    metadata = body["metadata"]
    place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{body['kind']} {place}{metadata['name']}"


def _render(choice: Choice, values: JsonObject) -> list[JsonObject]:
    chart = chart_files.load_folder(packed(CHART))
    if choice.version:
        chart = replace(chart, metadata=replace(chart.metadata, app_version=choice.version))
    release = ReleaseInfo(NAME, choice.namespace)

    def work() -> list[JsonObject]:
        rendered = rendering.render(
            chart, values, release, offline.capabilities(""), offline.scope(), rendering.Options()
        )
        return [document.body for document in rendered.documents]

    return offline.on_a_deep_stack(work)


def _definitions() -> Iterator[JsonObject]:
    for path in sorted(packed(DEFINITIONS).glob("*.yaml")):
        yield yaml.load_map(path.read_text(encoding="utf-8"))


def _placed(body: JsonObject, namespace: str) -> JsonObject:
    """Name the namespace in an object, as one has to who applies it."""
    metadata = body["metadata"]
    if not KINDS[str(body["kind"])][2] or metadata.get("namespace"):
        return body
    return {**body, "metadata": {**metadata, "namespace": namespace}}


def _plain(body: JsonObject) -> JsonObject:
    """Take off an object, and off its pods, what says that helm made it."""
    return _with_labels(
        body,
        lambda labels: {name: text for name, text in labels.items() if name not in _HELMS_LABELS},
    )


def _marked(body: JsonObject, values: JsonObject) -> JsonObject:
    body = _labelled(body, MADE_BY, MANAGER)
    if body["kind"] != "Deployment":
        return body
    metadata = body["metadata"]
    notes = {**(metadata.get("annotations") or {}), VALUES: noted(values)}
    return {**body, "metadata": {**metadata, "annotations": notes}}


def _labelled(body: JsonObject, name: str, text: str) -> JsonObject:
    metadata = body["metadata"]
    return {
        **body,
        "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), name: text}},
    }


def _with_labels(
    body: JsonObject, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> JsonObject:
    metadata = body["metadata"]
    body = {**body, "metadata": {**metadata, "labels": change(metadata.get("labels") or {})}}
    template = (body.get("spec") or {}).get("template")
    if not isinstance(template, dict):
        return body
    inner = template["metadata"]
    template = {**template, "metadata": {**inner, "labels": change(inner.get("labels") or {})}}
    return {**body, "spec": {**body["spec"], "template": template}}


def table(value: object) -> dict[str, Any]:
    """Return a value that should be a table; an empty one for anything else."""
    return value if isinstance(value, dict) else {}
