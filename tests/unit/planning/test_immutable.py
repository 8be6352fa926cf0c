"""Which fields cannot be changed, as the API server says it."""

import pytest

from whipstaff.errors import ClusterRefused
from whipstaff.planning.immutable import immutable_fields, named

STATEFUL_SET = (
    "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals',"
    " 'template', 'updateStrategy', 'revisionHistoryLimit',"
    " 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
CLAIM = (
    "Forbidden: spec is immutable after creation except resources.requests and"
    " volumeAttributesClassName for bound claims"
)


def refused(*causes, code=422):
    return ClusterRefused("is invalid", code, "Invalid", "", causes)


@pytest.mark.parametrize(
    ("field", "said"),
    [
        pytest.param("spec.template", "Invalid value: field is immutable", id="Job"),
        pytest.param("spec.selector", "Invalid value: field is immutable", id="Deployment"),
        pytest.param("spec.clusterIPs[0]", "Invalid value: may not change once set", id="Service"),
        pytest.param("roleRef", "Invalid value: cannot change roleRef", id="RoleBinding"),
        pytest.param("data", 'Forbidden: field is immutable when "…" is set', id="Secret"),
        pytest.param("parameters", "Forbidden: updates to parameters are forbidden.", id="class"),
        pytest.param("value", "Forbidden: may not be changed in an update.", id="PriorityClass"),
        pytest.param("spec.region", "Invalid value: region is immutable", id="custom resource"),
    ],
)
def test_a_refused_change_names_its_field(field, said):
    assert immutable_fields(refused((field, said)), {}, {}) == (field,)


def test_a_field_of_which_only_parts_are_fixed_is_named_exactly():
    live = {"spec": {"serviceName": "a", "template": {"x": 1}, "replicas": 1, "podManagement": "b"}}
    sent = {"spec": {"serviceName": "b", "template": {"x": 2}, "replicas": 2, "podManagement": "b"}}
    fields = immutable_fields(refused(("spec", STATEFUL_SET)), live, sent)
    assert fields == ("spec.serviceName",)


def test_the_claim_template_of_a_stateful_set_is_named():
    def claims(size, **server):
        request = {"resources": {"requests": {"storage": size}}}
        return {
            "spec": {
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": request, **server}]
            }
        }

    live, sent = claims("1Gi", status={"phase": "Pending"}), claims("2Gi")
    (field,) = immutable_fields(refused(("spec", STATEFUL_SET)), live, sent)
    assert field == "spec.volumeClaimTemplates[0].spec.resources.requests.storage"


def test_what_a_claim_may_change_is_not_named():
    live = {"spec": {"storageClassName": "a", "resources": {"requests": {"storage": "1Gi"}}}}
    sent = {"spec": {"storageClassName": "b", "resources": {"requests": {"storage": "2Gi"}}}}
    assert immutable_fields(refused(("spec", CLAIM)), live, sent) == ("spec.storageClassName",)


def test_a_field_that_only_goes_away_is_named_as_a_whole():
    live = {"spec": {"volumeClaimTemplates": []}}
    assert immutable_fields(refused(("spec", STATEFUL_SET)), live, {"spec": {}}) == ("spec",)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(refused(("spec.replicas", "Invalid value: must be positive")), id="invalid"),
        pytest.param(
            refused(("spec.selector", "field is immutable"), ("spec.x", "Required value")),
            id="more",
        ),
        pytest.param(refused(), id="no cause"),
        pytest.param(refused(("spec", "field is immutable"), code=403), id="forbidden"),
    ],
)
def test_what_is_wrong_otherwise_is_no_immutable_field(error):
    assert immutable_fields(error, {}, {}) == ()


def test_five_fields_are_named_at_most():
    assert named(tuple("abcdefg")) == "a, b, c, d, e and 2 more"
