"""Which programs a control plane needs, in which versions, and where to look for them."""

import hashlib
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
GO_MOD = HERE / "go.mod"

PACKAGES: Mapping[str, str] = {
    "helm": "helm.sh/helm/v4/cmd/helm",
    "etcd": "go.etcd.io/etcd/server/v3",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kwok": "sigs.k8s.io/kwok/cmd/kwok",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
}
"""Program -> the Go package it is built from, the small ones first."""


@dataclass(frozen=True, slots=True)
class Module:
    """Programs that are built from one go.mod."""

    folder: Path
    packages: Mapping[str, str]  # program -> its Go package


CONTROL_PLANE = Module(HERE, PACKAGES)
REGISTRY = Module(
    HERE / "registry",
    {"registry": "github.com/distribution/distribution/v3/cmd/registry"},
)
"""The OCI registry of tests: a control plane works without it."""

JUDGES = Module(HERE / "judges", {"judges": "."})
"""What Flux and Argo CD make of an object, for tests of what they are told."""


class ProgramsMissing(Exception):
    """Some program is nowhere to be had; the text says what was tried."""


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions that go.mod asks for, each with its leading v."""

    kubernetes: str
    etcd: str
    kwok: str
    helm: str


def versions(go_mod: Path = GO_MOD) -> Versions:
    """Read the wanted versions from go.mod, the one place that names them."""
    text = go_mod.read_text(encoding="utf-8")

    def required(module: str) -> str:
        found = re.search(rf"^\s*(?:require )?{re.escape(module)} (v\S+)", text, re.MULTILINE)
        if found is None:
            raise ProgramsMissing(f"{go_mod} does not require {module}")
        return found.group(1)

    return Versions(
        kubernetes=required("k8s.io/kubernetes"),
        etcd=required("go.etcd.io/etcd/server/v3"),
        kwok=required("sigs.k8s.io/kwok"),
        helm=required("helm.sh/helm/v4"),
    )


def architecture() -> str:
    """Name this machine's processor as Go does."""
    machine = platform.machine().lower()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def cache_folder(
    environment: Mapping[str, str] = os.environ, module: Module = CONTROL_PLANE
) -> Path:
    """Say where programs are kept: one folder for each module, shared by all clones."""
    sources = [module.folder / "go.mod", *sorted(module.folder.glob("*.go"))]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    home = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "whipstaff" / "controlplane" / digest


def find(
    environment: Mapping[str, str] = os.environ, module: Module = CONTROL_PLANE
) -> dict[str, Path]:
    """Find the programs that are on this machine already; those that are not are left out."""
    folders = [cache_folder(environment, module)]
    if assets := environment.get("KUBEBUILDER_ASSETS"):
        folders.insert(0, Path(assets))
    found = {}
    for name in module.packages:
        for folder in folders:
            path = folder / name
            if path.is_file() and os.access(path, os.X_OK):
                found[name] = path.resolve()
                break
    return found


def missing(found: Mapping[str, Path], module: Module = CONTROL_PLANE) -> list[str]:
    """Name the programs that `found` lacks."""
    return [name for name in module.packages if name not in found]
