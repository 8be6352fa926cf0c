"""HelmRepositories on a control plane, and Secrets with logins: written and waited for by tests."""

import base64
import json
import time

from tests.builders.live_releases import (
    PATIENCE_SECONDS,
    POLL_SECONDS,
    LiveReleases,
    condition,
    handled,
    is_true,
)

REQUESTED = "whipstaff.dev/requestedAt"


def basic(username, password):
    """Give the header that a server expects."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


class LiveRepositories:
    """The HelmRepositories of one namespace."""

    def __init__(self, control_plane, namespace):
        self.api = control_plane.api
        self.namespace = namespace
        self.releases = LiveReleases(control_plane, namespace)

    def create(self, name, url, **spec):
        body = {
            "apiVersion": "whipstaff.dev/v1",
            "kind": "HelmRepository",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"url": url, **spec},
        }
        return self.api.request("POST", self.path(), body)

    def edit(self, name, **spec):
        return self.api.request("PATCH", self.path(name), {"spec": spec})

    def ask(self, name):
        """Ask for the index now; return the text that asks."""
        moment = str(time.time_ns())
        annotations = {"metadata": {"annotations": {REQUESTED: moment}}}
        self.api.request("PATCH", self.path(name), annotations)
        return moment

    def delete(self, name):
        return self.api.request("DELETE", self.path(name))

    def secret(self, name, **data):
        """Write a Secret, or replace the data of one."""
        path = self.releases.core("secrets")
        body = {"metadata": {"name": name}, "stringData": data}
        if self.releases.find(f"{path}/{name}") is None:
            return self.api.request("POST", path, body)
        return self.api.request("PATCH", f"{path}/{name}", {"stringData": data})

    def use(self, release, repository, *, chart="settings", version="*", namespace="", **spec):
        """Write a HelmRelease whose chart comes from a HelmRepository."""
        reference = {"name": repository} | ({"namespace": namespace} if namespace else {})
        body = {
            "apiVersion": "whipstaff.dev/v1",
            "kind": "HelmRelease",
            "metadata": {"name": release, "namespace": self.namespace},
            "spec": {
                "chart": {"name": chart, "version": version, "repositoryRef": reference},
                **spec,
            },
        }
        return self.api.request("POST", self.releases.path(), body)

    def get(self, name):
        return self.api.request("GET", self.path(name))

    def until(self, name, holds, seconds=PATIENCE_SECONDS):
        """Poll until `holds` of the HelmRepository, which has a status by then; return it."""
        deadline = time.monotonic() + seconds
        while True:
            repository = self.get(name)
            if repository.get("status", {}).get("conditions") and holds(repository):
                return repository
            if time.monotonic() > deadline:
                status = json.dumps(repository.get("status"), indent=1)
                raise AssertionError(f"{name} did not get there; its status: {status}")
            time.sleep(POLL_SECONDS)

    def ready(self, name):
        return self.until(name, lambda found: handled(found) and is_true(found, "Ready"))

    def refused(self, name, reason):
        """Wait until it is not Ready for this reason; return the condition."""

        def there(found):
            ready = condition(found, "Ready")
            return handled(found) and ready["status"] == "False" and ready["reason"] == reason

        return condition(self.until(name, there), "Ready")

    def path(self, name=""):
        collection = f"/apis/whipstaff.dev/v1/namespaces/{self.namespace}/helmrepositories"
        return f"{collection}/{name}" if name else collection
