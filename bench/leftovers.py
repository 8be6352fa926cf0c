"""What an uninstalled release leaves behind, read from etcd itself: no kind is forgotten there.

What `helm uninstall` leaves too is no leftover: CRDs of crds/, what says
`helm.sh/resource-policy: keep`, hooks without a delete policy and the Pods of theirs, claims of
StatefulSets, namespaces.
"""

import base64
import gzip
import io
import json
import re
import tarfile
import time
import urllib.request
from collections.abc import Iterable, Iterator, Set
from typing import Any

import yaml

from tools.controlplane.cluster import Cluster

PREFIX = "/registry/"
# Changes on its own: nothing in there is a release's.
NOT_OURS = re.compile(r"/registry/(events|leases|ranges|masterleases|peerserverleases)/")
WITH_NAMESPACE = re.compile(
    r"/registry/(namespaces/[^/]+|serviceaccounts/[^/]+/default|configmaps/[^/]+/kube-root-ca\.crt"
    r"|persistentvolumeclaims/[^/]+/.+|persistentvolumes/[^/]+|apiregistration\.k8s\.io/.*)"
)
OF_CRDS = re.compile(r"(?:\./)?[^/]+/(?:charts/[^/]+/)*crds/.")
GONE_SECONDS = 60.0  # Pods and ReplicaSets follow their owners in their own time
POLL_SECONDS = 0.1


class Leftovers:
    """Compares what is stored before and after each release."""

    def __init__(self, cluster: Cluster) -> None:
        command = json.loads(cluster.layout.record.read_text())["commands"]["etcd"]
        flag = next(word for word in command if word.startswith("--listen-client-urls="))
        self._url = flag.partition("=")[2] + "/v3/kv/range"
        self._cluster = cluster
        self._left: dict[str, frozenset[str]] = {}

    def begin(self) -> frozenset[str]:
        """Return what is stored now."""
        return self._keys()

    def kept_by_helm(self, archive: bytes, namespace: str) -> frozenset[tuple[str, str]]:
        """Name, as plural and name, what helm would leave of the release that runs now."""
        found = {("customresourcedefinitions", name) for name in _crds(archive)}
        secrets = f"/api/v1/namespaces/{namespace}/secrets?labelSelector=owner%3Dhelm"
        for secret in self._cluster.api.request("GET", secrets)["items"]:
            found |= set(_kept(_decoded(secret["data"]["release"])))
        return frozenset(found)

    def end(self, name: str, before: Set[str], kept: Set[tuple[str, str]]) -> None:
        """Note what is new since `before` and not kept; some of it will still go."""
        new = self._keys() - before
        jobs = tuple(f"{job}-" for plural, job in kept if plural == "jobs")
        self._left[name] = frozenset(key for key in new if not _stays(*_key_names(key), kept, jobs))

    def at_last(self) -> dict[str, list[str]]:
        """Wait for what goes by itself; return what stayed, by release."""
        deadline = time.monotonic() + GONE_SECONDS
        while True:
            there = self._keys()
            left = {name: sorted(keys & there) for name, keys in self._left.items()}
            if not any(left.values()) or time.monotonic() > deadline:
                return {name: keys for name, keys in left.items() if keys}
            time.sleep(POLL_SECONDS)

    def _keys(self) -> frozenset[str]:
        ends = (_encoded(PREFIX), _encoded(PREFIX[:-1] + "0"))
        question = {"key": ends[0], "range_end": ends[1], "keys_only": True}
        request = urllib.request.Request(self._url, json.dumps(question).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            pairs = json.loads(answer.read()).get("kvs", [])
        keys = (base64.b64decode(pair["key"]).decode() for pair in pairs)
        return frozenset(
            key for key in keys if not NOT_OURS.match(key) and not WITH_NAMESPACE.fullmatch(key)
        )


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _key_names(key: str) -> tuple[str, str]:
    """Return plural and name of a key: /registry/[group/]plural/[namespace/]name."""
    parts = key.removeprefix(PREFIX).split("/")
    plural = parts[1] if "." in parts[0] and len(parts) > 2 else parts[0]  # noqa: PLR2004
    return plural, parts[-1]


def _stays(plural: str, name: str, kept: Set[tuple[str, str]], jobs: tuple[str, ...]) -> bool:
    return (plural, name) in kept or (plural == "pods" and name.startswith(jobs))


def _plural(kind: str) -> str:
    word = kind.lower()
    if word.endswith(("s", "x", "ch")):
        return f"{word}es"
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"


def _crds(archive: bytes) -> Iterator[str]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        for member in packed:
            if not OF_CRDS.match(member.name) or not member.isfile():
                continue
            file = packed.extractfile(member)
            for body in _documents(file.read() if file else b""):
                yield body["metadata"]["name"]


def _documents(text: bytes | str) -> Iterator[dict[str, Any]]:
    loaded = yaml.load_all(text, Loader=yaml.CSafeLoader)
    return (body for body in loaded if isinstance(body, dict) and "metadata" in body)


def _decoded(payload: str) -> dict[str, Any]:
    packed = base64.b64decode(base64.b64decode(payload))
    decoded: dict[str, Any] = json.loads(gzip.decompress(packed))
    return decoded


def _kept(release: dict[str, Any]) -> Iterator[tuple[str, str]]:
    hooks = release.get("hooks") or []
    manifests: Iterable[str] = (hook["manifest"] for hook in hooks)
    for body in _documents("\n---\n".join(manifests)):
        yield _plural(body["kind"]), body["metadata"]["name"]
    for body in _documents(release.get("manifest") or ""):
        annotations = body["metadata"].get("annotations") or {}
        if annotations.get("helm.sh/resource-policy") == "keep":
            yield _plural(body["kind"]), body["metadata"]["name"]
