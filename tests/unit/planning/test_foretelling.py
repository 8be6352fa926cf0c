import pytest

from tests.builders.observations import a_release
from whipstaff.helmrelease.types import Approval
from whipstaff.planning.foretelling import foretold

RUNS = {"revision": 3}


def told(before=None, status=None, **spec):
    release = a_release(status=status, **spec)
    return " ".join(foretold(release, None if before is None else a_release(**before).spec))


@pytest.mark.parametrize(
    ("before", "spec", "word"),
    [
        pytest.param(None, {"suspend": True}, "nothing of this is done", id="suspended"),
        pytest.param({}, {"revision": 2}, "revision 2 is what runs", id="pinned"),
        pytest.param({"revision": 2}, {}, "without the pin to 2", id="pin taken away"),
        pytest.param({}, {"approved_plan": "a"}, "has no meaning", id="nothing to approve"),
        pytest.param(
            {},
            {"approval": Approval.MANUAL, "approved_plan": "a"},
            "is not the digest of the plan that waits",
            id="another plan",
        ),
        pytest.param(
            {},
            {"release_name": "web"},
            "is 'web' now; what runs moves there with its history",
            id="another name",
        ),
        pytest.param(
            {},
            {"storage_namespace": "records"},
            "is 'records' now; what runs moves there",
            id="other storage",
        ),
        pytest.param(
            {},
            {"target_namespace": "other"},
            "nothing is done until it is set back",
            id="another namespace",
        ),
    ],
)
def test_what_an_edit_leads_to_is_told(before, spec, word):
    assert word in told(before, RUNS, **spec)


def test_nothing_is_told_of_what_everyone_expects():
    assert told({}, RUNS) == ""
    status = {**RUNS, "plan": {"digest": "a"}}
    assert told({}, status, approval=Approval.MANUAL, approved_plan="a") == ""
