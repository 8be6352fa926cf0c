"""HelmReleases on a control plane: written, edited, waited for and looked at by tests."""

import base64
import gzip
import json
import time
from urllib.parse import quote

from tools.controlplane.client import Refused

POLL_SECONDS = 0.1
PATIENCE_SECONDS = 120.0  # machines are noisy
TOLD_LINES = 40  # of an operator's log, when something did not come about
NOT_FOUND = 404


class LiveReleases:
    """The HelmReleases of one namespace, and what Kubernetes holds around them."""

    def __init__(self, control_plane, namespace, repository_url=""):
        self.control_plane = control_plane
        self.api = control_plane.api
        self.namespace = namespace
        self.repository_url = repository_url

    # What people do.

    def create(self, name, *chart, **spec):
        return self.api.request("POST", self.path(), self.manifest(name, *chart, **spec))

    def manifest(self, name, chart="settings", version="*", repository=None, **spec):
        source = {"name": chart, "repository": repository or self.repository_url}
        return {
            "apiVersion": "whipstaff.dev/v1",
            "kind": "HelmRelease",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"chart": {**source, "version": version}, **spec},
        }

    def edit(self, name, **spec):
        """Change fields of spec; None takes one away, a table is laid over."""
        return self.api.request("PATCH", self.path(name), {"spec": spec})

    def choose(self, name, version):
        """Ask for another chart version."""
        return self.edit(name, chart={"version": version})

    def ask(self, name):
        """Ask for a pass now; return the text that asks."""
        moment = str(time.time_ns())
        annotations = {"whipstaff.dev/requestedAt": moment}
        self.api.request("PATCH", self.path(name), {"metadata": {"annotations": annotations}})
        return moment

    def answered(self, name):
        """Ask for a pass now and wait until it is over."""
        moment = self.ask(name)
        return self.until(
            name, lambda release: release["status"].get("lastHandledReconcileAt") == moment
        )

    def delete(self, name):
        return self.api.request("DELETE", self.path(name))

    # What they wait for.

    def until(self, name, holds, seconds=PATIENCE_SECONDS):
        """Poll until `holds` of the HelmRelease, which has a status by then; return it."""
        deadline = time.monotonic() + seconds
        while True:
            release = self.get(name)
            if release.get("status", {}).get("conditions") and holds(release):
                return release
            if time.monotonic() > deadline:
                status = json.dumps(release.get("status"), indent=1)
                told = f"{name} did not get there; its status: {status}"
                raise AssertionError(f"{told}\n{self.circumstances()}")
            time.sleep(POLL_SECONDS)

    def settled(self, name, revision=None, seconds=PATIENCE_SECONDS):
        """Wait until the newest spec is Ready, with this revision if one is named."""

        def there(release):
            runs = release["status"].get("revision")
            return handled(release) and is_true(release, "Ready") and runs == (revision or runs)

        return self.until(name, there, seconds)

    def refused(self, name, reason, seconds=PATIENCE_SECONDS):
        """Wait until the newest spec is not Ready for this reason; return the condition."""

        def there(release):
            ready = condition(release, "Ready")
            return handled(release) and ready["status"] == "False" and ready["reason"] == reason

        return condition(self.until(name, there, seconds), "Ready")

    def gone(self, name, seconds=PATIENCE_SECONDS):
        eventually(lambda: self.find(self.path(name)) is None, f"{name} is still there", seconds)

    # What they see.

    def get(self, name):
        return self.api.request("GET", self.path(name))

    def history(self, name):
        """Give (revision, status) of status.history, in its order."""
        entries = self.get(name)["status"].get("history", [])
        return [(entry["revision"], entry["status"]) for entry in entries]

    def events(self, name):
        """Give (type, reason) of the events on a HelmRelease, oldest first."""
        field = quote(f"regarding.name={name},regarding.kind=HelmRelease")
        path = f"/apis/events.k8s.io/v1/namespaces/{self.namespace}/events?fieldSelector={field}"
        found = sorted(self.api.request("GET", path)["items"], key=lambda event: event["eventTime"])
        return [(event["type"], event["reason"]) for event in found]

    def circumstances(self):
        """Tell how all HelmReleases of the namespace stand, and what operators logged of them."""
        stand = [
            f"{one['metadata']['name']}: {json.dumps(one.get('status', {}).get('conditions'))}"
            for one in self.api.request("GET", self.path())["items"]
        ]
        logs = self.control_plane.folder.glob("logs/whipstaff*.log")
        lines = [line for log in logs for line in log.read_text(errors="replace").splitlines()]
        return "\n".join(stand + [line for line in lines if self.namespace in line][-TOLD_LINES:])

    def data(self, name, namespace=None):
        """Give the data of a ConfigMap, None if there is none."""
        found = self.find(self.core("configmaps", name, namespace))
        return None if found is None else found.get("data", {})

    def stored(self, name, namespace=None):
        """Give revision number -> status of what is stored of a release, by its labels."""
        secrets = self.find(self.core("secrets", "", namespace) + "?labelSelector=owner%3Dhelm")
        labels = [item["metadata"]["labels"] for item in secrets["items"]]
        return {
            int(each["version"]): each["status"]
            for each in sorted(labels, key=lambda each: int(each["version"]))
            if each["name"] == name
        }

    def payload(self, name, number, namespace=None):
        """Decode a stored revision."""
        secret = self.find(self.core("secrets", secret_name(name, number), namespace))
        packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
        return json.loads(gzip.decompress(packed))

    def left_over(self, namespace=None):
        """Name what is in the namespace besides what Kubernetes puts there itself and events."""
        kinds = "configmaps,secrets,deployments,replicasets,pods,services,jobs,statefulsets"
        names = self.control_plane.kubectl(
            "get", kinds, "-n", namespace or self.namespace, "-o", "name"
        )
        return [name for name in names.split() if name != "configmap/kube-root-ca.crt"]

    def find(self, path):
        """Read something; None if there is none."""
        try:
            return self.api.request("GET", path)
        except Refused as refused:
            if refused.code != NOT_FOUND:
                raise
            return None

    def agree(self, name, namespace=None):
        """Hold `helm history` and `helm status` against status.history; of a release of its name.

        `namespace` is where its revisions are stored.
        """
        asked = (name, "-n", namespace or self.namespace, "-o", "json")

        def alike():
            entries = self.get(name)["status"].get("history", [])
            told = json.loads(self.control_plane.helm("history", *asked))
            helms = [(one["revision"], one["status"], one["description"]) for one in told[::-1]]
            ours = [(one["revision"], one["status"], one["description"]) for one in entries]
            newest = json.loads(self.control_plane.helm("status", *asked))
            return helms == ours and (newest["version"], newest["info"]["status"]) == ours[0][:2]

        eventually(alike, "helm and status.history differ")

    def helm(self, *arguments):
        return self.control_plane.helm(*arguments, "-n", self.namespace)

    def path(self, name=""):
        collection = f"/apis/whipstaff.dev/v1/namespaces/{self.namespace}/helmreleases"
        return f"{collection}/{name}" if name else collection

    def core(self, resource, name="", namespace=None):
        collection = f"/api/v1/namespaces/{namespace or self.namespace}/{resource}"
        return f"{collection}/{name}" if name else collection


def secret_name(name, number):
    return f"sh.helm.release.v1.{name}.v{number}"


def condition(release, kind):
    """Give a condition of a HelmRelease; one that is not there has an empty status."""
    found = release.get("status", {}).get("conditions", [])
    empty = {"type": kind, "status": "", "reason": "", "message": ""}
    return next((each for each in found if each["type"] == kind), empty)


def is_true(release, kind):
    return condition(release, kind)["status"] == "True"


def handled(release):
    """Whether its status speaks of its newest spec."""
    return release["status"].get("observedGeneration") == release["metadata"]["generation"]


def eventually(holds, otherwise, seconds=PATIENCE_SECONDS):
    """Poll until `holds`; return what it returned."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, otherwise
        time.sleep(POLL_SECONDS)
    return found
