"""What a HelmRelease says of drift, and how what is wrong in it is refused."""

import pytest

from tests.builders.helmreleases import a_body
from whipstaff.errors import InvalidSpec
from whipstaff.helmrelease.drift_detection import (
    MOST_RULES,
    DriftDetection,
    DriftMode,
    IgnoreRule,
)
from whipstaff.helmrelease.parsing import parse


def read(given):
    return parse(a_body(driftDetection=given)).spec.drift_detection


@pytest.mark.parametrize("given", [None, {}, {"ignore": []}, {"mode": None}])
def test_nobody_looks_unless_it_is_said(given):
    assert read(given) == DriftDetection()
    assert not read(given).looks


@pytest.mark.parametrize("mode", ["enabled", "warn"])
def test_a_mode_has_somebody_look(mode):
    assert read({"mode": mode}).mode is DriftMode(mode)
    assert read({"mode": mode}).looks


@pytest.mark.parametrize(
    ("pointer", "path"),
    [
        ("", ()),
        ("/spec/replicas", ("spec", "replicas")),
        ("/metadata/annotations/a.b~1c~0d", ("metadata", "annotations", "a.b/c~d")),
        ("/spec/list/0", ("spec", "list", "0")),
        ("/", ("",)),
    ],
)
def test_paths_are_json_pointers(pointer, path):
    assert read({"ignore": [{"paths": [pointer]}]}).ignore == (IgnoreRule((path,)),)


def test_a_target_has_the_words_that_are_given():
    target = {"kind": "Deployment|StatefulSet", "name": "", "labelSelector": "app in (a, b)"}
    (rule,) = read({"ignore": [{"paths": ["/spec"], "target": target}]}).ignore
    assert rule.target == {"kind": "Deployment|StatefulSet", "labelSelector": "app in (a, b)"}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"mode": "always"}, "mode"),
        ({"mode": "Enabled"}, "mode"),
        ({"ignore": {}}, "ignore"),
        ({"ignore": [{"paths": ["/a"]}] * (MOST_RULES + 1)}, "ignore"),
        ({"ignore": [{}]}, "ignore[0].paths"),
        ({"ignore": [{"paths": []}]}, "ignore[0].paths"),
        ({"ignore": [{"paths": ["/a", "spec.b"]}]}, "ignore[0].paths[1]"),
        ({"ignore": [{"paths": ["/a~2"]}]}, "ignore[0].paths[0]"),
        ({"ignore": [{"paths": ["/a\x00"]}]}, "ignore[0].paths[0]"),
        ({"ignore": [{"paths": ["/a"], "target": {"name": "("}}]}, "ignore[0].target.name"),
        ({"ignore": [{"paths": ["/a"], "target": {"kind": 7}}]}, "ignore[0].target.kind"),
        (
            {"ignore": [{"paths": ["/a"], "target": {"labelSelector": "a="}}, {}]},
            "ignore[1].paths",
        ),
        (
            {"ignore": [{"paths": ["/a"], "target": {"labelSelector": "=a"}}]},
            "ignore[0].target.labelSelector",
        ),
        (
            {"ignore": [{"paths": ["/a"], "target": {"annotationSelector": "a in b"}}]},
            "ignore[0].target.annotationSelector",
        ),
    ],
)
def test_what_is_wrong_is_named(given, field):
    with pytest.raises(InvalidSpec) as caught:
        read(given)
    assert caught.value.field == f"spec.driftDetection.{field}"
