"""Which of Kubernetes' own API versions are deprecated since when, and what to use instead.

The facts are those of the client that Helm 4.2 is built with: Kubernetes 1.36.
"""

from dataclasses import dataclass

_Version = tuple[int, int]

# API version, deprecated since, gone since, its successor, kinds: with a `+` their lists too, with
# a `>` what the successor calls them.
_TABLE: tuple[tuple[str, str, str, str, str], ...] = (
    (
        "admissionregistration.k8s.io/v1alpha1",
        "1.29",
        "1.32",
        "",
        "ValidatingAdmissionPolicy+ ValidatingAdmissionPolicyBinding+",
    ),
    (
        "admissionregistration.k8s.io/v1alpha1",
        "1.35",
        "1.38",
        "",
        "MutatingAdmissionPolicy+ MutatingAdmissionPolicyBinding+",
    ),
    (
        "admissionregistration.k8s.io/v1beta1",
        "1.16",
        "1.22",
        "admissionregistration.k8s.io/v1",
        "MutatingWebhookConfiguration+ ValidatingWebhookConfiguration+",
    ),
    (
        "admissionregistration.k8s.io/v1beta1",
        "1.31",
        "1.34",
        "",
        "ValidatingAdmissionPolicy+ ValidatingAdmissionPolicyBinding+",
    ),
    (
        "admissionregistration.k8s.io/v1beta1",
        "1.37",
        "1.40",
        "admissionregistration.k8s.io/v1",
        "MutatingAdmissionPolicy+ MutatingAdmissionPolicyBinding+",
    ),
    (
        "apps/v1beta1",
        "1.8",
        "1.16",
        "apps/v1",
        "ControllerRevision+ Deployment+ DeploymentRollback StatefulSet+",
    ),
    ("apps/v1beta1", "1.8", "1.16", "autoscaling/v1", "Scale"),
    (
        "apps/v1beta2",
        "1.9",
        "1.16",
        "apps/v1",
        "ControllerRevision+ DaemonSet+ Deployment+ ReplicaSet+ StatefulSet+",
    ),
    ("apps/v1beta2", "1.9", "1.16", "autoscaling/v1", "Scale"),
    ("authentication.k8s.io/v1alpha1", "1.29", "1.32", "", "SelfSubjectReview"),
    ("authentication.k8s.io/v1beta1", "1.19", "1.22", "authentication.k8s.io/v1", "TokenReview"),
    ("authentication.k8s.io/v1beta1", "1.30", "1.33", "", "SelfSubjectReview"),
    (
        "authorization.k8s.io/v1beta1",
        "1.19",
        "1.22",
        "authorization.k8s.io/v1",
        "LocalSubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview",
    ),
    (
        "authorization.k8s.io/v1beta1",
        "1.19",
        "1.22",
        "authorization.k8s.io/v1",
        "SubjectAccessReview",
    ),
    ("batch/v1beta1", "1.21", "1.25", "batch/v1", "CronJob+"),
    ("certificates.k8s.io/v1alpha1", "1.34", "1.37", "", "ClusterTrustBundle+"),
    (
        "certificates.k8s.io/v1beta1",
        "1.19",
        "1.22",
        "certificates.k8s.io/v1",
        "CertificateSigningRequest+",
    ),
    ("certificates.k8s.io/v1beta1", "1.37", "1.40", "", "ClusterTrustBundle+"),
    ("certificates.k8s.io/v1beta1", "1.38", "1.41", "", "PodCertificateRequest+"),
    ("coordination.k8s.io/v1alpha2", "1.35", "1.38", "", "LeaseCandidate+"),
    ("coordination.k8s.io/v1beta1", "1.19", "1.22", "coordination.k8s.io/v1", "Lease+"),
    ("coordination.k8s.io/v1beta1", "1.36", "1.39", "", "LeaseCandidate+"),
    (
        "discovery.k8s.io/v1beta1",
        "1.21",
        "1.25",
        "discovery.k8s.io/v1",
        "EndpointSlice EndpointSliceList>EndpointSlice",
    ),
    ("events.k8s.io/v1beta1", "1.22", "1.25", "", "Event+"),
    ("extensions/v1beta1", "1.14", "1.22", "networking.k8s.io/v1", "Ingress+"),
    ("extensions/v1beta1", "1.2", "1.16", "", "Scale"),
    ("extensions/v1beta1", "1.8", "1.16", "", "DeploymentRollback"),
    ("extensions/v1beta1", "1.8", "1.16", "apps/v1", "DaemonSet+ Deployment+ ReplicaSet+"),
    ("extensions/v1beta1", "1.9", "1.16", "networking.k8s.io/v1", "NetworkPolicy+"),
    (
        "flowcontrol.apiserver.k8s.io/v1beta1",
        "1.23",
        "1.26",
        "flowcontrol.apiserver.k8s.io/v1beta3",
        "FlowSchema+ PriorityLevelConfiguration+",
    ),
    (
        "flowcontrol.apiserver.k8s.io/v1beta2",
        "1.26",
        "1.29",
        "flowcontrol.apiserver.k8s.io/v1beta3",
        "FlowSchema+ PriorityLevelConfiguration+",
    ),
    (
        "flowcontrol.apiserver.k8s.io/v1beta3",
        "1.29",
        "1.32",
        "flowcontrol.apiserver.k8s.io/v1",
        "FlowSchema+ PriorityLevelConfiguration+",
    ),
    (
        "networking.k8s.io/v1beta1",
        "1.19",
        "1.22",
        "networking.k8s.io/v1",
        "Ingress+ IngressClass>IngressClassList IngressClassList",
    ),
    ("networking.k8s.io/v1beta1", "1.34", "1.37", "", "IPAddress+ ServiceCIDR+"),
    ("node.k8s.io/v1beta1", "1.22", "1.25", "", "RuntimeClass+"),
    ("policy/v1beta1", "1.21", "1.25", "policy/v1", "PodDisruptionBudget+"),
    ("policy/v1beta1", "1.22", "1.25", "", "Eviction"),
    (
        "rbac.authorization.k8s.io/v1beta1",
        "1.17",
        "1.22",
        "rbac.authorization.k8s.io/v1",
        "ClusterRole+ ClusterRoleBinding+ Role+ RoleBinding+",
    ),
    ("resource.k8s.io/v1alpha3", "1.36", "1.39", "", "DeviceTaintRule+"),
    ("resource.k8s.io/v1alpha3", "1.39", "1.42", "", "ResourcePoolStatusRequest+"),
    (
        "resource.k8s.io/v1beta1",
        "1.35",
        "1.38",
        "",
        "DeviceClass+ ResourceClaim+ ResourceClaimTemplate+ ResourceSlice+",
    ),
    (
        "resource.k8s.io/v1beta2",
        "1.36",
        "1.39",
        "",
        "DeviceClass+ ResourceClaim+ ResourceClaimTemplate+ ResourceSlice+",
    ),
    ("resource.k8s.io/v1beta2", "1.39", "1.42", "", "DeviceTaintRule+"),
    ("scheduling.k8s.io/v1beta1", "1.14", "1.22", "scheduling.k8s.io/v1", "PriorityClass+"),
    ("storage.k8s.io/v1alpha1", "1.21", "1.24", "storage.k8s.io/v1", "VolumeAttachment+"),
    ("storage.k8s.io/v1alpha1", "1.21", "1.24", "storage.k8s.io/v1beta1", "CSIStorageCapacity+"),
    ("storage.k8s.io/v1alpha1", "1.32", "1.35", "storage.k8s.io/v1", "VolumeAttributesClass+"),
    ("storage.k8s.io/v1beta1", "1.17", "1.22", "storage.k8s.io/v1", "CSINode CSINodeList>CSINode"),
    (
        "storage.k8s.io/v1beta1",
        "1.19",
        "1.22",
        "storage.k8s.io/v1",
        "CSIDriver+ StorageClass+ VolumeAttachment+",
    ),
    ("storage.k8s.io/v1beta1", "1.24", "1.27", "storage.k8s.io/v1", "CSIStorageCapacity+"),
    ("storage.k8s.io/v1beta1", "1.34", "1.37", "storage.k8s.io/v1", "VolumeAttributesClass+"),
    ("storagemigration.k8s.io/v1beta1", "1.38", "1.41", "", "StorageVersionMigration+"),
    ("v1", "1.19", "", "", "ComponentStatus+"),
    ("v1", "1.33", "", "discovery.k8s.io/v1", "Endpoints>EndpointSlice+"),
)


@dataclass(frozen=True, slots=True)
class Deprecation:
    """One kind of one API version."""

    api_version: str
    kind: str
    since: _Version
    removed: str
    successor: str

    def __str__(self) -> str:
        text = f"{self.api_version} {self.kind} is deprecated in v{_shown(self.since)}+"
        if self.removed:
            text += f", unavailable in v{self.removed}+"
        return f"{text}; use {self.successor}" if self.successor else text


def find(api_version: str, kind: str, cluster: _Version) -> Deprecation | None:
    """Return what a cluster of this version, (major, minor), says to an object of this kind."""
    found = _KNOWN.get((api_version, kind))
    return found if found is not None and found.since <= cluster else None


def _shown(version: _Version) -> str:
    return ".".join(map(str, version))


def _rows() -> dict[tuple[str, str], Deprecation]:
    known = {}
    for api_version, since, removed, successor, kinds in _TABLE:
        major, minor = map(int, since.split("."))
        for one in kinds.split():
            kind, _, other = one.removesuffix("+").partition(">")
            for suffix in ("", "List") if one.endswith("+") else ("",):
                known[api_version, kind + suffix] = Deprecation(
                    api_version,
                    kind + suffix,
                    (major, minor),
                    removed,
                    f"{successor} {other or kind}{suffix}" if successor else "",
                )
    return known


_KNOWN = _rows()
