"""Releases that are worked on while the operator dies, and the moments at which it does."""

import base64
import gzip
import hashlib
import json
import time
from collections import Counter
from dataclasses import dataclass, field

import yaml

from tests.builders.charts import packed
from tools.controlplane import audit
from tools.controlplane.client import Refused

CHART = "crash"
BAD_REQUEST, SERVER_ERROR = 400, 500
MARK = "whipstaff-test=crash"  # the label of every object of the chart, hooks apart
ACTIONS = ("install", "upgrade", "rollback", "uninstall")
KINDS = (
    "api/v1/{}/configmaps",
    "api/v1/{}/secrets",
    "api/v1/{}/services",
    "api/v1/{}/serviceaccounts",
    "apis/apps/v1/{}/deployments",
)
EXPECTED_HOOKS = {
    "install": {"before-install": 1, "after-install": 1},
    "upgrade": {"around-upgrade": 2},  # one Job of two events
    "rollback": {"before-rollback": 1, "after-rollback": 1},
    "uninstall": {"before-delete": 1, "after-delete": 1},
}
_HOOKS = {
    "before-install": ("pre-install", "before-hook-creation"),
    "after-install": ("post-install", "hook-succeeded"),
    "around-upgrade": ("pre-upgrade,post-upgrade", "before-hook-creation"),
    "before-rollback": ("pre-rollback", "before-hook-creation,hook-succeeded"),
    "after-rollback": ("post-rollback", "before-hook-creation"),
    "before-delete": ("pre-delete", "before-hook-creation"),
    "after-delete": ("post-delete", "hook-succeeded"),
}
_META = "metadata: {{name: {name}, labels: {{whipstaff-test: crash}}}}\n"
_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {whipstaff-test: crash}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations: {version: "{{ .Chart.Version }}", pods.whipstaff.dev/delay: 300ms}
    spec: {containers: [{name: web, image: "web:{{ .Chart.Version }}"}]}
"""
_JOB = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: {name}
  annotations: {{helm.sh/hook: "{events}", helm.sh/hook-delete-policy: "{policies}"}}
spec:
  template:
    metadata: {{annotations: {{pods.whipstaff.dev/delay: 500ms}}}}
    spec: {{restartPolicy: Never, containers: [{{name: job, image: job}}]}}
"""


def crash_chart(version: str) -> bytes:
    """A packed chart of six objects and seven hook Jobs; 2.0.0 drops one object and adds one."""
    own = "dropped" if version == "1.0.0" else "added"
    plain = {
        "settings": f'apiVersion: v1\nkind: ConfigMap\ndata: {{version: "{version}"}}\n',
        own: "apiVersion: v1\nkind: ConfigMap\n",
        "password": "apiVersion: v1\nkind: Secret\nstringData: {of: web}\n",
        "account": "apiVersion: v1\nkind: ServiceAccount\n",
        "port": "apiVersion: v1\nkind: Service\nspec: {ports: [{port: 80}]}\n",
    }
    files = {
        f"templates/{name}.yaml": text + _META.format(name=name) for name, text in plain.items()
    }
    files["templates/web.yaml"] = _DEPLOYMENT
    for name, (events, policies) in _HOOKS.items():
        job = _JOB.format(name=name, events=events, policies=policies)
        files[f"templates/hooks/{name}.yaml"] = job
    files["Chart.yaml"] = f"apiVersion: v2\nname: {CHART}\nversion: {version}\n"
    return packed(files, CHART)


@dataclass(frozen=True)
class Stored:
    """A release Secret."""

    number: int
    status: str
    digest: str  # of manifest and values
    names: frozenset[str]  # the objects of the manifest, as kind/name
    in_hook: bool  # the record says that a hook runs


@dataclass
class CrashRelease:
    """One release in a namespace of its own, as the cluster shows it."""

    cluster: object
    repository: object
    namespace: str
    digests: dict[int, set[str]] = field(default_factory=dict)  # all that were ever seen

    @property
    def path(self) -> str:
        return f"/apis/whipstaff.dev/v1/namespaces/{self.namespace}/helmreleases"

    def ask_for(self, action: str) -> None:
        """Change the HelmRelease so that this action follows."""
        api = self.cluster.api
        match action:
            case "install":
                namespace = {"metadata": {"name": self.namespace}}
                api.request("POST", "/api/v1/namespaces", namespace)
                api.request("POST", self.path, self._body())
            case "upgrade":
                self._patch({"chart": {"version": "2.0.0"}})
            case "rollback":
                self._patch({"revision": 1})
            case "uninstall":
                api.request("DELETE", f"{self.path}/{CHART}")

    def revisions(self) -> list[Stored]:
        """Read the stored revisions, oldest first, and remember what they hold."""
        query = "labelSelector=owner%3Dhelm"
        path = f"/api/v1/namespaces/{self.namespace}/secrets?{query}"
        found = [_stored(item) for item in self.cluster.api.request("GET", path)["items"]]
        for revision in found:
            self.digests.setdefault(revision.number, set()).add(revision.digest)
        return sorted(found, key=lambda revision: revision.number)

    def helmrelease(self) -> dict | None:
        try:
            return self.cluster.api.request("GET", f"{self.path}/{CHART}")
        except Refused as refused:
            if refused.code == 404:
                return None
            raise

    def live(self) -> frozenset[str]:
        """Name the chart's objects that exist, as kind/name."""
        found = set()
        for kind in KINDS:
            path = "/" + kind.format(f"namespaces/{self.namespace}")
            items = self.cluster.api.request("GET", f"{path}?labelSelector={MARK}")["items"]
            plural = kind.rpartition("/")[2]
            found |= {f"{plural}/{item['metadata']['name']}" for item in items}
        return frozenset(found)

    def helm_history(self) -> list[tuple[int, str]]:
        """Ask the helm CLI for number and status of each revision, oldest first."""
        told = self.cluster.helm("history", CHART, "-n", self.namespace, "-o", "json")
        return [(entry["revision"], entry["status"]) for entry in json.loads(told)]

    def finished(self, action: str) -> bool:
        """Whether the action has ended and status says so."""
        body = self.helmrelease()
        if body is None or action == "uninstall":
            return body is None
        status = body.get("status", {})
        ready = [c["status"] for c in status.get("conditions", ()) if c["type"] == "Ready"]
        wanted = ACTIONS.index(action) + 1
        seen = status.get("observedGeneration") == body["metadata"]["generation"]
        return seen and ready == ["True"] and status.get("revision") == wanted

    def _body(self) -> dict:
        chart = {"name": CHART, "version": "1.0.0", "repository": self.repository.url}
        return {
            "apiVersion": "whipstaff.dev/v1",
            "kind": "HelmRelease",
            "metadata": {"name": CHART},
            "spec": {"chart": chart, "interval": "10m", "timeout": "30s"},
        }

    def _patch(self, spec: dict) -> None:
        self.cluster.api.request("PATCH", f"{self.path}/{CHART}", {"spec": spec})


def where_killed(action: str, revisions: list[Stored], *, gone: bool) -> str:
    """Say where in its action a release stood: in a hook, between two Secret writes, or not in it.

    "before" is before the first Secret write, "after" is after the last.
    """
    if action == "uninstall":
        if not revisions:
            return "after" if gone else "before-the-end"
        if revisions[-1].status == "uninstalling" or len(revisions) < 3:
            return "hook" if revisions[-1].in_hook else "secrets"
        return "before"
    number = ACTIONS.index(action) + 1
    if not revisions or revisions[-1].number != number:
        return "before"
    if [r.status for r in revisions].count("deployed") == 1 and revisions[-1].status == "deployed":
        return "after"
    return "hook" if revisions[-1].in_hook else "secrets"


def hooks_created(requests: list[audit.Request], namespace: str) -> Counter[str]:
    """Count how often each Job of a namespace came into being.

    A kill may cut off the connection while the server creates the Job: the server then calls its
    own success an error, and the Job is there, so that nobody asks for it again until it is
    deleted. Such an error counts where no creation is seen in the same life of the Job.
    """
    created: Counter[str] = Counter()
    cut_off: set[str] = set()
    seen: set[str] = set()  # created since the last deletion
    jobs = [r for r in requests if r.resource == "jobs" and r.namespace == namespace]
    for request in sorted(jobs, key=lambda r: r.received):
        if made(request):
            created[request.name] += 1
            seen.add(request.name)
        elif request.is_write and request.verb == "patch" and request.code >= SERVER_ERROR:
            cut_off.add(request.name)
        elif request.verb == "delete" and request.code < BAD_REQUEST:
            created.update({request.name} & cut_off - seen)
            cut_off.discard(request.name)
            seen.discard(request.name)
    return created + Counter(cut_off - seen)


def made(request: audit.Request) -> bool:
    """Whether a request created an object: an apply answers 201 then, and 200 later."""
    return request.is_write and request.code == 201


def await_true(check, seconds: float, poll: float = 0.05) -> bool:
    """Whether it became true in time."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(poll)
    return True


def _stored(item: dict) -> Stored:
    payload = base64.b64decode(base64.b64decode(item["data"]["release"]))
    record = json.loads(gzip.decompress(payload))
    content = json.dumps([record["manifest"], record.get("config")], sort_keys=True)
    phases = [hook.get("last_run", {}).get("phase") for hook in record.get("hooks", ())]
    return Stored(
        number=record["version"],
        status=record["info"]["status"],
        digest=hashlib.sha256(content.encode()).hexdigest(),
        names=_names(record["manifest"]),
        in_hook="Running" in phases,
    )


def _names(manifest: str) -> frozenset[str]:
    bodies = [body for body in yaml.safe_load_all(manifest) if body]
    return frozenset(f"{body['kind'].lower()}s/{body['metadata']['name']}" for body in bodies)
