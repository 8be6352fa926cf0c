"""Each field of Flux's HelmRelease is one of ours too, or the page says what there is instead.

flux_fields.txt has the fields of spec of helm.toolkit.fluxcd.io/v2 as of helm-controller 1.6.
"""

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "coming-from-flux.md").read_text(encoding="utf-8")
DEFINITION = yaml.safe_load((ROOT / "crds" / "helmreleases.yaml").read_text(encoding="utf-8"))
[VERSION] = DEFINITION["spec"]["versions"]
SPEC = VERSION["schema"]["openAPIV3Schema"]["properties"]["spec"]
FIELDS = (Path(__file__).parent / "flux_fields.txt").read_text(encoding="utf-8").split()


def is_ours(path):
    node = SPEC
    for name in path.split("."):
        node = node.get("items", node).get("properties", {}).get(name)
        if node is None:
            return False
    return True


@pytest.mark.parametrize("path", [path for path in FIELDS if not is_ours(path)])
def test_a_field_that_is_not_ours_is_told_of(path):
    names = path.split(".")
    # A field, or what it is part of.
    told = [".".join(["spec", *names[:end]]) for end in range(len(names), 0, -1)]
    assert any(f"`{one}" in PAGE for one in told if one != "spec.chart")


def test_nearly_every_field_is_ours():
    theirs = [path for path in FIELDS if not is_ours(path)]
    assert {path.split(".")[0] for path in theirs} == {"chart", "chartRef"}
