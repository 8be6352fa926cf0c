"""`spec.valuesFrom`: values that ConfigMaps and Secrets hold, and what a change of them does."""

import base64
import json

import pytest

from tests.builders.live_releases import condition, handled
from tests.builders.small_charts import a_packed_chart
from tools.controlplane import audit
from tools.controlplane.client import Refused

pytestmark = pytest.mark.cluster

PASSWORD = "hunter2-of-the-test"
SHOWN = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  values: {{ omit .Values "global" | toJson | quote }}
  refused: {{ with .Values.refused }}{{ fail (printf "the word %s is refused" .) }}{{ end }}
  account: {{ .Values.account | quote }}
  length: {{ .Values.password | default "" | len | quote }}
"""
LONG = "1h"  # nothing here is found by looking again


@pytest.fixture(autouse=True)
def _published(repository):
    repository.add(a_packed_chart("shown", values="a: 0\n", shown=SHOWN))


@pytest.fixture
def stored(releases):
    return Stored(releases)


class Stored:
    """ConfigMaps and Secrets of the namespace."""

    def __init__(self, releases):
        self._releases = releases

    def config_map(self, name, **data):
        self._write("configmaps", name, {"data": data})

    def secret(self, name, **data):
        packed = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
        self._write("secrets", name, {"data": packed})

    def remove(self, resource, name):
        self._releases.api.request("DELETE", self._releases.core(resource, name))

    def _write(self, resource, name, content):
        path = self._releases.core(resource, name)
        if self._releases.find(path) is None:
            body = {"metadata": {"name": name}, **content}
            self._releases.api.request("POST", self._releases.core(resource), body)
        else:
            self._releases.api.request("PATCH", path, content)


def values_file(name, kind="ConfigMap", **more):
    return {"kind": kind, "name": name} | more


def single(name, key, path, kind="Secret", **more):
    return {"kind": kind, "name": name, "valuesKey": key, "targetPath": path} | more


def shown(releases, name="shop"):
    return json.loads(releases.data(name)["values"])


def create(releases, *references, name="shop", **spec):
    releases.create(name, chart="shown", interval=LONG, valuesFrom=list(references), **spec)


def test_values_are_laid_over_each_other_as_flux_does(releases, stored):
    stored.config_map("base", **{"values.yaml": "a: 1\nb: {c: 1, d: 1}\ne: base"})
    stored.secret("more", **{"values.yaml": "b: {d: 2}\nf: more", "account": "123456789012"})
    create(
        releases,
        single("more", "account", "account"),
        values_file("base"),
        values_file("more", "Secret"),
        single("more", "none", "x", optional=True),
        values_file("none", optional=True),
        values={"b": {"d": 3}, "account": "inline"},
    )
    releases.settled("shop", revision=1)
    values = {"a": 1, "b": {"c": 1, "d": 3}, "e": "base", "f": "more", "account": 123456789012}
    assert shown(releases) == values
    assert releases.data("shop")["account"] == "123456789012"  # a float would be 1.23456789012e+11
    assert releases.payload("shop", 1)["config"] == values
    printed = releases.helm("get", "values", "shop", "-o", "json")
    assert json.loads(printed) == values


def test_a_changed_secret_is_rolled_out_at_once_and_shown_to_nobody(releases, stored, operator):
    stored.secret("login", password="first")
    create(releases, single("login", "password", "password", literal=True))
    releases.settled("shop", revision=1)
    stored.secret("login", password=PASSWORD)
    release = releases.settled("shop", revision=2)
    assert releases.data("shop")["length"] == str(len(PASSWORD))
    made = releases.find(releases.core("configmaps", "shop"))["metadata"]
    events = releases.find(releases.core("events"))
    told_of = [json.dumps(each) for each in (release, made, events)]
    for told in (*told_of, operator.log.read_text(encoding="utf-8")):
        assert PASSWORD not in told
        assert base64.b64encode(PASSWORD.encode()).decode() not in told


def test_what_is_missing_is_named_and_its_arrival_is_acted_on(releases, stored):
    create(releases, single("login", "password", "password"))
    ready = releases.refused("shop", "ValuesNotFound")
    assert ready["message"] == f"Secret {releases.namespace}/login does not exist"
    stored.secret("login", other="x")
    releases.until("shop", lambda one: "has no key password" in condition(one, "Ready")["message"])
    stored.secret("login", password=PASSWORD)
    releases.settled("shop", revision=1)


def test_a_secret_that_goes_leaves_what_runs(releases, stored):
    stored.secret("login", password=PASSWORD)
    create(releases, single("login", "password", "password"))
    releases.settled("shop", revision=1)
    stored.remove("secrets", "login")
    releases.refused("shop", "ValuesNotFound")
    assert releases.stored("shop") == {1: "deployed"}
    assert releases.data("shop")["length"] == str(len(PASSWORD))


def test_a_broken_values_file_leaves_what_runs_and_is_shown_to_nobody(releases, stored, operator):
    stored.secret("more", **{"values.yaml": "a: 1"})
    create(releases, values_file("more", "Secret"))
    releases.settled("shop", revision=1)
    stored.secret("more", **{"values.yaml": f"a: 1\nb: [{PASSWORD}"})
    ready = releases.refused("shop", "ValuesInvalid")
    assert ready["message"].startswith(f"Secret {releases.namespace}/more, key values.yaml: line 2")
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n"
    bomb += "".join(
        f"{n}: &{n} [{','.join([f'*{b}'] * 9)}]\n"
        for b, n in zip("abcdefg", "bcdefgh", strict=True)
    )
    stored.secret("more", **{"values.yaml": bomb})
    releases.until("shop", lambda one: "line" not in condition(one, "Ready")["message"])
    releases.refused("shop", "ValuesInvalid")
    assert releases.stored("shop") == {1: "deployed"}
    assert PASSWORD not in operator.log.read_text(encoding="utf-8")
    stored.secret("more", **{"values.yaml": "a: 2"})
    releases.settled("shop", revision=2)


def test_an_error_that_a_template_makes_of_a_secret_is_masked(releases, stored, operator):
    stored.secret("login", password=PASSWORD)
    create(releases, single("login", "password", "refused"))
    ready = releases.refused("shop", "RenderFailed")
    assert "the word *** is refused" in ready["message"]
    assert PASSWORD not in json.dumps(releases.get("shop")["status"])
    assert PASSWORD not in operator.log.read_text(encoding="utf-8")


def test_moving_values_into_a_config_map_makes_no_revision(releases, stored):
    stored.config_map("base", **{"values.yaml": "a: 5\nb: [1.5, x]"})
    create(releases, values={"a": 5, "b": [1.5, "x"]})
    releases.settled("shop", revision=1)
    releases.edit("shop", values=None, valuesFrom=[values_file("base")])
    releases.until("shop", lambda one: handled(one) and condition(one, "Ready")["status"] == "True")
    assert releases.stored("shop") == {1: "deployed"}


def test_a_tenant_reads_no_secret_by_way_of_the_operator(releases, stored):
    stored.secret("login", password=PASSWORD)
    cluster, namespace = releases.control_plane, releases.namespace
    cluster.kubectl("create", "serviceaccount", "tenant", "-n", namespace)
    create(releases, single("login", "password", "password"), serviceAccountName="tenant")
    message = releases.refused("shop", "Forbidden")["message"]
    assert f"system:serviceaccount:{namespace}:tenant" in message
    assert releases.data("shop") is None


def test_no_secret_is_listed_but_those_of_releases(releases, stored, operator):
    start = operator.cluster.audit_log.stat().st_size
    stored.secret("login", password="x")
    create(releases, single("login", "password", "password"))
    releases.settled("shop", revision=1)
    stored.secret("login", password="longer")
    releases.settled("shop", revision=2)
    lists = [
        one.uri
        for one in audit.read(operator.cluster.audit_log, start)
        if one.verb == "list" and one.resource == "secrets" and "whipstaff" in one.user_agent
    ]
    assert all("owner%3Dhelm" in uri or "limit=1&" in f"{uri}&" for uri in lists), lists


def test_more_than_sixty_four_references_are_refused_when_they_are_written(releases):
    with pytest.raises(Refused, match="64"):
        create(releases, *[values_file("x")] * 65)
