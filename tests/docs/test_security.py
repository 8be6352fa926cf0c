"""docs/security.md explains each rule that the chart gives, and no other."""

import re

import yaml

from tests.builders.granted import rights_of
from tests.builders.own_chart import ROOT, by_name, objects

TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
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


def test_a_gateway_of_several_clusters_reads_secrets_beside_it_as_somebody_else():
    found = objects("gateway.enabled=true", "gateway.clusters.enabled=true")
    (right,) = rights_of(found["ClusterRole", "whipstaff-gateway"])
    assert right.names == ("whipstaff:gateway-reader", "whipstaff:gateway-clusters")
    for name in right.names:
        assert f"| the user `{name}` |" in TEXT
    reads = rights_of(found["Role", "whipstaff-gateway-clusters"])
    assert {(one.resource, one.verb) for one in reads} == {
        ("secrets", "list"),
        ("secrets", "watch"),
    }
    (subject,) = found["RoleBinding", "whipstaff-gateway-clusters"]["subjects"]
    assert (subject["kind"], subject["name"]) == ("User", "whipstaff:gateway-clusters")


def test_what_another_cluster_gives_a_gateway_is_to_impersonate_and_nothing_else():
    text = (ROOT / "deploy" / "gateway" / "other-cluster.yaml").read_text(encoding="utf-8")
    given = by_name(yaml.safe_load_all(text))
    (right,) = rights_of(given["ClusterRole", "whipstaff-gateway-access"])
    assert (right.verb, right.names) == ("impersonate", ("whipstaff:gateway-reader",))
    here = objects("gateway.enabled=true")
    reader = "ClusterRole", "whipstaff-gateway-reader"
    assert rights_of(given[reader]) == rights_of(here[reader])


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
