"""Messages of the API server keep what helps and lose what is the user's."""

import pytest

from whipstaff.kube.refusals import TEXT_LIMIT, refusal, scrub

POD = '{"containers":[{"name":"c","env":[{"name":"P","value":"canary: }]"}]}]}'


def test_the_causes_of_an_invalid_object_are_named_without_values():
    status = {
        "message": f'Job.batch "j" is invalid: spec.template: Invalid value: {POD}: immutable',
        "reason": "Invalid",
        "details": {
            "name": "j",
            "kind": "Job",
            "causes": [
                {"field": "spec.template", "message": f"Invalid value: {POD}: field is immutable"},
                {"field": "spec.x", "message": "Required value"},
            ],
        },
    }
    refused = refusal(422, status, "Job web/j")
    assert refused.text == (
        'Job.batch "j" is invalid: spec.template: Invalid value: field is immutable; '
        "spec.x: Required value"
    )
    assert (refused.code, refused.api_reason) == (422, "Invalid")
    assert refused.object_reference == "Job web/j"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            'a: Invalid value: "can\\"ary": too long', "a: Invalid value: too long", id="text"
        ),
        pytest.param(
            "a: Invalid value: 70000: too large", "a: Invalid value: too large", id="number"
        ),
        pytest.param(
            f"a: Invalid value: {POD}: no, b: Duplicate value: [1,2]",
            "a: Invalid value: no, b: Duplicate value",
            id="structures",
        ),
        pytest.param(
            'a: Invalid value: core.Pod{Name:"canary: x", L:[]string(nil)}: no',
            "a: Invalid value: no",
            id="a Go struct",
        ),
        pytest.param(
            'a: Unsupported value: "canary": supported values: "A"',
            'a: Unsupported value: supported values: "A"',
            id="supported values stay",
        ),
        pytest.param(
            'a: Invalid value: "canary that was cut', "a: Invalid value", id="a value without end"
        ),
        pytest.param('pods "p" not found', 'pods "p" not found', id="names stay"),
    ],
)
def test_bad_values_are_taken_out(text, expected):
    assert scrub(text) == expected


def test_what_the_storage_does_not_take_is_named_and_not_tried_again():
    status = {"message": "etcdserver: request is too large"}
    refused = refusal(500, status, "Deployment web/a")
    assert refused.reason == "RequestEntityTooLarge"
    assert refused.text.startswith("Deployment web/a is too large to be stored")
    assert not refused.retryable


def test_of_a_secret_each_quoted_text_goes_but_its_name():
    status = {"message": 'admission of Secret "token": "canary" is weak', "reason": "Forbidden"}
    refused = refusal(403, status, "Secret web/token")
    assert refused.text == 'admission of Secret "token": "…" is weak'


RBAC = (
    'secrets is forbidden: User "system:serviceaccount:web:tenant" cannot list resource "secrets"'
    ' in API group "" in the namespace "web"'
)


def test_of_a_secret_that_may_not_be_read_it_is_said_who_may_not_do_what():
    status = {"reason": "Forbidden", "message": RBAC, "details": {"kind": "secrets"}}
    assert refusal(403, status, "Secrets of release web/shop").text == RBAC


def test_others_who_forbid_a_secret_are_not_taken_for_rbac():
    message = f'admission webhook "w" denied the request: {RBAC} "hunter2"'
    status = {"reason": "Forbidden", "message": message, "details": {"kind": "secrets"}}
    assert "hunter2" not in refusal(403, status, "Secret web/token").text


def test_long_messages_are_cut():
    assert len(scrub("x" * 5000)) == TEXT_LIMIT


@pytest.mark.parametrize("status", [None, [], "text", {"message": None, "details": []}])
def test_an_answer_without_a_message_is_named_by_its_code(status):
    assert refusal(502, status, "").text == "the API server answered 502"


def test_a_field_that_no_schema_has_is_no_fault_of_the_server():
    status = {"message": "failed to create typed patch object (/s): .dat: field not declared"}
    refused = refusal(500, status, "ConfigMap web/s")
    assert (refused.code, refused.reason, refused.retryable) == (400, "BadRequest", False)


def test_a_failure_of_the_server_is_worth_asking_again():
    assert refusal(500, {"message": "etcdserver: leader changed"}, "").retryable


@pytest.mark.parametrize(
    ("message", "causes", "reason"),
    [
        pytest.param(
            'configmaps "a" is forbidden: unable to create new content in namespace web because it'
            " is being terminated",
            [{"reason": "NamespaceTerminating", "message": "…", "field": "metadata.namespace"}],
            "NamespaceTerminating",
            id="a namespace that ends",
        ),
        pytest.param(
            'configmaps "a" is forbidden: exceeded quota: few, requested: count/configmaps=1',
            None,
            "QuotaExceeded",
            id="a quota",
        ),
    ],
)
def test_what_is_forbidden_for_now_alone_is_tried_again(message, causes, reason):
    details = {"name": "a", "kind": "configmaps", "causes": causes}
    status = {"reason": "Forbidden", "message": message, "details": details}
    refused = refusal(403, status, "ConfigMap web/a")
    assert (refused.reason, refused.code) == (reason, 403)
    assert refused.retryable


def test_what_a_rule_forbids_is_not():
    status = {"reason": "Forbidden", "message": RBAC, "details": {"kind": "secrets"}}
    assert not refusal(403, status, "Secrets of release web/shop").retryable
