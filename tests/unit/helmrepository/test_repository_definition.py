"""The definition of HelmRepositories, its parser and its status name the same fields."""

from pathlib import Path

import pytest
import yaml

from whipstaff.errors import ChartUnavailable, InvalidSpec
from whipstaff.helmrepository import names
from whipstaff.helmrepository.parsing import MOST_NAMESPACES, URL, parse
from whipstaff.helmrepository.status import Fetched, news, status_for, suspended_status

ROOT = Path(__file__).parents[3]
DEFINITION = yaml.safe_load((ROOT / "crds" / "helmrepositories.yaml").read_text(encoding="utf-8"))
[VERSION] = DEFINITION["spec"]["versions"]
SCHEMA = VERSION["schema"]["openAPIV3Schema"]["properties"]
SPEC = SCHEMA["spec"]["properties"]
WRONG = {"string": 7, "boolean": "x", "object": "x", "array": "x"}
NOW, LATER = "2026-01-02T03:04:05.678Z", "2026-01-02T03:05:05Z"
URL_FIELD = {"url": "https://charts.example.com"}


def a_body(status=None, generation=1, **spec):
    return {
        "metadata": {"namespace": "team", "name": "charts", "uid": "u", "generation": generation},
        "spec": {**URL_FIELD, **spec},
        "status": status or {},
    }


@pytest.mark.parametrize("field", SPEC)
def test_every_field_has_a_parser(field):
    with pytest.raises(InvalidSpec) as caught:
        parse(a_body(**{field: WRONG[SPEC[field]["type"]]}))
    assert caught.value.field == f"spec.{field}"


@pytest.mark.parametrize("field", ["secretRef", "certSecretRef"])
def test_a_secret_needs_a_name(field):
    with pytest.raises(InvalidSpec) as caught:
        parse(a_body(**{field: {}}))
    assert caught.value.field == f"spec.{field}.name"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example",
        "file:///etc",
        "https://user:pass@a.example",
        "https://a.example/#x",
        "https://",
        "a.example",
    ],
)
def test_an_url_of_another_kind_is_refused_and_not_shown(url):
    with pytest.raises(InvalidSpec) as caught:
        parse(a_body(url=url))
    assert "pass" not in caught.value.text.replace("password", "")


@pytest.mark.parametrize("interval", ["99999h", "-1s", "1d", "0s", "", "1", 5])
def test_an_interval_that_means_nothing_is_refused(interval):
    with pytest.raises(InvalidSpec, match=r"spec\.interval"):
        parse(a_body(interval=interval))


def test_bounds_are_the_same_in_both():
    assert SPEC["url"]["maxLength"] == URL.longest
    assert SPEC["allowedNamespaces"]["maxItems"] == MOST_NAMESPACES


def test_the_definition_has_our_names():
    spec = DEFINITION["spec"]
    assert DEFINITION["metadata"]["name"] == names.CRD_NAME
    assert (spec["names"]["kind"], spec["names"]["plural"]) == (names.KIND, names.PLURAL)


def test_helm_never_deletes_the_definition():
    assert DEFINITION["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def fetched(digest="sha256:a"):
    return Fetched(3, digest, sentence="3 charts in 9 versions")


def refused():
    return ChartUnavailable("no answer", "r")


def test_status_has_no_field_that_the_definition_lacks():
    repository = parse(a_body())
    for outcome in (fetched(), refused()):
        status = status_for(repository, outcome, NOW)
        assert set(status) <= set(SCHEMA["status"]["properties"])
        items = SCHEMA["status"]["properties"]["conditions"]["items"]["properties"]
        assert all(set(condition) <= set(items) for condition in status["conditions"])


def test_what_was_known_stays_when_the_repository_fails():
    first = status_for(parse(a_body()), fetched(), NOW)
    then = status_for(parse(a_body(status=first)), refused(), LATER)
    assert (then["charts"], then["indexDigest"]) == (3, "sha256:a")
    assert then["lastFetchedAt"] == first["lastFetchedAt"] == "2026-01-02T03:04:05Z"
    assert [c["type"] for c in then["conditions"]] == ["Ready", "Reconciling"]


def test_a_spec_that_means_nothing_stalls():
    status = status_for(parse(a_body()), InvalidSpec("no", "spec.url"), NOW)
    assert [c["type"] for c in status["conditions"]] == ["Ready", "Stalled"]


def test_a_transition_is_news_and_its_time_is_kept_while_there_is_none():
    first = status_for(parse(a_body()), fetched(), NOW)
    second = status_for(parse(a_body(status=first)), fetched("sha256:b"), LATER)
    assert news({}, first) == ("Normal", "IndexFetched", "3 charts in 9 versions")
    assert news(first, second) is None
    moments = [c["lastTransitionTime"] for s in (first, second) for c in s["conditions"]]
    assert moments == ["2026-01-02T03:04:05Z"] * 2
    third = status_for(parse(a_body(status=second)), refused(), LATER)
    assert news(second, third) == ("Warning", "ChartUnavailable", "no answer")


def test_suspension_keeps_what_is_known():
    first = status_for(parse(a_body()), fetched(), NOW)
    suspended = suspended_status(parse(a_body(status=first, generation=2)), LATER)
    assert suspended == {**first, "observedGeneration": 2}


def test_one_that_was_never_asked_says_that_it_is_suspended():
    status = suspended_status(parse(a_body()), NOW)
    [ready] = status["conditions"]
    assert (ready["status"], ready["reason"]) == ("False", "Suspended")
