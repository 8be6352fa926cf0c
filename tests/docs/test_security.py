"""docs/security.md explains each rule that the chart gives, and no other."""

import re
from pathlib import Path

from tests.builders.granted import rights_of
from tests.builders.own_chart import objects

TEXT = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (core|`[^`]+`) \| (`[^|]+`) \| (`[^|]+`) \| ([^|]+) \|$", re.MULTILINE)


def words(cell):
    return re.findall(r"`([^`]+)`", cell)


def test_each_rule_has_a_reason():
    explained = {
        (words(group)[0] if words(group) else "", resource, verb)
        for group, resources, verbs, _ in ROW.findall(TEXT)
        for resource in words(resources)
        for verb in words(verbs)
    }
    found = objects("rbac.unrestricted=false")
    granted = rights_of(found["ClusterRole", "whipstaff"])
    granted |= rights_of(found["Role", "whipstaff-lease"])
    assert explained == {(right.group, right.resource, right.verb) for right in granted}


def test_rules_about_named_objects_say_so():
    found = objects("rbac.unrestricted=false")
    granted = rights_of(found["ClusterRole", "whipstaff"])
    granted |= rights_of(found["Role", "whipstaff-lease"])
    for name in {name for right in granted for name in right.names}:
        assert f"`{name}` alone" in TEXT
