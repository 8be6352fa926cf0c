import pytest

from bench.corpus_install import TOLD_LIMIT, missing_causes

UNMAPPED = 'resource mapping not found for name: "a" namespace: "" from "": '
THING = 'no matches for kind "Thing" in version "g.test/v1"'
OTHER = 'no matches for kind "Other" in version "g.test/v1"'
INVALID = (
    "server-side apply failed for object c-a/default v1, Kind=Location: "
    'Location.test "default" is invalid: [spec.provider: Invalid value: "null": must be a string, '
    'spec.credential: Invalid value: "null": must be an object]'
)
TYPED = (
    "server-side apply failed for object c-a/web apps/v1, Kind=Set: failed to create typed patch "
    "object (c-a/web; apps/v1, Kind=Set): .spec.size: field not declared in schema"
)


@pytest.mark.parametrize(
    ("helm_says", "message"),
    [
        pytest.param("at (a.yaml:1:2):\n  no", "execution error at (a.yaml:1:2): no", id="a blank"),
        pytest.param(f"[{UNMAPPED}{THING}, {UNMAPPED}{OTHER}]", f"{OTHER}; {THING}", id="kinds"),
        pytest.param(
            INVALID, 'Location.test "default" is invalid: spec.provider: must be', id="values"
        ),
        pytest.param(TYPED, TYPED.partition("failed to ")[2], id="a field"),
        pytest.param(
            f"[{THING}, {OTHER}]", f"{THING} ".ljust(TOLD_LIMIT, "x"), id="a message that is cut"
        ),
    ],
)
def test_a_status_that_names_the_causes_says_the_same(helm_says, message):
    assert missing_causes(helm_says, message) == []


@pytest.mark.parametrize(
    ("helm_says", "message", "missing"),
    [
        pytest.param("at (a.yaml:1:2): no", "timed out", ["at (a.yaml:1:2): no"], id="else"),
        pytest.param(f"[{THING}, {OTHER}]", f"{THING}", [OTHER], id="a kind"),
        pytest.param(
            INVALID,
            "it is invalid: spec.provider",
            ['Location.test "default" is invalid'],
            id="who",
        ),
        pytest.param(THING, "x" * TOLD_LIMIT, [THING], id="cut, and nothing named"),
    ],
)
def test_a_cause_that_is_not_named_is_a_difference(helm_says, message, missing):
    assert missing_causes(helm_says, message) == missing
