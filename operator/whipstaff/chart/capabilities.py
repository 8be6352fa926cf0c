"""What a template may ask about the cluster and about Helm: `.Capabilities`."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from whipstaff.golang.values import GoObject, GoSignature, GoType, Strings

HELM_VERSION = "v4.2.4"
GO_VERSION = "go1.26.6"
KUBE_CLIENT_VERSION = "v1.36"

# What `helm template` believes a cluster serves: the API versions built into its client.
DEFAULT_API_VERSIONS: tuple[str, ...] = (
    "v1",
    "admissionregistration.k8s.io/v1",
    "admissionregistration.k8s.io/v1alpha1",
    "admissionregistration.k8s.io/v1beta1",
    "internal.apiserver.k8s.io/v1alpha1",
    "apps/v1",
    "apps/v1beta1",
    "apps/v1beta2",
    "authentication.k8s.io/v1",
    "authentication.k8s.io/v1alpha1",
    "authentication.k8s.io/v1beta1",
    "authorization.k8s.io/v1",
    "authorization.k8s.io/v1beta1",
    "autoscaling/v1",
    "autoscaling/v2",
    "batch/v1",
    "batch/v1beta1",
    "certificates.k8s.io/v1",
    "certificates.k8s.io/v1beta1",
    "certificates.k8s.io/v1alpha1",
    "coordination.k8s.io/v1alpha2",
    "coordination.k8s.io/v1beta1",
    "coordination.k8s.io/v1",
    "discovery.k8s.io/v1",
    "discovery.k8s.io/v1beta1",
    "events.k8s.io/v1",
    "events.k8s.io/v1beta1",
    "extensions/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1beta2",
    "flowcontrol.apiserver.k8s.io/v1beta3",
    "networking.k8s.io/v1",
    "networking.k8s.io/v1beta1",
    "node.k8s.io/v1",
    "node.k8s.io/v1alpha1",
    "node.k8s.io/v1beta1",
    "policy/v1",
    "policy/v1beta1",
    "rbac.authorization.k8s.io/v1",
    "rbac.authorization.k8s.io/v1beta1",
    "rbac.authorization.k8s.io/v1alpha1",
    "resource.k8s.io/v1",
    "resource.k8s.io/v1beta2",
    "resource.k8s.io/v1beta1",
    "resource.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1alpha2",
    "scheduling.k8s.io/v1beta1",
    "scheduling.k8s.io/v1",
    "storage.k8s.io/v1beta1",
    "storage.k8s.io/v1",
    "storage.k8s.io/v1alpha1",
    "storagemigration.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1",
)

_KUBE_VERSION = re.compile(r"\s*v?([0-9]+(?:\.[0-9]+)*)")


class KubeVersionInvalid(ValueError):
    """A text that is no Kubernetes version; the text is that of Kubernetes' own parser."""


@dataclass(frozen=True)
class KubeVersion(GoObject):
    """The cluster's version; `normalized` is what a chart's kubeVersion is compared with."""

    version: str
    major: str
    minor: str
    normalized: str = ""

    go_type = "common.KubeVersion"
    go_kind = "struct"
    string_of_pointer = True

    @classmethod
    def parse(cls, text: str) -> "KubeVersion":
        """Read a version as `--kube-version` takes it, with or without `v` and build details."""
        found = _KUBE_VERSION.match(text)
        if found is None:
            raise KubeVersionInvalid(f'could not parse "{text}" as version')
        numbers = found[1].split(".")
        if len(numbers) == 1:
            raise KubeVersionInvalid(f'illegal version string "{text}"')
        if len(numbers[0]) > 1 and numbers[0].startswith("0"):
            raise KubeVersionInvalid(
                f'illegal zero-prefixed version component "{numbers[0]}" in "{text}"'
            )
        normalized = ".".join(str(int(number)) for number in numbers)
        original = text if text.startswith("v") else f"v{text}"
        return cls(original, str(int(numbers[0])), str(int(numbers[1])), f"v{normalized}")

    @property
    def comparable(self) -> str:
        return self.normalized or self.version

    def fields(self) -> Mapping[str, Callable[[], object]]:
        return {
            "Version": lambda: self.version,
            "Major": lambda: self.major,
            "Minor": lambda: self.minor,
        }

    def printed_fields(self) -> Mapping[str, Callable[[], object]]:
        return {
            "Version": lambda: self.version,
            "normalizedVersion": lambda: self.normalized,
            "Major": lambda: self.major,
            "Minor": lambda: self.minor,
        }

    def methods(self) -> Mapping[str, tuple[Callable[..., object], GoSignature]]:
        return {
            "String": (lambda: self.comparable, GoSignature()),
            "GitVersion": (lambda: self.version, GoSignature()),
        }

    def go_string(self) -> str:
        return self.comparable


@dataclass(frozen=True)
class APIVersions(GoObject):
    """The groups, versions and kinds that the cluster serves."""

    versions: tuple[str, ...]
    _known: frozenset[str] = field(init=False, repr=False, compare=False)

    go_type = "common.VersionSet"
    go_kind = "slice"

    def __post_init__(self) -> None:
        object.__setattr__(self, "_known", frozenset(self.versions))

    def has(self, version: object) -> bool:
        """Whether `group/version` or `group/version/Kind` is served."""
        return version in self._known

    def methods(self) -> Mapping[str, tuple[Callable[..., object], GoSignature]]:
        return {"Has": (self.has, GoSignature((GoType.STRING,)))}

    def underlying(self) -> list[object]:
        return Strings(self.versions)


@dataclass(frozen=True)
class HelmVersion(GoObject):
    """The Helm whose bytes we give: what charts that ask for it are told."""

    version: str = HELM_VERSION
    git_commit: str = ""
    git_tree_state: str = ""

    go_type = "version.BuildInfo"
    go_kind = "struct"

    def fields(self) -> Mapping[str, Callable[[], object]]:
        return {
            "Version": lambda: self.version,
            "GitCommit": lambda: self.git_commit,
            "GitTreeState": lambda: self.git_tree_state,
            "GoVersion": lambda: GO_VERSION,
            "KubeClientVersion": lambda: KUBE_CLIENT_VERSION,
        }


@dataclass(frozen=True)
class Capabilities(GoObject):
    """The cluster as templates see it."""

    kube_version: KubeVersion = field(default_factory=lambda: KubeVersion.parse("v1.36.0"))
    api_versions: APIVersions = field(default_factory=lambda: APIVersions(DEFAULT_API_VERSIONS))
    helm_version: HelmVersion = field(default_factory=HelmVersion)

    go_type = "*common.Capabilities"

    @classmethod
    def of(cls, record: Mapping[str, object]) -> "Capabilities":
        """Read `{kubeVersion: {version, major, minor}, apiVersions}`; else Helm's defaults."""
        version = record.get("kubeVersion")
        served = record.get("apiVersions")
        return cls(
            kube_version=_kube_version(version) if version else KubeVersion.parse("v1.36.0"),
            api_versions=APIVersions(
                tuple(map(str, served)) if isinstance(served, list) else DEFAULT_API_VERSIONS
            ),
        )

    def fields(self) -> Mapping[str, Callable[[], object]]:
        return {
            "KubeVersion": lambda: self.kube_version,
            "APIVersions": lambda: self.api_versions,
            "HelmVersion": lambda: self.helm_version,
        }

    def methods(self) -> Mapping[str, tuple[Callable[..., object], GoSignature]]:
        return {"Copy": (lambda: self, GoSignature())}


def _kube_version(record: object) -> KubeVersion:
    if isinstance(record, dict):
        return KubeVersion(
            str(record.get("version", "")),
            str(record.get("major", "")),
            str(record.get("minor", "")),
        )
    return KubeVersion.parse(str(record))
