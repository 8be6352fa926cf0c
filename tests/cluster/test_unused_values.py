"""Values that nothing reads are named in status and by one event."""

import pytest

from tests.builders.small_charts import settings_chart

pytestmark = pytest.mark.cluster

MISSPELT = "`txet` is never read; did you mean `text`?"


@pytest.fixture(autouse=True)
def _published(repository):
    repository.add(settings_chart())


def told(releases):
    return [reason for _, reason in releases.events("blog")].count("ValuesUnused")


def test_a_misspelt_value_is_named_until_it_is_mended(releases):
    releases.create("blog", values={"txet": "hunter2"})
    status = releases.settled("blog", revision=1)["status"]
    assert status["unusedValues"] == [MISSPELT]
    assert "hunter2" not in str(status)
    releases.answered("blog")
    releases.edit("blog", values={"txet": None, "text": "other"})
    status = releases.settled("blog", revision=2)["status"]
    assert "unusedValues" not in status
    assert told(releases) == 1


def test_an_edit_that_changes_nothing_but_is_misspelt_makes_no_revision(releases):
    releases.create("blog")
    releases.settled("blog", revision=1)
    releases.edit("blog", values={"txet": "x"})
    release = releases.until("blog", lambda one: one["status"].get("unusedValues") == [MISSPELT])
    assert release["status"]["revision"] == 1
    assert told(releases) == 1
