"""What stands in the way of an installation, found out before anything is written."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from whipstaff.chart.capabilities import KubeVersionInvalid
from whipstaff.cli.carried import KINDS, Carried, check_server, path_of, subject_of
from whipstaff.cli.installations import Maker, is_ours, maker_of
from whipstaff.errors import ClusterRefused, KubeVersionIncompatible
from whipstaff.kube.direct import Call, Direct
from whipstaff.release.revision import JsonObject

_NOT_FOUND, _FORBIDDEN = 404, 403
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_SHARED = ("Namespace", "CustomResourceDefinition")  # whoever made them, they may be used
_ROLES = ("ClusterRole", "Role")


@dataclass(frozen=True, slots=True)
class Right:
    """One thing that somebody may do, or may not."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        what = f"{self.resource}.{self.group}" if self.group else self.resource
        where = f" in the namespace {self.namespace}" if self.namespace else ""
        return f"{self.verb} {what}{f' {self.name}' if self.name else ''}{where}"


@dataclass(slots=True)
class Rights:
    """What the user may do, asked of the API server once for each."""

    client: Direct
    _known: dict[str, bool] = field(default_factory=dict)

    def has(self, right: Right) -> bool:
        """Whether the user has a right."""
        plural, _, part = right.resource.partition("/")
        facts = {
            "verb": right.verb,
            "group": right.group,
            "resource": plural,
            "subresource": part,
            "namespace": right.namespace,
            "name": right.name,
        }
        return self._asked({"resourceAttributes": facts})

    def has_url(self, verb: str, path: str) -> bool:
        """Whether the user may ask for what is no object."""
        return self._asked({"nonResourceAttributes": {"verb": verb, "path": path}})

    def _asked(self, spec: JsonObject) -> bool:
        key = json.dumps(spec)
        if key not in self._known:
            body = {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": spec,
            }
            answer = self.client.send(Call("POST", _REVIEWS, body=body))
            self._known[key] = (answer.get("status") or {}).get("allowed") is True
        return self._known[key]


def of_the_server(client: Direct) -> Iterator[str]:
    """Say why the operator would not work with the API server."""
    version = str(client.get("/version").get("gitVersion", ""))
    try:
        check_server(version)
    except (KubeVersionIncompatible, KubeVersionInvalid) as error:
        yield f"the API server is {version}: {error}"


def of_objects(client: Direct, carried: Carried) -> Iterator[str]:
    """Say which objects are going, are missing, or are somebody else's."""
    for body in carried.all():
        live = read(client, body)
        if live is None:
            continue
        if live["metadata"].get("deletionTimestamp"):
            yield f"{subject_of(body)} is being deleted: wait until it is gone"
        elif not _may_be_taken(body, live):
            maker, by = maker_of(live)
            how = f"{maker.value}{f' ({by})' if by else ''}"
            yield f"{subject_of(body)} is there already, made {how}: remove it first"
    yield from _of_namespaces(client, carried)
    yield from _of_accounts(client, carried)


def _may_be_taken(body: JsonObject, live: JsonObject) -> bool:
    """Whether an object that is there may become part of the installation."""
    if body["kind"] in _SHARED or maker_of(live)[0] is Maker.INIT:
        return True
    # `reset` left it behind, of an installation from manifests.
    return body["kind"] == "Secret" and is_ours(live)


def _of_namespaces(client: Direct, carried: Carried) -> Iterator[str]:
    """Say which namespace objects are to be in, and is not there."""
    own = carried.namespace["metadata"]["name"]
    for place in dict.fromkeys(body["metadata"].get("namespace", "") for body in carried.objects):
        body = {"kind": "Namespace", "metadata": {"name": place}}
        if place not in ("", own) and not is_there(client, body):
            yield f"Namespace {place}, whose HelmReleases are to be looked after, is not there"


def _of_accounts(client: Direct, carried: Carried) -> Iterator[str]:
    """Say which ServiceAccount is to be there already, and is not."""
    made = {
        body["metadata"]["name"] for body in carried.objects if body["kind"] == "ServiceAccount"
    }
    for body in carried.objects:
        if body["kind"] != "Deployment":
            continue
        name = str(body["spec"]["template"]["spec"].get("serviceAccountName", "default"))
        place = str(body["metadata"]["namespace"])
        account = {"kind": "ServiceAccount", "metadata": {"name": name, "namespace": place}}
        if name not in (*made, "default") and not is_there(client, account):
            yield f"ServiceAccount {place}/{name} is not there"


def is_there(client: Direct, body: JsonObject) -> bool:
    """Whether there is such an object, or one may not know."""
    try:
        return read(client, body, seen=True) is not None
    except ClusterRefused as error:
        if error.code == _FORBIDDEN:
            return True
        raise


def read(client: Direct, body: JsonObject, *, seen: bool = False) -> JsonObject | None:
    """Read an object; None where there is none, and, unless it has to be `seen`, if one may not."""
    metadata = body["metadata"]
    path = path_of(str(body["kind"]), str(metadata.get("namespace", "")), str(metadata["name"]))
    try:
        return client.get(path, subject=subject_of(body))
    except ClusterRefused as error:
        if error.code == _NOT_FOUND or (error.code == _FORBIDDEN and not seen):
            return None
        raise


def missing_rights(client: Direct, carried: Carried, going: Iterable[JsonObject]) -> list[str]:
    """Say what the user may not do, of what it takes to make objects and to delete others."""
    rights = Rights(client)
    if rights.has(Right("*", "*", "*")) and rights.has_url("*", "*"):
        return []
    namespace = carried.namespace
    bodies = [*carried.definitions, *carried.objects]
    if not is_there(client, namespace):
        bodies.insert(0, namespace)
    needed = [Right("list", "apps", "deployments", str(namespace["metadata"]["name"]))]
    for body in bodies:
        needed += [
            right_to("get", body),
            replace(right_to("create", body), name=""),
            right_to("patch", body),
        ]
    needed += [right_to("delete", body) for body in going]
    lacking = [f"you may not {right}" for right in dict.fromkeys(needed) if not rights.has(right)]
    for body in carried.objects:
        if body["kind"] in _ROLES:
            lacking += _not_to_grant(rights, body)
    return lacking


def right_to(verb: str, body: JsonObject) -> Right:
    """Return the right to do something to one object."""
    group, plural, _ = KINDS[str(body["kind"])]
    metadata = body["metadata"]
    place, name = str(metadata.get("namespace", "")), str(metadata["name"])
    return Right(verb, group.rpartition("/")[0], plural, place, name)


def _not_to_grant(rights: Rights, role: JsonObject) -> list[str]:
    """Say why the API server would refuse a role: one may grant only what one has."""
    metadata = role["metadata"]
    place, name = str(metadata.get("namespace", "")), str(metadata["name"])
    plural = KINDS[str(role["kind"])][1]
    group = "rbac.authorization.k8s.io"
    if all(rights.has(Right(verb, group, plural, place, name)) for verb in ("escalate", "bind")):
        return []
    lacking = [str(one) for one in _granted(role, place) if not rights.has(one)]
    lacking += [
        f"{verb} {path}"
        for rule in role.get("rules") or ()
        for path in rule.get("nonResourceURLs") or ()
        for verb in rule["verbs"]
        if not rights.has_url(verb, path)
    ]
    told = f"you may not give the rights of {subject_of(role)}, as you do not have: "
    return [told + ", ".join(lacking)] if lacking else []


def _granted(role: JsonObject, namespace: str) -> Iterable[Right]:
    for rule in role.get("rules") or ():
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                for verb in rule["verbs"]:
                    for name in rule.get("resourceNames") or ("",):
                        yield Right(verb, group, resource, namespace, name)
