"""Entries of older managers become ours, path by path."""

import pytest

from whipstaff.kube import ownership


def an_entry(manager="helm", operation="Update", fields=None, version="v1", **more):
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": version,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields or {},
        **more,
    }


def an_object(*entries):
    return {"metadata": {"managedFields": list(entries)}}


@pytest.mark.parametrize(
    ("entry", "needed"),
    [
        pytest.param(an_entry(), True, id="the CLI's update"),
        pytest.param(an_entry("kubectl-client-side-apply"), True, id="kubectl apply"),
        pytest.param(an_entry("before-first-apply"), True, id="before any entry"),
        pytest.param(an_entry(operation="Apply"), False, id="ours"),
        pytest.param(an_entry("kubectl-edit"), False, id="a person"),
        pytest.param(an_entry("kube-controller-manager"), False, id="a controller"),
        pytest.param(an_entry(subresource="status"), False, id="of a subresource"),
    ],
)
def test_only_what_the_cli_and_kubectl_own_is_folded(entry, needed):
    body = an_object(entry)
    assert ownership.needs_folding(body) is needed
    if not needed:
        assert ownership.fold(body) == [entry]


@pytest.mark.parametrize("body", [{}, {"metadata": None}, {"metadata": {"managedFields": None}}])
def test_an_object_without_entries_needs_nothing(body):
    assert not ownership.needs_folding(body)
    assert ownership.fold(body) == []


def test_an_update_becomes_our_apply_when_there_is_none():
    folded = ownership.fold(an_object(an_entry(fields={"f:data": {"f:a": {}}})))
    assert folded == [an_entry(operation="Apply", fields={"f:data": {"f:a": {}}})]


def test_all_entries_are_united_in_our_apply():
    folded = ownership.fold(
        an_object(
            an_entry("kubectl-client-side-apply", fields={"f:data": {"f:b": {}}}),
            an_entry("someone", fields={"f:data": {"f:c": {}}}),
            an_entry(operation="Apply", fields={"f:data": {"f:a": {}}}),
            an_entry(fields={"f:data": {".": {}, "f:d": {}}}),
        )
    )
    assert folded == [
        an_entry("someone", fields={"f:data": {"f:c": {}}}),
        an_entry(operation="Apply", fields={"f:data": {".": {}, "f:a": {}, "f:b": {}, "f:d": {}}}),
    ]


def test_paths_of_another_api_version_are_dropped_not_mixed():
    old = an_entry(fields={"f:old": {}}, version="v1beta1")
    ours = an_entry(operation="Apply", fields={"f:new": {}})
    assert ownership.fold(an_object(old, ours)) == [ours]


def test_folding_does_not_change_what_was_read():
    body = an_object(an_entry(fields={"f:a": {}}))
    ownership.fold(body)
    assert body == an_object(an_entry(fields={"f:a": {}}))


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        pytest.param({"f:a": {}}, {"f:a": {}}, {"f:a": {}}, id="equal"),
        pytest.param(
            {"f:a": {}}, {"f:a": {"f:b": {}}}, {"f:a": {".": {}, "f:b": {}}}, id="a leaf and more"
        ),
        pytest.param(
            {"f:a": {".": {}, "f:b": {}}},
            {"f:a": {"f:c": {}}},
            {"f:a": {".": {}, "f:b": {}, "f:c": {}}},
            id="both have some",
        ),
        pytest.param({}, {"f:a": {"f:b": {}}}, {"f:a": {"f:b": {}}}, id="one is empty"),
    ],
)
def test_a_union_has_the_paths_of_both(left, right, expected):
    assert ownership.union(left, right) == expected
    assert ownership.union(right, left) == expected


def test_fields_may_nest_as_deep_as_they_like():
    deep = {}
    for _ in range(5000):
        deep = {"f:a": deep}
    assert ownership.union(deep, {"f:b": {}})["f:b"] == {}


FLUX = {"helm.toolkit.fluxcd.io/name": "blog", "helm.toolkit.fluxcd.io/namespace": "shop"}


@pytest.mark.parametrize("operation", ["Apply", "Update"])
def test_what_flux_owns_of_an_object_of_its_release_becomes_ours(operation):
    theirs = an_entry("helm-controller", operation, {"f:data": {"f:a": {}}})
    body = an_object(theirs, an_entry(operation="Apply", fields={"f:data": {"f:b": {}}}))
    body["metadata"]["labels"] = FLUX
    assert ownership.needs_folding(body)
    both = {"f:data": {"f:a": {}, "f:b": {}}}
    assert ownership.fold(body) == [an_entry(operation="Apply", fields=both)]


def test_what_flux_owns_by_two_entries_becomes_ours():
    body = an_object(
        an_entry("helm-controller", "Update", {"f:a": {}}),
        an_entry("helm-controller", "Apply", {"f:b": {}}),
    )
    body["metadata"]["labels"] = FLUX
    both = {"f:a": {}, "f:b": {}}
    assert ownership.fold(body) == [an_entry(operation="Apply", fields=both)]


@pytest.mark.parametrize(
    ("api_version", "labels"),
    [
        pytest.param("v1", {}, id="an object of no release of Flux"),
        pytest.param("helm.toolkit.fluxcd.io/v2", FLUX, id="one of Flux's own, with finalizers"),
    ],
)
def test_else_what_flux_owns_stays_its_own(api_version, labels):
    body = an_object(an_entry("helm-controller"), an_entry("helm-controller", "Apply"))
    body |= {"apiVersion": api_version}
    body["metadata"]["labels"] = labels
    assert not ownership.needs_folding(body)
