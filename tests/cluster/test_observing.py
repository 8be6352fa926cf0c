"""What a running operator tells of itself: its first line, its metrics, no secret in either."""

import json
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.builders.live_releases import eventually
from tests.builders.small_charts import settings_chart

CANARY = "canary-8c1f"


@pytest.fixture(autouse=True)
def _published(repository):
    repository.add(settings_chart())


def scraped(operator):
    url = f"http://127.0.0.1:{operator.probe_port}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def of(text, namespace):
    """Return value by name of each series of a namespace that needs no more labels."""
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels == {"namespace": namespace, "name": "blog"}
    }


def logged(operator, message, **facts):
    """Return the first line with a message and facts, None if there is none yet."""
    lines = [json.loads(line) for line in operator.log.read_text().splitlines()]
    wanted = {"message": message, **facts}.items()
    return next((line for line in lines if wanted <= line.items()), None)


def test_the_first_line_says_what_runs_and_where(operator):
    started = eventually(lambda: logged(operator, "operator started"), "it never said so")
    assert started["cluster_version"].startswith("v1.")
    assert {
        *("version", "identity", "storage_driver", "history_limit", "concurrency"),
        *("probe_port", "namespaces"),
    } <= set(started)


def test_each_action_is_a_line_that_names_its_helmrelease(releases, operator):
    releases.create("blog", values={"text": CANARY})
    releases.settled("blog", revision=1)
    mine = f"{releases.namespace}/blog"
    installed = logged(operator, "action finished", helmrelease=mine, action="install")
    assert installed["outcome"] == "succeeded"
    assert CANARY not in operator.log.read_text()
    releases.delete("blog")
    eventually(
        lambda: logged(operator, "action finished", helmrelease=mine, action="uninstall"),
        "the uninstallation is in no line",
    )


def test_metrics_tell_of_releases_as_long_as_there_are_any(releases, operator):
    releases.create("blog", values={"text": CANARY})
    releases.settled("blog", revision=1)
    text = scraped(operator)
    told = of(text, releases.namespace)
    assert told["whipstaff_helmrelease_revision"] == 1
    assert told["whipstaff_helmrelease_chart_versions_behind"] == 0
    assert told["whipstaff_helmrelease_record_bytes"] > 0
    assert 'whipstaff_actions_total{action="install",outcome="succeeded"}' in text
    assert 'phase="render"' in text
    assert CANARY not in text
    releases.delete("blog")
    eventually(
        lambda: not of(scraped(operator), releases.namespace),
        "metrics of a release that is gone",
    )
