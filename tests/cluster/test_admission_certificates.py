"""The certificate of the admission webhook: shared, renewed unnoticed, and gone with the chart."""

import base64
import ssl

import pytest

from tests.builders.admission import PLACE, SECRET_PLACE, configure, judging
from tests.builders.granted import refused, requests_of, rights_of, used
from tests.builders.live_releases import LiveReleases, eventually
from tests.builders.own_chart import CHART, objects
from tests.builders.small_charts import settings_chart
from tools.chartrepo import ChartRepository
from tools.controlplane import programs
from tools.controlplane.client import Refused
from tools.controlplane.cluster import Cluster
from tools.running_operator import NAMESPACE, prepare

RESTRICTED = ("admission.enabled=true", "rbac.unrestricted=false")
USER = f"system:serviceaccount:{NAMESPACE}:whipstaff"
SOON = {"ADMISSION_CERTIFICATE_SECONDS": "300", "LEASE_SECONDS": "6"}
LONG = 60.0  # the operator looks each 5 s, and waits 5 s before it shows a new one


@pytest.fixture(scope="module")
def charts():
    with ChartRepository() as served:
        served.add(settings_chart())
        yield served


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    own = Cluster(tmp_path_factory.mktemp("certificates") / "cluster", programs.find())
    prepare(own.start(guarded=True))
    yield own
    own.stop(grace_seconds=0.0)


@pytest.fixture(scope="module")
def operator(cluster):
    """An operator whose webhook must answer: whatever it misses is refused."""
    running, port = judging(cluster, **SOON)
    configure(cluster, port, "Fail")
    running.port = port
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def releases(operator, cluster, charts):
    cluster.kubectl("create", "namespace", "certificates")
    return LiveReleases(cluster, "certificates", charts.url)


def dry_run(releases):
    """Ask the API server about a HelmRelease; raises if the webhook does not answer."""
    source = {"name": "settings", "repository": releases.repository_url}
    body = {
        "apiVersion": "whipstaff.dev/v1",
        "kind": "HelmRelease",
        "metadata": {"name": "asked", "namespace": releases.namespace},
        "spec": {"chart": source},
    }
    releases.api.request("POST", f"{releases.path()}?dryRun=All", body)


def bundle(cluster):
    (webhook,) = cluster.api.request("GET", PLACE)["webhooks"]
    return base64.b64decode(webhook["clientConfig"].get("caBundle", "")).decode()


def secret(cluster):
    return cluster.api.request("GET", SECRET_PLACE).get("data", {})


def shown(operator):
    return ssl.get_server_certificate(("127.0.0.1", operator.port))


def test_a_renewal_refuses_nobody(releases, operator, cluster):
    dry_run(releases)
    for _ in range(2):
        before, authorities = shown(operator), bundle(cluster)
        over = base64.b64encode(b"0").decode()
        cluster.api.request("PATCH", SECRET_PLACE, {"data": {"expires": over}})

        def renewed(before=before):
            dry_run(releases)  # all the while
            return shown(operator) != before

        eventually(renewed, "the certificate is the old one", LONG)
        first, second = bundle(cluster).split("-----END CERTIFICATE-----\n")[:2]
        assert second in authorities
        assert first not in authorities
    dry_run(releases)


def test_a_restart_and_a_second_operator_go_on_with_the_same_certificate(
    releases, operator, cluster
):
    dry_run(releases)
    before = shown(operator), bundle(cluster), secret(cluster)
    operator.kill()
    with pytest.raises(Refused, match="failed calling webhook"):
        dry_run(releases)
    operator.start()
    assert (shown(operator), bundle(cluster), secret(cluster)) == before

    other, _ = judging(cluster, **SOON, ADMISSION_PORT=str(operator.port), IDENTITY="other")
    other.name = "other"
    other.launch()
    try:
        dry_run(releases)
        operator.kill()
        other.await_ready(LONG)
        dry_run(releases)
        assert (shown(operator), bundle(cluster), secret(cluster)) == before
    finally:
        other.stop()
        operator.start()


def test_a_certificate_that_expired_while_nobody_was_there_is_renewed(releases, operator, cluster):
    before = shown(operator)
    operator.kill()
    over = base64.b64encode(b"0").decode()
    cluster.api.request("PATCH", SECRET_PLACE, {"data": {"expires": over}})
    operator.start()
    eventually(lambda: shown(operator) != before, "the certificate is the old one", LONG)
    dry_run(releases)


def test_with_fail_nothing_but_the_spec_waits_for_the_operator(releases, operator):
    releases.create("blog")
    releases.settled("blog", revision=1)
    operator.kill()
    try:
        with pytest.raises(Refused, match="failed calling webhook"):
            releases.edit("blog", interval="9m")
        releases.ask("blog")
        releases.delete("blog")
    finally:
        operator.start()
    releases.gone("blog")


def test_what_somebody_spoiled_is_made_anew(releases, operator, cluster):
    dry_run(releases)
    before = shown(operator)
    spoiled = base64.b64encode(b"no key").decode()
    cluster.api.request("PATCH", SECRET_PLACE, {"data": {"tls.key": spoiled}})
    eventually(lambda: shown(operator) != before, "the certificate is the old one", LONG)
    dry_run(releases)
    (webhook,) = cluster.api.request("GET", PLACE)["webhooks"]
    webhook["clientConfig"]["caBundle"] = ""
    cluster.api.request("PATCH", PLACE, {"webhooks": [webhook]})
    eventually(lambda: bundle(cluster), "nobody tells the API server", LONG)
    dry_run(releases)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The chart with its webhook, installed by helm; the operator outside, with those rights."""
    own = Cluster(tmp_path_factory.mktemp("installed") / "cluster", programs.find())
    own.start(guarded=True)
    flags = [flag for setting in RESTRICTED for flag in ("--set", setting)]
    own.helm(
        *("install", "whipstaff", str(CHART), "-n", NAMESPACE, "--create-namespace"),
        *("--wait", "--timeout", "60s", *flags),
    )
    running, _ = judging(own)
    try:
        yield running.start()
        running.stop()
    finally:
        own.stop(grace_seconds=0.0)


def test_the_chart_s_rights_are_enough_and_none_is_idle(installed):
    cluster = installed.cluster
    assert bundle(cluster)
    asked = requests_of(cluster.audit_log, USER)
    assert refused(asked) == []
    found = objects(*RESTRICTED)
    for kind in ("ClusterRole", "Role"):
        for right in rights_of(found[kind, "whipstaff-admission"]):
            assert used(right, asked), right


def test_nobody_answering_holds_up_nothing_by_default(installed, charts):
    cluster = installed.cluster
    # The Service of the chart has no address: its pods are none that could answer.
    cluster.kubectl("create", "namespace", "shop")
    releases = LiveReleases(cluster, "shop", charts.url)
    releases.create("blog", values={"no": "such"})
    assert releases.get("blog")


def test_helm_leaves_what_the_operator_wrote_and_takes_all_away_at_the_end(installed):
    cluster = installed.cluster
    before = cluster.api.request("GET", PLACE)["webhooks"], secret(cluster)
    assert before[0][0]["clientConfig"]["service"]["path"].startswith("/validate/")
    flags = [flag for setting in RESTRICTED for flag in ("--set", setting)]
    cluster.helm(
        *("upgrade", "whipstaff", str(CHART), "-n", NAMESPACE, *flags),
        *("--set", "logLevel=debug", "--wait", "--timeout", "60s"),
    )
    assert (cluster.api.request("GET", PLACE)["webhooks"], secret(cluster)) == before
    installed.stop()
    cluster.helm("uninstall", "whipstaff", "-n", NAMESPACE, "--wait", "--timeout", "60s")
    for place in (PLACE, SECRET_PLACE):
        with pytest.raises(Refused, match="404"):
            cluster.api.request("GET", place)
