"""Patches and images give what kustomize gives (its `api` v0.21.1, as recorded in postrender/).

`DIFFERENT` are the cases in which kustomize loses or invents something; there ours is what the
API server would make of the same strategic merge patch, or what the patch says.
"""

import json
from pathlib import Path

import pytest

from whipstaff.errors import PostRenderFailed
from whipstaff.postrender.renderer import PostRenderer

FOLDER = Path(__file__).parent / "postrender"
CASES = [json.loads(line) for line in (FOLDER / "cases.jsonl").read_text("utf-8").splitlines()]
OBJECTS = json.loads((FOLDER / "objects.json").read_text("utf-8"))

DIFFERENT = {
    "container replaced": "it ignores `$patch: replace` in an element of a list",
    "volumes": "the same",
    "container without key": "it empties the whole list",
    "labels": "it makes a label that is taken away with a target the text `null`",
    "scalar in list": "it drops a plain value in a list of tables",
    "duplicate in patch": "it drops the second change of one element",
    "added list with replace": "it adds the directive to a list that is new",
    "replaced whole": "it ignores `$patch: replace` for a whole object",
    "no kind name, target": "it wants a name and a kind, and then looks at neither",
    "no name, target": "the same",
    "service ports": "it loses a change where one side leaves a key out",
    "json no slash": "it takes `spec/x` for `/x`",
    "image volumes": "volumes of CronJobs came with its next version",
    "image volume name": "the same",
}


def renderer(case):
    patches = [{"patch": one["patch"], "target": one.get("target")} for one in case["patches"]]
    order = {
        "strategy": "combined",
        "renderers": [{"patches": patches, "images": case["images"]}],
        "labels": {},
        "annotations": {},
    }
    return PostRenderer(order, "default")


def changed(case):
    """What becomes of the objects that are not left as they were, by their numbers."""
    applied = renderer(case)
    results = [applied.apply(body) for body in OBJECTS[case["objects"]]]
    applied.check_all_found(place for one in results for place in one.found)
    return {str(number): one.body for number, one in enumerate(results) if one.changed}


def is_different(case):
    return case["name"].removeprefix("named: ").removeprefix("target: ") in DIFFERENT


def same_as_kustomize(case):
    try:
        return changed(case) == case.get("changed")
    except PostRenderFailed:
        return "refused" in case


@pytest.mark.parametrize(
    "case", [pytest.param(one, id=one["name"]) for one in CASES if not is_different(one)]
)
def test_the_result_is_that_of_kustomize(case):
    if "refused" in case:
        with pytest.raises(PostRenderFailed, match=r"^spec\.postRenderers\[0\]\.kustomize\."):
            changed(case)
    else:
        assert changed(case) == case["changed"]


@pytest.mark.parametrize("name", DIFFERENT)
def test_where_kustomize_is_wrong_the_result_is_another(name):
    cases = [one for one in CASES if one["name"].split(": ")[-1] == name]

    assert cases
    assert not all(map(same_as_kustomize, cases))
