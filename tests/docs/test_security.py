"""docs/security.md explains each rule that the chart gives, and no other."""

import re
from pathlib import Path

from tests.builders.granted import rights_of
from tests.builders.own_chart import objects

TEXT = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (core|`[^`]+`) \| (`[^|]+`) \| (`[^|]+`) \| ([^|]+) \|$", re.MULTILINE)

GRANTING = (
    ("ClusterRole", "whipstaff"),
    ("ClusterRole", "whipstaff-admission"),
    ("Role", "whipstaff-admission"),
    ("Role", "whipstaff-lease"),
)


def words(cell):
    return re.findall(r"`([^`]+)`", cell)


def all_granted():
    found = objects("rbac.unrestricted=false", "admission.enabled=true")
    roles = [found[key] for key in GRANTING]
    return {right for role in roles for right in rights_of(role)}


def test_each_rule_has_a_reason():
    explained = {
        (words(group)[0] if words(group) else "", resource, verb)
        for group, resources, verbs, _ in ROW.findall(TEXT)
        for resource in words(resources)
        for verb in words(verbs)
    }
    granted = all_granted()
    assert explained == {(right.group, right.resource, right.verb) for right in granted}


def test_rules_about_named_objects_say_so():
    granted = all_granted()
    for name in {name for right in granted for name in right.names}:
        assert f"`{name}` alone" in TEXT


def test_the_gateway_may_impersonate_and_nothing_else():
    plain = objects("gateway.enabled=true")
    (right,) = rights_of(plain["ClusterRole", "whipstaff-gateway"])
    assert (right.resource, right.verb) == ("users", "impersonate")
    assert set(right.names) == {"whipstaff:gateway-reader"}
    reader = rights_of(plain["ClusterRole", "whipstaff-gateway-reader"])
    assert {(right.resource, right.verb) for right in reader} == {
        ("helmreleases", "list"),
        ("helmreleases", "watch"),
    }


def test_whom_the_gateway_may_impersonate_can_be_narrowed_to_names():
    settings = ("gateway.oidc.issuerURL=https://sso", "gateway.oidc.clientID=x")
    named = (*settings, "gateway.impersonate.users={carol}", "gateway.impersonate.groups={dev}")
    wide, narrow = (
        objects("gateway.enabled=true", *one)["ClusterRole", "whipstaff-gateway"]
        for one in (settings, named)
    )
    assert {right.verb for right in rights_of(wide)} == {"impersonate"}
    assert {name for right in rights_of(narrow) for name in right.names} == {
        "whipstaff:gateway-reader",
        "carol",
        "dev",
    }
