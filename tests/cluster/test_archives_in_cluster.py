"""Packaged charts out of ConfigMaps and Secrets: acted on at once, read as the release itself."""

import base64

import pytest

from tests.builders.live_releases import condition
from tests.builders.small_charts import a_packed_chart
from tools.controlplane import audit

CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {text: {{ .Values.text | quote }}, chart: {{ .Chart.Version | quote }}}
"""
MEMBER = {"ConfigMap": "binaryData", "Secret": "data"}


def chart(version="1.0.0"):
    return a_packed_chart("settings", version, "text: own\n", settings=CONFIG_MAP)


class Stored:
    """Charts in the objects of a namespace, and HelmReleases that take them."""

    def __init__(self, releases):
        self.releases = releases
        self.api = releases.api

    def put(self, kind, name, data, key="chart.tgz"):
        path = self.releases.core("secrets" if kind == "Secret" else "configmaps")
        content = {MEMBER[kind]: {key: base64.b64encode(data).decode()}}
        if self.releases.find(f"{path}/{name}") is None:
            return self.api.request("POST", path, {"metadata": {"name": name}, **content})
        return self.api.request("PATCH", f"{path}/{name}", content)

    def use(self, release, kind, name, *, chart=None, key=None, **spec):
        archive = {"kind": kind, "name": name} | ({"key": key} if key else {})
        body = {
            "apiVersion": "whipstaff.dev/v1",
            "kind": "HelmRelease",
            "metadata": {"name": release, "namespace": self.releases.namespace},
            "spec": {"chart": {"archiveFrom": archive, **(chart or {})}, "interval": "1h", **spec},
        }
        return self.api.request("POST", self.releases.path(), body)


@pytest.fixture
def stored(releases):
    return Stored(releases)


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_a_chart_in_the_cluster_is_installed_and_another_one_is_rolled_out_at_once(stored, kind):
    stored.put(kind, "charts", chart(), key="settings.tgz")
    stored.use("blog", kind, "charts", key="settings.tgz")
    stored.releases.settled("blog", revision=1)
    assert stored.releases.data("blog") == {"text": "own", "chart": "1.0.0"}

    stored.put(kind, "charts", chart("1.1.0"), key="settings.tgz")

    stored.releases.settled("blog", revision=2)
    assert stored.releases.data("blog")["chart"] == "1.1.0"


def test_an_object_that_is_created_later_is_acted_on_at_once(stored):
    stored.use("blog", "ConfigMap", "late")
    stored.releases.refused("blog", "ArchiveNotFound")

    stored.put("ConfigMap", "late", chart())

    stored.releases.settled("blog", revision=1)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"<html></html>", "ChartInvalid", id="a page"),
        pytest.param(b"", "ChartInvalid", id="nothing"),
        pytest.param(a_packed_chart("other", "1.0.0"), "ChartInvalid", id="another chart"),
        pytest.param(chart("2.0.0"), "ChartVersionNotFound", id="another version"),
    ],
)
def test_what_is_no_such_chart_is_named_and_what_runs_is_left_alone(stored, data, reason):
    stored.put("Secret", "charts", chart())
    stored.use("blog", "Secret", "charts", chart={"name": "settings", "version": "^1"})
    stored.releases.settled("blog", revision=1)

    stored.put("Secret", "charts", data)
    stored.releases.until("blog", lambda found: condition(found, "Ready")["reason"] == reason)

    assert stored.releases.data("blog") == {"text": "own", "chart": "1.0.0"}


def test_a_key_that_is_missing_is_named(stored):
    stored.put("ConfigMap", "charts", chart())
    stored.use("blog", "ConfigMap", "charts", key="other.tgz")

    assert "other.tgz" in stored.releases.refused("blog", "ArchiveNotFound")["message"]


def test_who_may_not_read_the_secret_gets_no_chart_out_of_it(stored):
    stored.put("Secret", "charts", chart())
    account = {"metadata": {"name": "tenant"}}
    stored.api.request("POST", stored.releases.core("serviceaccounts"), account)
    stored.use("blog", "Secret", "charts", serviceAccountName="tenant")

    refused = stored.releases.refused("blog", "Forbidden")

    assert "tenant" in refused["message"]


def test_no_secret_is_listed_whole(stored, control_plane):
    tail = audit.Tail(control_plane.audit_log)
    stored.put("Secret", "charts", chart())
    stored.use("blog", "Secret", "charts")
    stored.releases.settled("blog", revision=1)

    listed = [
        request.uri
        for request in tail.new()
        if (request.verb, request.resource) == ("list", "secrets")
        and request.user_agent.startswith("whipstaff")
        and "owner" not in request.uri  # the revisions of one release
    ]

    assert all("limit=1" in uri for uri in listed)


def test_values_files_inside_the_chart_are_taken(stored):
    data = a_packed_chart("settings", "1.0.0", "text: own\n", settings=CONFIG_MAP)
    stored.put("ConfigMap", "charts", data)
    stored.use("blog", "ConfigMap", "charts", chart={"valuesFiles": ["values.yaml"]})
    stored.releases.settled("blog", revision=1)

    stored.releases.edit("blog", chart={"valuesFiles": ["values-prod.yaml"]})

    stored.releases.refused("blog", "ValuesFileNotFound")
    stored.releases.edit("blog", chart={"ignoreMissingValuesFiles": True}, values={"text": "mine"})
    stored.releases.settled("blog", revision=2)
    assert stored.releases.data("blog")["text"] == "mine"
