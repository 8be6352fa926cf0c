"""How GitOps tools write what stands in Git: their field managers without the tools."""

import json
from dataclasses import dataclass
from typing import Any

from tools.controlplane.client import Refused

FLUX, ARGO_CD = "kustomize-controller", "argocd-controller"
# Whose fields Flux makes its own before it applies, by the beginning of the manager's name.
TAKEN_BY_FLUX = ("kubectl", "before-first-apply")


@dataclass(frozen=True)
class GitOpsTool:
    """Applies objects as one tool does."""

    cluster: Any

    def _kubectl(self, bodies, *arguments):
        stdin = json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies})
        return self.cluster.run("kubectl", *arguments, "-f", "-", stdin=stdin, check=False)


class Flux(GitOpsTool):
    """A Kustomization: fields of kubectl's managers are made Flux's, then all is applied."""

    def sync(self, *bodies):
        for body in bodies:
            self._take_over(body)
        flags = ("--server-side", f"--field-manager={FLUX}", "--force-conflicts")
        return self._kubectl(bodies, "apply", *flags)

    def _take_over(self, body):
        path = path_of(body)
        try:
            live = self.cluster.api.request("GET", path)
        except Refused:
            return
        kept, fields = [], {}
        for entry in live["metadata"]["managedFields"]:
            ours = (entry["manager"], entry["operation"]) == (FLUX, "Apply")
            if ours or entry["manager"].startswith(TAKEN_BY_FLUX):
                _merge(fields, entry["fieldsV1"])
            else:
                kept.append(entry)
        entry = {
            "manager": FLUX,
            "operation": "Apply",
            "apiVersion": body["apiVersion"],
            "fieldsType": "FieldsV1",
            "fieldsV1": fields,
        }
        self.cluster.api.request("PATCH", path, {"metadata": {"managedFields": [*kept, entry]}})


class ArgoCD(GitOpsTool):
    """An Application, which applies in the way that kubectl does by itself."""

    def sync(self, *bodies):
        return self._kubectl(bodies, "apply", f"--field-manager={ARGO_CD}")


class ArgoCDServerSide(GitOpsTool):
    """An Application with the sync option `ServerSideApply=true`."""

    def sync(self, *bodies):
        flags = ("--server-side", f"--field-manager={ARGO_CD}", "--force-conflicts")
        return self._kubectl(bodies, "apply", *flags)


class ArgoCDReplacing(GitOpsTool):
    """An Application with the sync option `Replace=true`."""

    def sync(self, *bodies):
        if self._kubectl(bodies, "create").returncode == 0:
            return None
        return self._kubectl(bodies, "replace")


class Pipeline(GitOpsTool):
    """`kubectl apply --server-side` in a pipeline."""

    def sync(self, *bodies):
        return self._kubectl(bodies, "apply", "--server-side")


def path_of(body):
    """Give the path of a HelmRelease on the API server."""
    namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
    return f"/apis/{body['apiVersion']}/namespaces/{namespace}/helmreleases/{name}"


def _merge(fields, more):
    for name, inner in more.items():
        _merge(fields.setdefault(name, {}), inner)
