"""What can be said of Kubernetes objects without a cluster: order, owner, digest, what to keep."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from whipstaff.chart.install_order import INSTALL_ORDER
from whipstaff.release.revision import Hook, JsonObject

FIELD_MANAGER = "helm"  # of all objects of charts and their hooks, as for the helm CLI
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "Helm"
RELEASE_NAME_ANNOTATION = "meta.helm.sh/release-name"
RELEASE_NAMESPACE_ANNOTATION = "meta.helm.sh/release-namespace"
RESOURCE_POLICY_ANNOTATION = "helm.sh/resource-policy"
# With which Flux marks each object of a release: which of its HelmReleases looks after it.
FLUX_NAME_LABEL = "helm.toolkit.fluxcd.io/name"
FLUX_NAMESPACE_LABEL = "helm.toolkit.fluxcd.io/namespace"

_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")

JsonValue = JsonObject | list[Any] | str | int | float | None

# Which algorithm made a digest: one of another version says nothing about a change.
DIGEST_VERSION = "v1."
_DIGEST_CHARACTERS = 60  # with the version 63, the most that a label holds

UNINSTALL_ORDER = (
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
    "APIService",
    "Ingress",
    "IngressClass",
    "Service",
    "CronJob",
    "Job",
    "StatefulSet",
    "HorizontalPodAutoscaler",
    "Deployment",
    "ReplicaSet",
    "ReplicationController",
    "Pod",
    "DaemonSet",
    "RoleBindingList",
    "RoleBinding",
    "RoleList",
    "Role",
    "ClusterRoleBindingList",
    "ClusterRoleBinding",
    "ClusterRoleList",
    "ClusterRole",
    "CustomResourceDefinition",
    "PersistentVolumeClaim",
    "PersistentVolume",
    "StorageClass",
    "ConfigMap",
    "SecretList",
    "Secret",
    "ServiceAccount",
    "PodDisruptionBudget",
    "PodSecurityPolicy",
    "LimitRange",
    "ResourceQuota",
    "NetworkPolicy",
    "Namespace",
    "PriorityClass",
)


def in_install_order(objects: Iterable[JsonObject]) -> tuple[JsonObject, ...]:
    """Sort by kind as Helm installs; unknown kinds last and by name, else the order is kept."""
    return _sorted_by_kind(objects, INSTALL_ORDER)


def in_uninstall_order(objects: Iterable[JsonObject]) -> tuple[JsonObject, ...]:
    """Sort by kind as Helm deletes; unknown kinds last and by name, else the order is kept."""
    return _sorted_by_kind(objects, UNINSTALL_ORDER)


def _sorted_by_kind(objects: Iterable[JsonObject], order: Sequence[str]) -> tuple[JsonObject, ...]:
    ranks = {kind: rank for rank, kind in enumerate(order)}

    def rank(body: JsonObject) -> tuple[int, str]:
        kind = str(body.get("kind", ""))
        return (ranks[kind], "") if kind in ranks else (len(ranks), kind)

    return tuple(sorted(objects, key=rank))


def manifest_digest(manifest: str, hooks: Iterable[Hook]) -> str:
    """Return the digest of what a release puts into the cluster, fit for a label.

    Hooks count with text, events, weight and policies; how their last run ended does not.
    """
    described = [
        [
            hook.path,
            hook.manifest,
            [event.value for event in hook.events],
            hook.weight,
            [policy.value for policy in hook.delete_policies],
        ]
        for hook in hooks
    ]
    return _digest([manifest, described])


def inputs_digest(
    *,
    chart_digest: str,
    values: JsonObject,
    release_name: str,
    namespace: str,
    **options: JsonValue,
) -> str:
    """Return the digest of what a rendering is made from, fit for a label.

    `options` are further JSON values that count, by name; one that is None counts as absent.
    """
    given = {name: value for name, value in options.items() if value is not None}
    return _digest([chart_digest, values, release_name, namespace, given])


def comparable(digest: str) -> bool:
    """Whether a digest was made by the algorithm of this module."""
    return digest.startswith(DIGEST_VERSION)


def _digest(value: object) -> str:
    # ASCII, so that a lone surrogate has a spelling too.
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return DIGEST_VERSION + hashlib.sha256(canonical.encode()).hexdigest()[:_DIGEST_CHARACTERS]


def stamp(body: JsonObject, release_name: str, namespace: str) -> JsonObject:
    """Return the object with Helm's marks of ownership, whatever it said before; a copy."""
    metadata = _table(body.get("metadata"))
    return {
        **body,
        "metadata": {
            **metadata,
            "labels": {**_table(metadata.get("labels")), MANAGED_BY_LABEL: MANAGED_BY},
            "annotations": {
                **_table(metadata.get("annotations")),
                RELEASE_NAME_ANNOTATION: release_name,
                RELEASE_NAMESPACE_ANNOTATION: namespace,
            },
        },
    }


def owner_of(live: JsonObject) -> tuple[str, str] | None:
    """Return the name and namespace of the release that owns a live object, None if none does."""
    metadata = _table(live.get("metadata"))
    annotations = _table(metadata.get("annotations"))
    owner = (
        annotations.get(RELEASE_NAME_ANNOTATION),
        annotations.get(RELEASE_NAMESPACE_ANNOTATION),
    )
    managed = _table(metadata.get("labels")).get(MANAGED_BY_LABEL) == MANAGED_BY
    return (owner[0], owner[1]) if managed and owner[0] and owner[1] else None


def marked_by_flux(body: JsonObject) -> tuple[str, str] | None:
    """Return namespace and name of the HelmRelease of Flux that an object is marked with."""
    labels = _table(_table(body.get("metadata")).get("labels"))
    namespace, name = labels.get(FLUX_NAMESPACE_LABEL), labels.get(FLUX_NAME_LABEL)
    # A stored manifest may say anything.
    if not all(isinstance(text, str) and _NAME.fullmatch(text) for text in (namespace, name)):
        return None
    return str(namespace), str(name)


def ownership_refusal(
    live: JsonObject, object_namespace: str, release_name: str, namespace: str
) -> str:
    """Return why a live object cannot join the release, in Helm's words; empty if it may.

    `object_namespace` is empty for cluster-scoped kinds, as Helm prints them.
    """
    metadata = _table(live.get("metadata"))
    labels = _table(metadata.get("labels"))
    annotations = _table(metadata.get("annotations"))
    wrongs = [
        *_wrong("label", labels, MANAGED_BY_LABEL, MANAGED_BY),
        *_wrong("annotation", annotations, RELEASE_NAME_ANNOTATION, release_name),
        *_wrong("annotation", annotations, RELEASE_NAMESPACE_ANNOTATION, namespace),
    ]
    if not wrongs:
        return ""
    return (
        f'{live.get("kind", "")} "{metadata.get("name", "")}" in namespace "{object_namespace}" '
        "exists and cannot be imported into the current release: "
        f"invalid ownership metadata; {'; '.join(wrongs)}"
    )


def _wrong(place: str, marks: Mapping[str, Any], key: str, wanted: str) -> list[str]:
    if key not in marks:
        return [f'{place} validation error: missing key "{key}": must be set to "{wanted}"']
    if marks[key] == wanted:
        return []
    expected, actual = f'key "{key}" must equal "{wanted}"', f'current value is "{marks[key]}"'
    return [f"{place} validation error: {expected}: {actual}"]


def keeps(body: JsonObject) -> bool:
    """Whether the object outlives its release: helm.sh/resource-policy says keep."""
    annotations = _table(_table(body.get("metadata")).get("annotations"))
    policy = annotations.get(RESOURCE_POLICY_ANNOTATION)
    return isinstance(policy, str) and policy.strip().lower() == "keep"


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
