"""What RBAC grants an account, and what of it was used, by the API server's audit log."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from tools.controlplane import audit

OBJECT_PATH = re.compile(r"/apis/(?P<group>[^/]+)/")
FORBIDDEN = 403


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One verb on one resource; `names` is of a rule that names objects."""

    group: str
    resource: str
    verb: str
    names: tuple[str, ...] = ()


def rights_of(role):
    """Give each single right of a Role or ClusterRole."""
    return {
        Right(group, resource, verb, tuple(rule.get("resourceNames", ())))
        for rule in role["rules"]
        for group in rule.get("apiGroups", ())
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def requests_of(log, user, start=0):
    return [each for each in audit.read(log, start) if each.user == user]


def used(right, requests):
    """Whether one of the requests needed the right."""
    if right.verb == "impersonate":
        return any(each.acting_as for each in requests)
    return any(
        (group_of(each), each.resource, each.verb) == (right.group, right.resource, right.verb)
        and (not right.names or each.name in right.names)
        and not each.acting_as
        for each in requests
    )


def refused(requests):
    return [(each.verb, each.uri) for each in requests if each.code == FORBIDDEN]


def group_of(request):
    found = OBJECT_PATH.match(urlsplit(request.uri).path)
    return found["group"] if found else ""
