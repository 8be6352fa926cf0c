"""What people ask of a HelmRelease, as edits."""

import pytest

from whipstaff.errors import RevisionNotFound
from whipstaff.helmrelease import edits
from whipstaff.helmrelease.edits import Edit, applied, is_whole, patched, synced_by


def a_release(spec=None, fields=None, manager=edits.MANAGER, **metadata):
    entry = {"manager": manager, "operation": "Apply", "fieldsV1": fields or {}}
    return {
        "metadata": {
            "name": "blog",
            "namespace": "shop",
            "resourceVersion": "7",
            "managedFields": [entry] if fields else [],
            **metadata,
        },
        "spec": spec or {"chart": {"name": "blog"}},
    }


def test_an_edit_names_nothing_that_others_set():
    body = applied(edits.pin(3), a_release())
    assert body["spec"] == {"revision": 3}
    assert body["metadata"]["resourceVersion"] == "7"


def test_what_the_same_manager_had_set_stays():
    live = a_release(
        {"chart": {"name": "blog", "version": "1"}, "suspend": True},
        {"f:spec": {"f:chart": {"f:version": {}}, "f:suspend": {}}},
    )
    assert applied(edits.pin(3), live)["spec"] == {
        "chart": {"version": "1"},
        "suspend": True,
        "revision": 3,
    }


def test_what_another_manager_set_does_not_become_ours():
    live = a_release({"suspend": True}, {"f:spec": {"f:suspend": {}}}, manager="gitops")
    assert applied(edits.pin(3), live)["spec"] == {"revision": 3}


def test_a_request_keeps_the_annotations_that_were_asked_with():
    live = a_release(
        fields={"f:metadata": {"f:annotations": {"f:note": {}}}},
        annotations={"note": "x", "y": "z"},
    )
    found = applied(edits.reconcile("now", force=True), live)["metadata"]["annotations"]
    assert found == {
        "note": "x",
        "whipstaff.dev/requestedAt": "now",
        "whipstaff.dev/forceAt": "now",
    }


def test_a_field_is_taken_away_as_it_was_read():
    assert patched(edits.unpin(), a_release({"revision": 3})) == [
        {"op": "test", "path": "/spec/revision", "value": 3},
        {"op": "remove", "path": "/spec/revision"},
    ]
    assert patched(edits.unpin(), a_release()) == []


@pytest.mark.parametrize(
    ("edit", "spec"),
    [
        pytest.param(edits.pin(3), {"revision": 3}, id="pin"),
        pytest.param(edits.unpin(), {"revision": None}, id="unpin"),
        pytest.param(edits.suspend(), {"suspend": True}, id="suspend"),
        pytest.param(edits.resume(), {"suspend": None}, id="resume"),
        pytest.param(edits.approve("sha256:1"), {"approvedPlan": "sha256:1"}, id="approve"),
    ],
)
def test_an_edit_is_shown_as_what_one_would_write(edit, spec):
    shown = edit.shown("shop", "blog")
    assert (shown["kind"], shown["metadata"]["name"], shown["spec"]) == (
        "HelmRelease",
        "blog",
        spec,
    )


def test_an_edit_that_is_whole_replaces_fields_and_takes_others_away_at_once():
    edit = Edit(spec={"values": {"a": 1}}, cleared=("revision",), whole=True)
    live = a_release({"revision": 3, "values": {"b": 2}})
    assert not is_whole(edit, live)
    assert [one["op"] for one in patched(edit, live)] == ["test", "remove", "add"]
    assert is_whole(edit, a_release({"values": {"a": 1}}))


def test_each_manager_keeps_what_it_had_set_itself():
    live = a_release({"suspend": True}, {"f:spec": {"f:suspend": {}}})
    assert applied(edits.pin(3), live, edits.GATEWAY_MANAGER)["spec"] == {"revision": 3}


def test_a_change_is_a_merge_patch_that_takes_the_pin_away():
    live = a_release({"revision": 3, "values": {"a": 1, "b": {"c": 2}}, "timeout": "1m"})
    edit = edits.change({"values": {"a": None, "b": {"d": 4}}, "timeout": None}, live)
    assert edit.spec == {"values": {"b": {"c": 2, "d": 4}}}
    assert edit.cleared == ("timeout", "revision")
    assert edits.change({"revision": 2}, live).cleared == ()


def test_a_change_may_replace_values():
    live = a_release({"values": {"a": 1}})
    assert edits.change({"values": {"b": 2}}, live, reset_values=True).spec["values"] == {"b": 2}


def test_annotations_go_with_the_fields_that_go():
    edit = Edit(annotations={"whipstaff.dev/x~y": "1"}, cleared=("revision",))
    (first, *_) = patched(edit, a_release({"revision": 3}, annotations={"a": "b"}))
    assert first == {
        "op": "add",
        "path": "/metadata/annotations/whipstaff.dev~1x~0y",
        "value": "1",
    }
    (first, *_) = patched(edit, a_release({"revision": 3}))
    assert (first["path"], first["value"]) == ("/metadata/annotations", edit.annotations)


def test_the_revision_before_the_newest_is_gone_back_to():
    live = a_release()
    live["status"] = {"history": [{"revision": 7}, {"revision": 6}]}
    assert edits.revision_to(live, 0) == 6
    for number in (5, 8):
        with pytest.raises(RevisionNotFound):
            edits.revision_to(live, number)


def test_what_is_stored_counts_before_what_status_tells_of():
    live = a_release()
    live["status"] = {"history": [{"revision": 7}]}
    assert edits.revision_to(live, 0, {7, 8}) == 7
    assert edits.revision_to(live, 8, {7, 8}) == 8
    with pytest.raises(RevisionNotFound, match="no 6 version"):
        edits.revision_to(live, 6, {7, 8})


def test_an_edit_of_annotations_alone_shows_no_spec():
    assert "spec" not in Edit(annotations={"a": "b"}).shown("shop", "blog")


@pytest.mark.parametrize(
    ("metadata", "tool"),
    [
        pytest.param({"labels": {"kustomize.toolkit.fluxcd.io/name": "x"}}, "Flux", id="Flux"),
        pytest.param(
            {"annotations": {"argocd.argoproj.io/tracking-id": "x"}}, "Argo CD", id="Argo"
        ),
        pytest.param(
            {"managedFields": [{"manager": "kustomize-controller"}]}, "Flux", id="Flux's manager"
        ),
        pytest.param({"labels": None}, "", id="nobody"),
    ],
)
def test_who_syncs_an_object_is_known_by_its_marks(metadata, tool):
    assert synced_by({"metadata": metadata}) == tool
