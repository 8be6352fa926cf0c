"""Operators that are installed in a cluster: where, in which version, and who installed them."""

import json
from dataclasses import dataclass, field
from enum import Enum

from whipstaff.cli.carried import MADE_BY, NAME, VALUES, VERSION_LABEL, path_of
from whipstaff.errors import ClusterRefused
from whipstaff.helmrelease.edits import MANAGER, synced_by
from whipstaff.kube.direct import Direct
from whipstaff.release.manifests import RELEASE_NAME_ANNOTATION
from whipstaff.release.revision import JsonObject

_NAME_LABEL = "app.kubernetes.io/name"
OPERATORS = f"{_NAME_LABEL}={NAME}"
NAMES = (NAME, f"{NAME}-gateway")  # of what belongs to an installation
_FORBIDDEN = 403
_INSTANCE = "app.kubernetes.io/instance"
_WATCHED = "WHIPSTAFF_WATCH_NAMESPACES"


class Maker(Enum):
    """Who looks after an installation, and is to be asked to change it."""

    INIT = "by `whipstaff init`"
    HELM = "by helm"
    GIT = "from Git"
    MANIFESTS = "from manifests"


@dataclass(frozen=True, slots=True)
class Installation:
    """One operator."""

    namespace: str
    name: str
    version: str
    maker: Maker
    by: str  # the release of helm, or the tool that brings it from Git
    instance: str
    values: JsonObject = field(default_factory=dict)  # what `init` was given
    watched: tuple[str, ...] = ()  # namespaces; empty: all

    def __str__(self) -> str:
        how = f"{self.maker.value}{f' ({self.by})' if self.by else ''}"
        return f"whipstaff {self.version} in the namespace {self.namespace}, installed {how}"

    @property
    def upgraded(self) -> str:
        """What to do to have another version of it."""
        match self.maker:
            case Maker.INIT:
                return f"`whipstaff init --upgrade -n {self.namespace}` upgrades it"
            case Maker.HELM:
                return f"upgrade it with `helm upgrade {self.by} -n {self.namespace}`"
            case Maker.GIT:
                return f"upgrade it in Git, where {self.by} takes it from"
            case Maker.MANIFESTS:
                return (
                    "upgrade it with `whipstaff init --output yaml | kubectl apply --server-side "
                    f"-f -`, or have `whipstaff reset -n {self.namespace}` remove it first"
                )

    @property
    def removed(self) -> str:
        """What to do to be rid of it, where `whipstaff reset` is not the way."""
        if self.maker is Maker.HELM:
            return f"remove it with `helm uninstall {self.by} -n {self.namespace}`"
        return f"remove it in Git, where {self.by} takes it from"


def installations(client: Direct, namespace: str) -> list[Installation]:
    """Find operators; those of one namespace where one may not see the others."""
    return [_installation(body) for body in _deployments(client, namespace)]


def _deployments(client: Direct, namespace: str) -> list[JsonObject]:
    query = {"labelSelector": OPERATORS}
    try:
        return list(client.items(path_of("Deployment"), query))
    except ClusterRefused as error:
        if error.code != _FORBIDDEN or not namespace:
            raise
        return list(client.items(path_of("Deployment", namespace), query))


def _installation(body: JsonObject) -> Installation:
    metadata = body["metadata"]
    labels, notes = metadata.get("labels") or {}, metadata.get("annotations") or {}
    maker, by = maker_of(body)
    return Installation(
        namespace=str(metadata["namespace"]),
        name=str(metadata["name"]),
        version=str(labels.get(VERSION_LABEL, "of an unknown version")),
        maker=maker,
        by=by,
        instance=str(labels.get(_INSTANCE, "")),
        values=_values(str(notes.get(VALUES, ""))),
        watched=_watched(body),
    )


def maker_of(body: JsonObject) -> tuple[Maker, str]:
    """Tell who made an object, by its labels and annotations."""
    metadata = body["metadata"]
    labels, notes = metadata.get("labels") or {}, metadata.get("annotations") or {}
    tool = synced_by(body)
    if tool:
        return Maker.GIT, tool
    if RELEASE_NAME_ANNOTATION in notes or labels.get(MADE_BY) == "Helm":
        return Maker.HELM, str(notes.get(RELEASE_NAME_ANNOTATION) or labels.get(_INSTANCE, ""))
    if labels.get(MADE_BY) == MANAGER:
        return Maker.INIT, ""
    return Maker.MANIFESTS, ""


def is_ours(body: JsonObject) -> bool:
    """Whether an object belongs to some installation, by its label."""
    return (body["metadata"].get("labels") or {}).get(_NAME_LABEL) in NAMES


def _values(text: str) -> JsonObject:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _watched(body: JsonObject) -> tuple[str, ...]:
    spec = ((body.get("spec") or {}).get("template") or {}).get("spec") or {}
    for container in spec.get("containers") or ():
        for one in container.get("env") or ():
            if one.get("name") == _WATCHED and one.get("value"):
                return tuple(str(one["value"]).split(","))
    return ()
