"""The admission webhook, asked by a real API server: what is refused, told, and never held up."""

import base64
import itertools
import json
import os
import signal
import ssl
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.builders.admission import PLACE, SECRET_PLACE, configure, judging, review
from tests.builders.granted import requests_of
from tests.builders.live_releases import LiveReleases, eventually
from tests.builders.small_charts import a_packed_chart
from tools.chartrepo import ChartRepository, Fault
from tools.controlplane import audit, programs
from tools.controlplane.client import Refused
from tools.controlplane.cluster import Cluster
from tools.running_operator import NAMESPACE, prepare

SCHEMA = json.dumps({"properties": {"replicas": {"type": "integer"}}})
TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data:
  replicas: {{ .Values.replicas | quote }}
  text: {{ required "a text is needed" .Values.text | quote }}
"""
ASKS = 'x: {{ if not (lookup "v1" "Namespace" "" "default") }}{{ fail "no" }}{{ end }}\n'
TELLS = """\
x: {{ fail (printf "%s %v" .Values.text (lookup "v1" "Secret" .Release.Namespace "login")) }}
"""
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:whipstaff"
NUMBERS = itertools.count(1)
GOOD = {"replicas": 1, "text": "a"}
HEADERS = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def charts():
    with ChartRepository() as served:
        defaults = 'replicas: 1\ntext: ""\n'
        served.add(a_packed_chart("judged", values=defaults, schema=SCHEMA, app=TEMPLATE))
        served.add(a_packed_chart("asking", app=ASKS))
        served.add(a_packed_chart("telling", app=TELLS))
        yield served


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    own = Cluster(tmp_path_factory.mktemp("admission") / "cluster", programs.find())
    prepare(own.start(guarded=True))
    yield own
    own.stop(grace_seconds=0.0)


@pytest.fixture(scope="module")
def operator(cluster):
    running, port = judging(cluster, ADMISSION_SECONDS="5")
    configure(cluster, port)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def releases(operator, cluster, charts):
    name = f"test-{next(NUMBERS)}"
    cluster.kubectl("create", "namespace", name)
    return LiveReleases(cluster, name, charts.url)


def manifest(releases, name="blog", chart="judged", **spec):
    source = {"name": chart, "repository": releases.repository_url}
    return {
        "apiVersion": "whipstaff.dev/v1",
        "kind": "HelmRelease",
        "metadata": {"name": name, "namespace": releases.namespace},
        "spec": {"chart": source, **spec},
    }


def apply(releases, body, *flags):
    return releases.control_plane.run(
        *("kubectl", "apply", *flags, "-f", "-"), stdin=json.dumps(body), check=False
    )


WRONG = {
    "schema": ({"values": {"replicas": "many", "text": "a"}}, "ValuesSchemaViolation", "replicas"),
    "template": ({"values": {"replicas": 1}}, "judged/templates/app.yaml:6", "a text is needed"),
    "field": ({"interval": "often"}, "spec.interval", "interval"),
    "depth": (
        {"values": json.loads('{"deep":' * 65 + "1" + "}" * 65)},
        "ValuesTooDeep",
        "spec.values is nested deeper than 64 levels",
    ),
    "expression": (
        {
            "values": GOOD,
            "healthCheckExprs": [
                {"apiVersion": "v1", "kind": "ConfigMap", "current": "metadata.name ="}
            ],
        },
        "spec.healthCheckExprs[0]",
        "column",
    ),
    "patch": (
        {
            "values": GOOD,
            "postRenderers": [{"kustomize": {"patches": [{"patch": "- op: remove\n  path: /x"}]}}],
        },
        "spec.postRenderers[0]",
        "needs a target",
    ),
}


@pytest.mark.parametrize("flags", [(), ("--dry-run=server",)], ids=["apply", "dry run"])
@pytest.mark.parametrize(("spec", "place", "word"), WRONG.values(), ids=WRONG)
def test_what_cannot_work_is_refused_with_its_place(releases, spec, place, word, flags):
    done = apply(releases, manifest(releases, **spec), *flags)
    assert done.returncode != 0
    assert place in done.stderr
    assert word in done.stderr
    assert releases.find(releases.path("blog")) is None


def test_what_is_right_is_admitted_and_a_dry_run_writes_nothing(releases):
    done = apply(releases, manifest(releases, values=GOOD))
    assert (done.returncode, done.stderr) == (0, "")
    releases.settled("blog", revision=1)
    log = releases.control_plane.audit_log
    begun = log.stat().st_size
    dry = apply(releases, manifest(releases, values=GOOD | {"text": "b"}), "--dry-run=server")
    assert "(server dry run)" in dry.stdout
    assert releases.get("blog")["spec"]["values"] == GOOD
    written = audit.writes(log, start=begun, user=ACCOUNT)
    assert [each.uri for each in written if "/leases/" not in each.uri] == []


def test_who_forces_an_edit_does_not_lose_the_release(releases):
    apply(releases, manifest(releases, values=GOOD))
    before = releases.settled("blog")["metadata"]["uid"]
    done = apply(releases, manifest(releases, values={"replicas": "many"}), "--force")
    assert "ValuesSchemaViolation" in done.stderr
    after = releases.get("blog")["metadata"]
    assert (after["uid"], after.get("deletionTimestamp")) == (before, None)


WARNED = {
    "unused value": ({"values": GOOD | {"replica": 2}}, "replica"),
    "version to come": ({"values": GOOD, "chart": {"version": "9.x"}}, "ChartVersionNotFound"),
    "values elsewhere": ({"valuesFrom": [{"kind": "Secret", "name": "x"}]}, "spec.valuesFrom"),
    "lookup": ({"chart": {"name": "asking"}}, "RenderFailed"),
    "nobody there": ({"chart": {"repository": "http://127.0.0.1:9"}}, "ChartUnavailable"),
}


@pytest.mark.parametrize(("spec", "word"), WARNED.values(), ids=WARNED)
def test_what_may_come_right_is_a_warning(releases, spec, word):
    body = manifest(releases)
    source = {**body["spec"]["chart"], **spec.get("chart", {})}
    body["spec"] = {**spec, "chart": source}
    done = apply(releases, body, "--dry-run=server")
    assert done.returncode == 0, done.stderr
    assert "Warning:" in done.stderr
    assert word in done.stderr


def test_a_dry_run_tells_nothing_of_secrets_and_reads_none(releases, cluster):
    secret = {"metadata": {"name": "login"}, "stringData": {"values.yaml": "text: s3cret"}}
    releases.api.request("POST", releases.core("secrets"), secret)
    log = cluster.audit_log
    begun = log.stat().st_size
    body = manifest(releases, "telling", "telling")
    body["spec"]["valuesFrom"] = [{"kind": "Secret", "name": "login"}]
    without = manifest(releases, "telling", "telling")
    for asked in (body, without):
        done = apply(releases, asked, "--dry-run=server")
        assert done.returncode == 0
        assert "Warning:" in done.stderr
        assert "s3cret" not in done.stderr + operator_log(cluster)
    read = [each.uri for each in requests_of(log, ACCOUNT, begun) if "/secrets/" in each.uri]
    assert [uri for uri in read if not uri.endswith(SECRET_PLACE)] == []


def operator_log(cluster):
    return cluster.layout.log("whipstaff").read_text()


@contextmanager
def unjudged(cluster):
    """Store what would be refused."""
    body = cluster.api.request("GET", PLACE)
    kept = body["webhooks"]
    cluster.api.request("PATCH", PLACE, {"webhooks": []})
    try:
        yield
    finally:
        cluster.api.request("PATCH", PLACE, {"webhooks": kept})


@pytest.fixture
def broken(releases, cluster):
    """A HelmRelease that would not be admitted again."""
    with unjudged(cluster):
        eventually(
            lambda: apply(releases, manifest(releases, values={"replicas": "x"})).returncode == 0,
            "it is judged still",
        )
    eventually(
        lambda: (
            apply(
                releases, manifest(releases, "other", values={"replicas": "x"}), "--dry-run=server"
            ).returncode
        ),
        "it is not judged again",
    )
    return releases


def test_metadata_status_and_deletion_are_never_held_up(broken):
    broken.answered("blog")  # by its status
    for held in (["example.com/hold"], None, ["example.com/hold"]):
        broken.api.request("PATCH", broken.path("blog"), {"metadata": {"finalizers": held}})
    broken.delete("blog")
    assert broken.get("blog")["metadata"]["deletionTimestamp"]
    broken.api.request("PATCH", broken.path("blog"), {"metadata": {"finalizers": None}})
    broken.gone("blog")


def test_what_was_wrong_before_does_not_hold_up_other_edits(broken):
    done = broken.control_plane.run(
        *("kubectl", "patch", "helmreleases.whipstaff.dev", "blog", "-n", broken.namespace),
        *("--type=merge", "-p", '{"spec": {"interval": "7m"}}'),
        check=False,
    )
    assert done.returncode == 0
    assert "ValuesSchemaViolation" in done.stderr
    with pytest.raises(Refused, match="ValuesSchemaViolation"):
        broken.edit("blog", values={"replicas": "y"})
    broken.edit("blog", suspend=True)
    broken.edit("blog", suspend=None, values=GOOD)
    broken.settled("blog")


def test_kube_system_is_left_alone(releases):
    body = manifest(releases, "system", interval="often")
    body["metadata"]["namespace"] = "kube-system"
    done = apply(releases, body, "--dry-run=server")
    assert "Whipstaff" not in done.stderr
    assert "admission webhook" not in done.stderr


def test_a_repository_that_hangs_is_not_waited_for(releases, charts):
    with ChartRepository(faults={"*": Fault.SLOW}) as hanging:
        body = manifest(releases, values=GOOD)
        body["spec"]["chart"]["repository"] = hanging.url
        done = apply(releases, body, "--dry-run=server")
    assert done.returncode == 0
    assert "not checked: it took more than 5 s" in done.stderr


def test_what_waits_for_a_repository_holds_up_nobody_else(releases):
    with ChartRepository(faults={"*": Fault.SLOW}) as hanging, ThreadPoolExecutor() as pool:
        body = manifest(releases, values=GOOD)
        body["spec"]["chart"]["repository"] = hanging.url
        slow = pool.submit(apply, releases, body, "--dry-run=server")
        eventually(lambda: hanging.requests, "it is not judged")
        wrong = manifest(releases, "wrong", values={"replicas": "many"})
        others = [pool.submit(apply, releases, wrong) for _ in range(4)]
        for each in others:
            assert "ValuesSchemaViolation" in each.result().stderr
        assert slow.result().returncode == 0


def test_an_operator_that_does_not_answer_holds_up_deletions_not_at_all(
    releases, operator, cluster
):
    """And edits no longer than the API server has patience."""
    releases.create("blog", chart="judged", values=GOOD)
    releases.settled("blog")
    (webhook,) = cluster.api.request("GET", PLACE)["webhooks"]
    assert webhook["timeoutSeconds"] <= 10
    cluster.api.request("PATCH", PLACE, {"webhooks": [webhook | {"timeoutSeconds": 1}]})
    os.killpg(operator.process.pid, signal.SIGSTOP)
    try:
        done = apply(releases, manifest(releases, "other", values={"replicas": "x"}))
        assert done.returncode == 0, done.stderr
        releases.delete("blog")
        releases.api.request("PATCH", releases.path("blog"), {"metadata": {"finalizers": None}})
        releases.gone("blog")
    finally:
        os.killpg(operator.process.pid, signal.SIGCONT)
        cluster.api.request("PATCH", PLACE, {"webhooks": [webhook]})


def test_a_body_of_eight_mebibytes_is_read(releases, operator, cluster):
    body = manifest(releases, values={**GOOD, "padding": "x" * (8 << 20)})
    (webhook,) = cluster.api.request("GET", PLACE)["webhooks"]
    client = webhook["clientConfig"]
    trust = ssl.create_default_context(cadata=decoded(client["caBundle"]))
    asked = urllib.request.Request(
        client["url"], json.dumps(review(body)).encode(), headers=HEADERS, method="POST"
    )
    with urllib.request.urlopen(asked, context=trust, timeout=30) as answer:
        response = json.load(answer)["response"]
    assert response["allowed"]
    assert response["uid"] == "u-1"


def test_an_edit_of_a_large_helmrelease_is_judged(releases):
    padding = {f"k{number}": "x" * 1000 for number in range(1000)}
    releases.create("blog", chart="judged", values={**GOOD, "padding": padding})
    with pytest.raises(Refused, match="ValuesSchemaViolation"):
        releases.edit("blog", values={"replicas": "many"})
    releases.ask("blog")


def decoded(bundle):
    return base64.b64decode(bundle).decode()
