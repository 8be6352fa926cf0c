"""Kubeconfigs as people store them in Secrets, and accounts in the clusters that they lead to."""

import base64
import json


def b64(text):
    return base64.b64encode(text.encode()).decode()


def a_kubeconfig(server, *, cluster=None, user=None, **document):
    """Write a kubeconfig in JSON, which is YAML; keywords are laid over its entries."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "there",
            "contexts": [{"name": "there", "context": {"cluster": "there", "user": "me"}}],
            "clusters": [{"name": "there", "cluster": {"server": server, **(cluster or {})}}],
            "users": [{"name": "me", "user": {"token": "t0ken"} if user is None else user}],
            **document,
        }
    )


def administrator(control_plane, namespace, name):
    """Make a ServiceAccount that may do everything; return a token of it."""
    api = control_plane.api
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    api.request("POST", path, {"metadata": {"name": name}})
    api.request(
        "POST",
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        {
            "metadata": {"name": f"{namespace}-{name}"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "cluster-admin",
            },
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        },
    )
    return control_plane.service_account_token(namespace, name)


def kubeconfig_to(control_plane, token):
    """Write a kubeconfig with which a token works on a control plane."""
    ca = base64.b64encode(control_plane.ca_certificate.read_bytes()).decode()
    return a_kubeconfig(
        control_plane.server, cluster={"certificate-authority-data": ca}, user={"token": token}
    )


def store(control_plane, namespace, name, kubeconfig, key="value"):
    """Store a kubeconfig in a Secret, or another one in its place."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "data": {key: b64(kubeconfig)},
    }
    control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(secret))
