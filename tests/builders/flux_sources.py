"""Flux's sources without Flux: objects of its definitions; the test serves their artifacts."""

import hashlib

from tests.builders import foreign_definitions
from tests.builders.charts import packed_raw
from tests.builders.live_releases import LiveReleases

MODULE = "github.com/fluxcd/source-controller@v1.9.1"
GROUP = "source.toolkit.fluxcd.io"
PLURALS = {
    "GitRepository": "gitrepositories",
    "OCIRepository": "ocirepositories",
    "Bucket": "buckets",
    "HelmChart": "helmcharts",
}
SPECS = {
    "GitRepository": {"interval": "1m", "url": "https://git.example.com/a.git"},
    "OCIRepository": {"interval": "1m", "url": "oci://registry.example.com/a"},
    "Bucket": {"interval": "1m", "bucketName": "a", "endpoint": "s3.example.com"},
    "HelmChart": {
        "interval": "1m",
        "chart": "a",
        "sourceRef": {"kind": "HelmRepository", "name": "a"},
    },
}


def define(cluster, tmp_path):
    """Give a control plane Flux's own definitions of its sources."""
    files = [f"config/crd/bases/{GROUP}_{name}.yaml" for name in PLURALS.values()]
    foreign_definitions.define(cluster, MODULE, files, tmp_path)


def an_artifact(files):
    """Pack files as source-controller does: names without a folder above them."""
    return packed_raw(*files.items())


class FluxSources:
    """The sources of one namespace; `repository` serves their artifacts."""

    def __init__(self, cluster, namespace, repository):
        self.api = cluster.api
        self.namespace = namespace
        self.repository = repository
        self.releases = LiveReleases(cluster, namespace)

    def path(self, kind, name=""):
        place = f"/apis/{GROUP}/v1/namespaces/{self.namespace}/{PLURALS[kind]}"
        return f"{place}/{name}" if name else place

    def create(self, kind, name, data=None, **status):
        body = {
            "apiVersion": f"{GROUP}/v1",
            "kind": kind,
            "metadata": {"name": name},
            "spec": SPECS[kind],
        }
        self.api.request("POST", self.path(kind), body)
        if data is not None or status:
            self.publish(kind, name, data, **status)

    def publish(self, kind, name, data=None, *, digest=None, serve=True, **status):
        """Let a source have another artifact, or say something else."""
        found = self.api.request("GET", self.path(kind, name))
        said = {"observedGeneration": found["metadata"]["generation"], **status}
        if data is not None:
            sha = hashlib.sha256(data).hexdigest()
            file = f"{kind}-{name}-{sha[:8]}.tar.gz"
            if serve:
                self.repository.archives[file] = data
            said["artifact"] = {
                "url": f"{self.repository.url}/{file}",
                "path": file,
                "revision": f"main@sha1:{sha[:40]}",
                "digest": digest or f"sha256:{sha}",
                "lastUpdateTime": "2026-01-01T00:00:00Z",
            }
        self.api.request("PATCH", f"{self.path(kind, name)}/status", {"status": said})

    def use(self, release, kind, name, *, namespace="", chart=None, **spec):
        """Write a HelmRelease whose chart comes from a source."""
        reference = {"kind": kind, "name": name} | ({"namespace": namespace} if namespace else {})
        body = {
            "apiVersion": "whipstaff.dev/v1",
            "kind": "HelmRelease",
            "metadata": {"name": release, "namespace": self.namespace},
            "spec": {"chart": {"sourceRef": reference, **(chart or {})}, "interval": "1h", **spec},
        }
        return self.api.request("POST", self.releases.path(), body)
