"""Metrics tell what happened and how HelmReleases stand, and forget those that are gone."""

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from whipstaff.controller.metrics import Known, KnownRepository, Metrics
from whipstaff.release.revision import ReleaseKey

ROOT = Path(__file__).parents[3]
MONITORING = ROOT / "deploy" / "monitoring"
DOCUMENT = ROOT / "docs" / "metrics.md"
RUNNING = {
    "revision": 3,
    "history": [
        {"revision": 4, "status": "failed", "chart": "blog", "version": "2.0.0"},
        {"revision": 3, "chart": "blog", "version": "1.2.3", "appVersion": "v9"},
    ],
    "conditions": [
        {"type": "Ready", "status": "False", "reason": "UpgradeFailed"},
        {"type": "Stalled", "status": "True", "reason": "Exhausted"},
    ],
    "drift": [{"standing": standing} for standing in ("Corrected", "Found", "Recurs")],
}
BLOG = {"namespace": "shop", "name": "blog"}
CHART = {"chart": "blog", "version": "1.2.3", "app_version": "v9"}


class Queue:
    depth, waiting = 7, 2

    def __init__(self, *known):
        self._known = known

    def known(self):
        return self._known


def a_known(name="blog", status=RUNNING, *, suspended=False):
    return Known("shop", name, suspended, status, ReleaseKey("shop", name))


def samples(metrics):
    """Return what a scrape gives: each sample's name with its labels, and the value."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


def scraped(*known, noted=lambda metrics: None):
    metrics = Metrics()
    metrics.watch(Queue(*known), lambda: 12.5)
    noted(metrics)
    return samples(metrics)


def of(metric, /, **labels):
    return (metric, *sorted(labels.items()))


@pytest.mark.parametrize(
    ("sample", "value"),
    [
        pytest.param(of("whipstaff_queue_depth"), 7, id="queue depth"),
        pytest.param(of("whipstaff_passes_waiting"), 2, id="waits"),
        pytest.param(of("whipstaff_watch_age_seconds"), 12.5, id="watch age"),
        pytest.param(of("whipstaff_helmrelease_revision", **BLOG), 3, id="revision"),
        pytest.param(of("whipstaff_helmrelease_suspended", **BLOG), 0, id="not suspended"),
        pytest.param(of("whipstaff_helmrelease_drifted_objects", **BLOG), 2, id="drifted"),
        pytest.param(
            of(
                "whipstaff_helmrelease_info",
                **BLOG,
                chart="blog",
                version="1.2.3",
                app_version="v9",
            ),
            1,
            id="what runs",
        ),
        pytest.param(
            of("whipstaff_helmrelease_condition", type="Ready", reason="UpgradeFailed", **BLOG),
            0,
            id="a condition that is false",
        ),
        pytest.param(
            of("whipstaff_helmrelease_condition", type="Stalled", reason="Exhausted", **BLOG),
            1,
            id="a condition that is true",
        ),
        pytest.param(
            of("whipstaff_helmrelease_condition", type="Reconciling", reason="", **BLOG),
            0,
            id="a condition that is absent",
        ),
    ],
)
def test_a_scrape_tells_how_things_stand(sample, value):
    assert scraped(a_known())[sample] == value


def test_a_scrape_tells_how_repositories_stand():
    ready = {"type": "Ready", "status": "True", "reason": "IndexFetched"}
    fetched = "2026-01-02T03:04:05Z"
    known = [
        KnownRepository("shop", "charts", False, {"charts": 7, "conditions": [ready]}),
        KnownRepository("shop", "other", True, {"lastFetchedAt": fetched}),
    ]
    metrics = Metrics()
    metrics.watch_repositories(lambda: known)
    found = samples(metrics)
    charts, other = ({"namespace": "shop", "name": name} for name in ("charts", "other"))
    condition = {"type": "Ready", "reason": "IndexFetched"}
    assert found[of("whipstaff_helmrepository_condition", **charts, **condition)] == 1
    assert found[of("whipstaff_helmrepository_charts", **charts)] == 7
    assert found[of("whipstaff_helmrepository_suspended", **other)] == 1
    when = "whipstaff_helmrepository_fetched_timestamp_seconds"
    assert found[of(when, **other)] == 1767323045
    assert of(when, **charts) not in found


def test_a_helmrelease_without_status_is_neither_ready_nor_not():
    found = scraped(a_known(status={}))
    sample = of("whipstaff_helmrelease_condition", type="Ready", reason="", **BLOG)
    assert found[sample] == -1


def test_what_was_noted_of_a_release_is_told_as_long_as_it_is_there():
    def noted(metrics):
        for name in ("blog", "gone"):
            metrics.chart_lag("shop", name, 4)
            metrics.record(ReleaseKey("shop", name), 2048)

    found = scraped(a_known(), noted=noted)
    assert found[of("whipstaff_helmrelease_chart_versions_behind", **BLOG)] == 4
    assert found[of("whipstaff_helmrelease_record_bytes", **BLOG)] == 2048
    assert not [sample for sample in found if ("name", "gone") in sample]


def test_objects_that_were_put_right_are_counted():
    def noted(metrics):
        metrics.drift("succeeded", 2)
        metrics.drift("succeeded", 1)

    assert scraped(noted=noted)[of("whipstaff_drift_corrections_total", outcome="succeeded")] == 3


def test_actions_are_counted_by_outcome_and_timed_by_phase():
    def noted(metrics):
        metrics.action("upgrade", "succeeded")
        metrics.action("upgrade", "succeeded")
        metrics.action("upgrade", "failed")
        metrics.phase("upgrade", "render", 0.2)

    found = scraped(noted=noted)
    counted = "whipstaff_actions_total"
    assert found[of(counted, action="upgrade", outcome="succeeded")] == 2
    assert found[of(counted, action="upgrade", outcome="failed")] == 1
    timed = {"action": "upgrade", "phase": "render"}
    assert found[of("whipstaff_action_phase_seconds_count", **timed)] == 1
    assert found[of("whipstaff_action_phase_seconds_bucket", le="0.25", **timed)] == 1
    assert found[of("whipstaff_action_phase_seconds_bucket", le="0.1", **timed)] == 0


def told():
    """Return the name of every series that a scrape may give, and each family's help text."""

    def noted(metrics):
        metrics.action("install", "succeeded")
        metrics.phase("install", "wait", 1)
        metrics.chart_lag("shop", "blog", 1)
        metrics.record(ReleaseKey("shop", "blog"), 1)
        metrics.drift("succeeded", 1)

    metrics = Metrics()
    metrics.watch(Queue(a_known()), lambda: 0.0)
    fetched = {"lastFetchedAt": "2026-01-02T03:04:05Z"}
    metrics.watch_repositories(lambda: [KnownRepository("shop", "charts", False, fetched)])
    noted(metrics)
    families = list(text_string_to_metric_families(metrics.text().decode()))
    return {s.name for f in families for s in f.samples}, families


def test_every_metric_says_what_it_is():
    _, families = told()
    assert [family.name for family in families if not family.documentation] == []


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(MONITORING / "alerts.yaml", id="alerts"),
        pytest.param(MONITORING / "dashboard.json", id="dashboard"),
        pytest.param(DOCUMENT, id="docs"),
    ],
)
def test_no_one_uses_a_metric_that_there_is_not(file):
    names, _ = told()
    used = set(re.findall(r"\bwhipstaff_[a-z_]+[a-z]", file.read_text()))
    known = names | without_parts(names)
    assert used - known == set()
    assert used


def test_every_metric_is_documented():
    names, _ = told()
    documented = set(re.findall(r"^\| `(\w+)`", DOCUMENT.read_text(), re.MULTILINE))
    assert without_parts(names) == documented


def without_parts(names):
    """Leave out what makes a series of a histogram out of its name."""
    return {re.sub("_(bucket|count|sum)$", "", name) for name in names}


def test_the_alerts_are_a_prometheus_rule():
    rule = yaml.safe_load((MONITORING / "alerts.yaml").read_text())
    assert rule["kind"] == "PrometheusRule"
    alerts = [alert for group in rule["spec"]["groups"] for alert in group["rules"]]
    assert all(alert["annotations"]["description"] for alert in alerts)
    assert len({alert["alert"] for alert in alerts}) == len(alerts)


def test_who_scrapes_as_the_monitor_says_finds_the_service_and_keeps_our_labels():
    monitor = yaml.safe_load((MONITORING / "monitor.yaml").read_text())
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["honorLabels"] is True, "namespace is that of the HelmRelease"
    manifests = yaml.safe_load_all((MONITORING.parent / "operator.yaml").read_text())
    (service,) = [body for body in manifests if body["kind"] == "Service"]
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    assert wanted <= service["metadata"]["labels"].items()


def test_every_panel_of_the_dashboard_asks_something():
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    assert all(panel["targets"][0]["expr"] for panel in dashboard["panels"])
    places = [tuple(panel["gridPos"].values()) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)
