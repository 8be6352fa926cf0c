"""The gateway on a real API server: who may see what, and what the gateway's own account may do."""

import http.cookiejar
import json
import re
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from tests.builders.gateways import (
    ACCOUNT,
    RunningGateway,
    behind_the_api_server,
    grant,
    own_address,
)
from tests.builders.granted import requests_of
from tests.builders.live_releases import LiveReleases, eventually
from tests.builders.own_chart import rendered
from tests.builders.permissions import an_account
from tests.builders.small_charts import a_packed_chart
from tools.chartrepo import ChartRepository
from tools.running_operator import NAMESPACE

HELMRELEASES = ("whipstaff.dev", ["helmreleases"], ["get", "list"])
SECRETS = ("", ["secrets"], ["get"])
EVENTS = ("", ["events"], ["list"])
CANARY = "canary-8f3a-secret"

SECRET = """apiVersion: v1
kind: Secret
metadata:
  name: {{ .Release.Name }}
stringData:
  key: {{ .Values.password }}
"""
SETTINGS = """apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  text: {{ .Values.text | quote }}
  url: {{ printf "https://me:%s@db" .Values.password | quote }}
"""
NOTES = "The password is {{ .Values.password }}."


def secretive_chart(version="1.0.0"):
    values = f"text: plain\npassword: {CANARY}\n"
    files = {"secret": SECRET, "settings": SETTINGS, "notes": NOTES}
    return a_packed_chart("secretive", version, values, **files)


@pytest.fixture(scope="module")
def charts():
    with ChartRepository() as served:
        served.add(secretive_chart())
        yield served


@pytest.fixture(scope="module")
def site(operator, charts):
    """Two namespaces with a release each, people with rights in one or the other, the gateway."""
    cluster = operator.cluster
    for place in ("gw-web", "gw-shop"):
        cluster.kubectl("create", "namespace", place)
    grant(cluster)
    gateway = RunningGateway(cluster)
    yield Site(cluster, gateway, charts.url)
    assert gateway.stop() == 0
    for place in ("gw-web", "gw-shop"):
        cluster.kubectl("delete", "namespace", place, "--wait=false")


class Site:
    def __init__(self, cluster, gateway, url):
        self.cluster = cluster
        self.gateway = gateway
        self.web = LiveReleases(cluster, "gw-web", url)
        self.shop = LiveReleases(cluster, "gw-shop", url)
        for releases in (self.web, self.shop):
            releases.create(
                "blog",
                "secretive",
                values={"text": "one", "password": CANARY, "nested": {"apiToken": CANARY}},
            )
        self.web.settled("blog", revision=1)
        self.web.edit("blog", values={"text": "two"})
        self.web.settled("blog", revision=2)
        self.shop.settled("blog", revision=1)
        self.reader = self.person("reader", HELMRELEASES)
        self.keeper = self.person("keeper", HELMRELEASES, SECRETS, EVENTS)
        self.nobody = self.person("nobody")
        self.admin = cluster.tokens["admin"]

    def person(self, name, *rules):
        an_account(self.cluster, "gw-web", name, *rules)
        return self.cluster.service_account_token("gw-web", name)


BLOG = "/v1/namespaces/gw-web/releases/blog"


def names(listed):
    return [(one["namespace"], one["name"]) for one in listed["items"]]


def test_a_list_of_all_namespaces_has_what_the_caller_may_list(site):
    everything = site.gateway.until(
        "/v1/releases", site.admin, lambda found: found["total"] >= 2, search="blog"
    )
    assert {("gw-web", "blog"), ("gw-shop", "blog")} <= set(names(everything))
    mine = site.gateway.get("/v1/releases", site.reader).json
    assert (names(mine), mine["total"]) == ([("gw-web", "blog")], 1)
    nothing = site.gateway.get("/v1/releases", site.nobody)
    assert nothing.status == 200
    assert (nothing.json["items"], nothing.json["total"]) == ([], 0)


def test_another_namespace_is_refused_whether_it_is_there_or_not(site):
    answers = [
        site.gateway.get(f"/v1/namespaces/{place}/releases", site.reader)
        for place in ("gw-shop", "gw-absent")
    ]
    assert [answer.status for answer in answers] == [403, 403]
    assert answers[0].body.replace(b"gw-shop", b"X") == answers[1].body.replace(b"gw-absent", b"X")


def test_a_release_that_the_caller_may_not_get_is_refused_whether_it_is_there_or_not(site):
    answers = [
        site.gateway.get(f"/v1/namespaces/gw-shop/releases/{name}", site.reader)
        for name in ("blog", "none")
    ]
    assert [answer.status for answer in answers] == [403, 403]
    assert answers[0].body.replace(b"blog", b"X") == answers[1].body.replace(b"none", b"X")
    assert site.gateway.get("/v1/namespaces/gw-web/releases/none", site.reader).status == 404


def test_a_list_follows_what_happens(site):
    site.gateway.until(
        BLOG.rpartition("/")[0],
        site.reader,
        lambda found: found["items"][0]["revision"] == 2,
    )
    (listed,) = site.gateway.get("/v1/releases", site.reader).json["items"]
    assert (listed["standing"], listed["ready"]) == ("ready", "True")
    assert listed["chart"] == {
        "name": "secretive",
        "version": "1.0.0",
        "appVersion": "v1.0.0",
        "repository": site.web.repository_url,
        "wanted": "*",
    }


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="none"),
        pytest.param("wrong", id="of nobody"),
        pytest.param("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.", id="unsigned"),
    ],
)
def test_without_a_token_that_the_api_server_knows_nothing_is_told(site, token):
    for path in ("/v1/releases", BLOG):
        answer = site.gateway.get(path, token)
        assert answer.status == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert "www-authenticate" in answer.headers


def test_a_client_cannot_choose_whom_it_is_taken_for(site):
    told = {"Impersonate-User": "system:admin", "Impersonate-Group": "system:masters"}
    mine = site.gateway.get("/v1/releases", site.reader, headers=told).json
    assert names(mine) == [("gw-web", "blog")]
    assert (
        site.gateway.get("/v1/namespaces/gw-shop/releases", site.reader, headers=told).status == 403
    )


def test_stored_revisions_are_for_those_who_may_read_their_secrets(site):
    for part in ("", "/values", "/manifest", "/hooks", "/notes"):
        path = f"{BLOG}/revisions/1{part}"
        assert site.gateway.get(path, site.reader).status == 403
        assert site.gateway.get(path, site.keeper).status == 200
    assert site.gateway.get(f"{BLOG}/diff", site.reader, **{"from": 1, "to": 2}).status == 403
    assert site.gateway.get(f"{BLOG}/history", site.reader).status == 200


def test_secrets_are_masked_everywhere_unless_they_are_asked_for(site):
    paths = [BLOG, f"{BLOG}/history", f"{BLOG}/events", f"{BLOG}/unready"]
    paths += [f"{BLOG}/revisions/2{part}" for part in ("", "/values", "/manifest", "/notes")]
    for path in paths:
        answer = site.gateway.get(path, site.keeper)
        assert answer.status == 200, (path, answer.body)
        assert CANARY.encode() not in answer.body
    assert CANARY not in site.gateway.log.read_text()
    shown = site.gateway.get(f"{BLOG}/revisions/2/values", site.keeper, showSecrets="true").json
    assert shown["values"]["password"] == CANARY
    manifest = f"{BLOG}/revisions/2/manifest"
    assert CANARY.encode() in site.gateway.get(manifest, site.keeper, showSecrets="true").body


def test_two_revisions_are_compared(site):
    found = site.gateway.get(f"{BLOG}/diff", site.keeper, **{"from": 1, "to": 2}).json
    assert [(one["kind"], one["name"], one["effect"]) for one in found["objects"]] == [
        ("ConfigMap", "blog", "changed")
    ]
    assert '-  text: "one"\n+  text: "two"\n' in found["objects"][0]["diff"]
    assert "-text: one\n+text: two\n" in found["values"]
    absent = site.gateway.get(f"{BLOG}/diff", site.keeper, **{"from": 1, "to": 7})
    assert (absent.status, "revision 7" in absent.json["detail"]) == (404, True)


def test_history_and_events_tell_what_happened(site):
    history = site.gateway.get(f"{BLOG}/history", site.reader).json
    assert [(one["revision"], one["status"]) for one in history["items"]] == [
        (2, "deployed"),
        (1, "superseded"),
    ]
    events = site.gateway.get(f"{BLOG}/events", site.keeper).json
    assert events["items"]
    assert site.gateway.get(f"{BLOG}/events", site.reader).status == 403


def test_a_plan_that_waits_is_told_with_its_text_to_who_may_read_it(site):
    site.web.edit("blog", approval="Manual", values={"text": "three"})
    site.web.until("blog", lambda found: found["status"].get("plan"))
    short = site.gateway.get(f"{BLOG}/plan", site.reader).json
    assert (short["text"], "forbidden" in short["withheld"]) == (None, True)
    whole = site.gateway.get(f"{BLOG}/plan", site.keeper).json
    assert "ConfigMap" in whole["text"]
    assert whole["digest"] == short["digest"]
    site.web.edit("blog", approval=None, values={"text": "two"})
    site.web.until("blog", lambda found: not found["status"].get("plan"))
    assert site.gateway.get(f"{BLOG}/plan", site.keeper).status == 404


def events_of(stream):
    """Yield (kind, data) of a stream, to its end."""
    kind = ""
    for line in stream:
        key, _, text = line.decode().rstrip("\n").partition(": ")
        if key == "event":
            kind = text
        elif key == "data":
            yield kind, json.loads(text)


def test_a_stream_tells_what_the_caller_may_list(site):
    position = site.gateway.get("/v1/releases", site.reader).json["position"]
    request = urllib.request.Request(f"{site.gateway.url}/v1/changes?after={position}")
    request.add_header("Authorization", f"Bearer {site.reader}")
    with urllib.request.urlopen(request, timeout=60) as stream:
        for releases in (site.shop, site.web):
            releases.ask("blog")
        kind, facts = next(events_of(stream))
    assert (kind, facts["namespace"], facts["name"]) == ("changed", "gw-web", "blog")


def test_the_gateway_s_own_account_does_nothing_in_its_own_name(site):
    user = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
    asked = requests_of(site.cluster.audit_log, user)
    assert asked, "the watch is asked for by impersonation"
    assert {one.acting_as for one in asked} == {"whipstaff:gateway-reader"}
    assert {one.verb for one in asked} == {"list", "watch"}
    token = site.cluster.service_account_token(NAMESPACE, ACCOUNT)
    denied = site.cluster.run(
        "kubectl",
        f"--kubeconfig={site.cluster.kubeconfig_for(token, 'gateway-itself')}",
        *("get", "helmreleases", "-A"),
        check=False,
    )
    assert denied.returncode != 0


def test_the_api_server_takes_what_the_chart_makes_of_it(site):
    settings = (
        "gateway.enabled=true",
        "gateway.oidc.issuerURL=https://sso",
        "gateway.oidc.clientID=x",
    )
    made = rendered(*settings, "crds.install=false", name="gw", namespace="gw-web")
    site.cluster.kubectl(
        "apply", "--server-side", "--dry-run=server", "-n", "gw-web", "-f", "-", stdin=made
    )


@pytest.fixture(scope="module")
def proxied(site):
    """Another gateway, behind a Service of the cluster; its path on the API server."""
    address = own_address()
    gateway = RunningGateway(
        site.cluster, "--address", f"{address}:0", "--tls-name", address, name="proxied"
    )
    yield behind_the_api_server(site.cluster, "gw-web", gateway, address)
    assert gateway.stop() == 0


def opened(site, path, **headers):
    """Open a path of the API server, as the admin."""
    context = ssl.create_default_context(cafile=site.cluster.ca_certificate)
    request = urllib.request.Request(site.cluster.server + path)
    request.add_header("Authorization", f"Bearer {site.admin}")
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    return urllib.request.urlopen(request, timeout=60, context=context)


def through_the_api_server(site, path, **headers):
    try:
        with opened(site, path, **headers) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_behind_the_api_server_s_proxy_the_token_has_a_header_of_its_own(site, proxied):
    path = f"{proxied}/v1/releases"
    deadline = time.monotonic() + 15
    while (found := through_the_api_server(site, path))[0] == 503:  # no endpoints are known yet
        assert time.monotonic() < deadline, found[1].get("message", found)
        time.sleep(0.1)
    assert (found[0], found[1]["detail"]) == (401, "a bearer token is needed")
    mine = {"X_Whipstaff_Authorization": f"Bearer {site.reader}"}
    status, listed = through_the_api_server(site, path, **mine)
    assert (status, names(listed)) == (200, [("gw-web", "blog")])
    with opened(site, f"{proxied}/v1/changes", **mine) as stream:
        assert next(events_of(stream)) == ("reset", {})


def test_the_dashboard_leads_to_the_gateway_through_the_api_server(site, proxied):
    person = site.cluster.kubeconfig_for(site.admin, "person")
    command = [
        *(sys.executable, "-m", "whipstaff", "dashboard", "--no-browser"),
        *("-n", "gw-web", "--service", "gateway", "--service-account", "gw-web/reader"),
        *("--kubeconfig", str(person)),
    ]
    eventually(lambda: through_the_api_server(site, f"{proxied}/livez")[0] == 200, "no endpoints")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = re.search(r"http://127\.0\.0\.1:\S+", process.stdout.readline()).group()
            jar = http.cookiejar.CookieJar()
            browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
            try:
                browser.open(url, timeout=60).close()
            except urllib.error.HTTPError as error:
                error.close()
            root = url.partition("/?")[0]
            with browser.open(f"{root}/v1/releases", timeout=60) as answer:
                assert names(json.load(answer)) == [("gw-web", "blog")]  # as the account
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"{root}/v1/releases", timeout=60)
            with refused.value as error:
                assert error.code == 403
        finally:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 0


def test_a_dashboard_without_a_gateway_says_so(site):
    person = site.cluster.kubeconfig_for(site.admin, "person")
    command = [
        "-m",
        "whipstaff",
        "dashboard",
        "--no-browser",
        "-n",
        "gw-shop",
        "--kubeconfig",
        person,
    ]
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert "there is no such Service" in done.stderr
