"""What counts as drift, who made it, and what is left to others."""

import pytest

from whipstaff.helmrelease.drift_detection import OPT_OUTS, IgnoreRule
from whipstaff.planning.drift import (
    EACH,
    REPLICAS,
    RESOURCES,
    Drift,
    as_live,
    as_written,
    drift_of,
    exempt,
    fingerprint,
    ignored,
    is_target_of,
    left_to_others,
    without,
)
from whipstaff.release.objects import ObjectReference

WEB = ObjectReference("apps/v1", "Deployment", "shop", "web")
SPEC = {"f:spec": {"f:replicas": {}}}
IMAGE = {
    "f:spec": {
        "f:template": {"f:spec": {"f:containers": {'k:{"name":"web"}': {"f:image": {}}}}},
    }
}


def entry(manager, fields, operation="Update", **more):
    return {"manager": manager, "operation": operation, "fieldsV1": fields, **more}


def ours(fields):
    return entry("helm", fields, "Apply")


def body(spec, *entries, kind="Deployment", **metadata):
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "web", **metadata, "managedFields": list(entries)},
        "spec": spec,
    }


def with_image(image, *entries, **more):
    containers = [{"name": "web", "image": image, **more}]
    return body({"template": {"spec": {"containers": containers}}}, *entries)


def test_equal_objects_have_not_drifted():
    live = body({"replicas": 1}, ours(SPEC), resourceVersion="7", generation=2)
    assert drift_of(WEB, live, body({"replicas": 1}, ours(SPEC)), ()) is None


def test_a_field_of_ours_that_another_set_is_drift_by_that_one():
    live = body({"replicas": 5}, ours({}), entry("kubectl-edit", SPEC))
    found = drift_of(WEB, live, body({"replicas": 1}, ours(SPEC)), ())
    assert found == Drift(WEB, ("spec.replicas",), ("kubectl-edit",))
    assert str(found) == "Deployment shop/web: spec.replicas (by kubectl-edit)"


def test_a_field_that_is_gone_is_drift_by_nobody():
    found = drift_of(WEB, body({}), body({"replicas": 1}, ours(SPEC)), ())
    assert found == Drift(WEB, ("spec.replicas",))


def test_what_we_do_not_own_counts_for_nothing():
    live = body({"replicas": 1, "paused": True}, ours(SPEC))
    assert drift_of(WEB, live, body({"replicas": 1, "paused": False}, ours(SPEC)), ()) is None


def test_items_are_called_by_their_names():
    live = with_image("theirs", entry("kubectl-set", IMAGE), tty=True)
    found = drift_of(WEB, live, with_image("ours", ours(IMAGE), tty=True), ())
    assert found.fields == ("spec.template.spec.containers[name=web].image",)
    assert found.managers == ("kubectl-set",)


def test_a_manager_of_other_fields_is_not_blamed():
    paused = {"f:spec": {"f:paused": {}}}
    live = body({"replicas": 5}, entry("edit", SPEC), entry("pauser", paused), entry("none", {}))
    assert drift_of(WEB, live, body({"replicas": 1}, ours(SPEC)), ()).managers == ("edit",)


def test_a_secret_s_stringdata_counts_as_its_data():
    reference = ObjectReference("v1", "Secret", "shop", "login")
    fields = ours({"f:stringData": {"f:password": {}}})
    live = {"kind": "Secret", "data": {"password": "YQ=="}, "metadata": {"managedFields": []}}
    would_be = {"kind": "Secret", "data": {"password": "Yg=="}, "metadata": {}}
    would_be["metadata"]["managedFields"] = [fields]
    found = drift_of(reference, live, would_be, ())
    assert found.fields == ("data.password",)


def test_what_is_set_aside_counts_for_nothing():
    live = body({"replicas": 5}, entry("edit", SPEC))
    assert drift_of(WEB, live, body({"replicas": 1}, ours(SPEC)), [REPLICAS]) is None


def test_what_is_still_ours_stays_as_it_was_written():
    fields = {"f:spec": {**SPEC["f:spec"], "f:paused": {}}}
    live = body({"replicas": 5, "paused": True}, {**ours(fields), "apiVersion": "apps/v1"})
    sent = body({"replicas": 1, "paused": False, "strategy": {}})
    assert as_written(sent, live)["spec"] == {"replicas": 5, "paused": True, "strategy": {}}


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({**ours({}), "apiVersion": "apps/v1"}, id="nothing is"),
        pytest.param({**entry("edit", SPEC), "apiVersion": "apps/v1"}, id="another's"),
        pytest.param({**ours(SPEC), "apiVersion": "apps/v1beta1"}, id="in another version"),
    ],
)
def test_what_is_not_ours_is_sent_as_the_release_has_it(entry):
    sent = body({"replicas": 1})
    assert as_written(sent, body({"replicas": 5}, entry)) == sent


def test_the_rules_of_an_aggregated_role_are_left_to_who_gathers_them():
    role = {"kind": "ClusterRole", "metadata": {}, "rules": []}
    assert left_to_others({**role, "aggregationRule": {"clusterRoleSelectors": []}}) == (
        ("rules",),
    )
    assert left_to_others(role) == ()


@pytest.mark.parametrize("place", ["annotations", "labels"])
@pytest.mark.parametrize("name", OPT_OUTS)
def test_a_mark_on_the_object_or_in_the_manifest_leaves_it_out(name, place):
    marked = {"metadata": {place: {name: "disabled"}}}
    assert exempt(WEB, marked, None)
    assert exempt(WEB, {"metadata": {}}, marked)
    assert not exempt(WEB, {"metadata": {place: {name: "enabled"}}}, {"metadata": {}})


def test_what_is_being_deleted_is_waited_for():
    assert exempt(WEB, {}, {"metadata": {"deletionTimestamp": "now"}})
    assert not exempt(WEB, {}, None)


def test_a_job_that_ended_itself_does_not_run_again():
    job = ObjectReference("batch/v1", "Job", "shop", "migrate")
    assert exempt(job, {"spec": {"ttlSecondsAfterFinished": 60}}, None)
    assert not exempt(job, {"spec": {}}, None)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({}, True),
        ({"kind": "Deployment", "name": "w.*"}, True),
        ({"group": "apps", "version": "v1", "namespace": "shop"}, True),
        ({"name": "we"}, False),
        ({"labelSelector": "app=web"}, True),
        ({"annotationSelector": "team"}, False),
    ],
)
def test_rules_are_for_the_objects_that_they_name(target, expected):
    rule = IgnoreRule((("spec", "replicas"),), target)
    found = ignored([rule], WEB, {"metadata": {"labels": {"app": "web"}}})
    assert found == ((("spec", "replicas"),) if expected else ())


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        pytest.param(
            body({}, entry("autoscaler", SPEC, subresource="scale")), (REPLICAS,), id="scaled"
        ),
        pytest.param(body({}, entry("kubectl-edit", SPEC)), (), id="edited"),
        pytest.param(body({}, ours(SPEC)), (), id="ours"),
        pytest.param(
            body({}, entry("vpa-updater", {"f:spec": {"f:resources": {}}})),
            RESOURCES,
            id="sized",
        ),
        pytest.param(
            body({}, entry("cert-manager-cainjector", {"f:caBundle": {}}), kind="APIService"),
            (("spec", "caBundle"),),
            id="injected",
        ),
        pytest.param(
            body({}, entry("kubectl-patch", {"f:caBundle": {}}), kind="APIService"),
            (),
            id="injected by a person",
        ),
        pytest.param(
            body({}, entry("injector", {"f:caBundle": {}}), kind="ConfigMap"),
            (),
            id="a kind without certificates",
        ),
    ],
)
def test_fields_belong_to_whose_business_they_are(live, expected):
    assert left_to_others(live) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}, True),
        ({"targetRef": {"apiVersion": "apps/v2", "kind": "Deployment", "name": "web"}}, True),
        ({"scaleTargetRef": {"apiVersion": "v1", "kind": "Deployment", "name": "web"}}, False),
        ({"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}}, False),
        ({}, False),
    ],
)
def test_an_autoscaler_is_for_its_target(spec, expected):
    assert is_target_of({"spec": spec}, WEB) is expected


def test_paths_lead_through_lists():
    body = {"a": [{"name": "x", "b": 1}, {"name": "y", "b": 2}], "c": 3}
    assert without(body, [("a", EACH, "b")]) == {"a": [{"name": "x"}, {"name": "y"}], "c": 3}
    assert without(body, [("a", "1")]) == {"a": [{"name": "x", "b": 1}], "c": 3}
    assert without(body, [("a", "7"), ("a", "b"), ("c", "d"), ("e",)]) == body
    assert without(body, [()]) == {}


def test_what_is_left_to_others_is_sent_as_it_lives():
    """Left out, a field that nobody else owns would go away."""
    sent = {"spec": {"replicas": 1, "paused": False}}
    live = {"spec": {"replicas": 5, "paused": True}}
    assert as_live(sent, live, [REPLICAS]) == {"spec": {"replicas": 5, "paused": False}}
    assert as_live(sent, {"spec": {}}, [REPLICAS]) == {"spec": {"paused": False}}
    assert as_live({"spec": {}}, live, [REPLICAS]) == {"spec": {}}
    assert sent == {"spec": {"replicas": 1, "paused": False}}


def test_items_are_sent_as_those_of_their_name_live():
    sent = {"webhooks": [{"name": "b", "ca": "ours"}, {"name": "new", "ca": "ours"}]}
    live = {"webhooks": [{"name": "a", "ca": "1"}, {"name": "b", "ca": "2"}]}
    expected = {"webhooks": [{"name": "b", "ca": "2"}, {"name": "new"}]}
    assert as_live(sent, live, [("webhooks", EACH, "ca")]) == expected
    assert as_live({"a": ["x", "y"]}, {"a": ["1"]}, [("a", "0")]) == {"a": ["1", "y"]}
    assert as_live({"a": ["x", "y"]}, {"a": ["1"]}, [("a", "1")]) == {"a": ["x"]}


METADATA = {"uid": "1", "resourceVersion": "5", "managedFields": [ours(SPEC)]}


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"resourceVersion": "6"}, True),
        ({"labels": {"a": "b"}}, True),
        ({"managedFields": [ours(SPEC), entry("kubelet", {}, subresource="status")]}, True),
        ({"managedFields": [ours({})]}, False),
        ({"managedFields": []}, False),
        ({"uid": "2"}, False),
        ({"deletionTimestamp": "now"}, False),
        ({"annotations": {OPT_OUTS[0]: "disabled"}}, False),
    ],
)
def test_a_fingerprint_tells_what_touches_the_release(change, same):
    before = fingerprint("Deployment", METADATA)
    assert (fingerprint("Deployment", METADATA | change) == before) is same


def test_any_change_of_a_secret_touches_it():
    moved = METADATA | {"resourceVersion": "6"}
    assert fingerprint("Secret", METADATA) != fingerprint("Secret", moved)
