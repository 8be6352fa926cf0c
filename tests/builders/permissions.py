"""ServiceAccounts for tests, and what they may do in a namespace."""

EVERYTHING = ["get", "list", "watch", "create", "update", "patch", "delete"]


def an_account(control_plane, namespace, name, *rules):
    """Create a ServiceAccount that may do this; a rule is (API group, resources, verbs)."""
    api = control_plane.api
    api.request(
        "POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}}
    )
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    granted = [
        {"apiGroups": [group], "resources": resources, "verbs": verbs}
        for group, resources, verbs in rules
    ]
    api.request("POST", f"{rbac}/roles", {"metadata": {"name": name}, "rules": granted})
    api.request(
        "POST",
        f"{rbac}/rolebindings",
        {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        },
    )
    return f"system:serviceaccount:{namespace}:{name}"
