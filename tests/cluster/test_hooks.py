"""Hooks and manifests are written in Helm's order: the audit log of the same chart, done by both."""

import os

import pytest

from tests.builders.ordered_charts import EVENTS, ordered_chart
from tests.builders.two_lives import STAGES, both_lives

ACTIONS = {
    "install": "install",
    "upgrade": "upgrade",
    "rollback": "rollback",
    "delete": "uninstall",
}


@pytest.fixture(scope="module")
def lives(operator):
    """The life of the chart `ordered`, by us and by the helm CLI."""
    prefix = f"order-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    archives = [ordered_chart(version) for version in ("1.0.0", "1.1.0")]
    return both_lives(operator.cluster, prefix, "ordered", archives)


@pytest.mark.parametrize("stage", STAGES)
def test_everything_is_written_in_helms_order(lives, stage):
    ours, helms = lives
    assert ours.said(stage) == helms.said(stage)
