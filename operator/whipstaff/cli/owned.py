"""The objects of an installation in the cluster: found by their labels, and taken away."""

from collections.abc import Iterator

from whipstaff.cli.carried import KINDS, MADE_BY, path_of, subject_of
from whipstaff.cli.installations import NAMES, Installation, Maker, maker_of
from whipstaff.errors import ClusterRefused
from whipstaff.helmrelease.edits import MANAGER
from whipstaff.kube.direct import Call, Direct
from whipstaff.release.revision import JsonObject

_NOT_FOUND = 404
_NAMES = f"app.kubernetes.io/name in ({','.join(NAMES)})"
_IN_WATCHED = ("Role", "RoleBinding")

# Webhooks first: the API server must not ask an operator that is gone. The operator itself goes
# last: as long as it is there, a removal that was cut short can be found and gone on with.
# Certificates stay, as all Secrets do.
_ORDER = (
    "ValidatingWebhookConfiguration",
    "Service",
    "RoleBinding",
    "Role",
    "ClusterRoleBinding",
    "ClusterRole",
    "ServiceAccount",
    "Deployment",
)


def owned(client: Direct, there: Installation) -> Iterator[JsonObject]:
    """Find what belongs to an installation, in the order in which it can be taken away."""
    mark = f"{MADE_BY}={MANAGER}" if there.maker is Maker.INIT else f"!{MADE_BY}"
    query = {"labelSelector": f"app.kubernetes.io/instance={there.instance},{_NAMES},{mark}"}
    for kind in _ORDER:
        places = dict.fromkeys((there.namespace, *there.watched))
        if kind not in _IN_WATCHED:
            places = {there.namespace: None}
        for place in places if KINDS[kind][2] else ("",):
            for body in client.items(path_of(kind, place), query):
                if maker_of(body)[0] is there.maker:
                    yield {**body, "kind": kind, "apiVersion": KINDS[kind][0]}


def take_away(client: Direct, body: JsonObject) -> None:
    """Delete an object and what it made; one that is gone already is none."""
    metadata = body["metadata"]
    path = path_of(str(body["kind"]), str(metadata.get("namespace", "")), str(metadata["name"]))
    how = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Background",
        # Another one of the same name, which somebody made meanwhile, is not meant.
        "preconditions": {"uid": metadata["uid"]},
    }
    try:
        client.send(Call("DELETE", path, {}, how, subject=subject_of(body)))
    except ClusterRefused as error:
        if error.code != _NOT_FOUND:
            raise


def key_of(body: JsonObject) -> tuple[str, str, str]:
    """Tell an object from the others of an installation."""
    metadata = body["metadata"]
    return str(body["kind"]), str(metadata.get("namespace", "")), str(metadata["name"])
