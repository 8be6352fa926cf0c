"""What people ask of a HelmRelease, as edits."""

import pytest

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


def test_an_edit_of_annotations_alone_shows_no_spec():
    assert "spec" not in Edit(annotations={"a": "b"}).shown("shop", "blog")


@pytest.mark.parametrize(
    ("metadata", "tool"),
    [
        pytest.param({"labels": {"kustomize.toolkit.fluxcd.io/name": "x"}}, "Flux", id="Flux"),
        pytest.param(
            {"annotations": {"argocd.argoproj.io/tracking-id": "x"}}, "Argo CD", id="Argo"
        ),
        pytest.param({"labels": None}, "", id="nobody"),
    ],
)
def test_who_syncs_an_object_is_known_by_its_marks(metadata, tool):
    assert synced_by({"metadata": metadata}) == tool
