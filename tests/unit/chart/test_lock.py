from dataclasses import replace

import pytest

from tests.builders.charts import CHART_YAML, a_chart
from whipstaff.chart import lock
from whipstaff.chart.model import Dependency, File, Lock, Metadata
from whipstaff.errors import ChartInvalid, ChartVersionNotFound, LockOutOfSync

# What `helm dependency update` wrote for this Chart.yaml.
DECLARED = (
    Dependency(
        name="b",
        version=">=1.0 <2 || ^3",
        repository="file://../b",
        condition="b.enabled",
        tags=("x", "<y>"),
        import_values=("data", {"child": "c", "parent": "p", "z": 1.0}, 1.5),
        alias="bee",
    ),
)
LOCKED = (Dependency("b", "1.2.0", "file://../b"),)
DIGEST = "sha256:e86a31e7d1ad3ca65dce1f1818a554afdd28aaa3039a0d35ea486b402c6e0448"
V1 = Metadata(name="demo", api_version="v1")
V2 = Metadata(name="demo", api_version="v2")
TEXT = f"""\
dependencies:
- name: b
  repository: file://../b
  version: 1.2.0
digest: {DIGEST}
generated: "2026-11-21T10:42:00.516585229Z"
"""
# From a chart of Helm 2, as in https://github.com/helm/helm/issues/7233
HELM_2_DECLARED = (Dependency("alpine", "0.1.0", "file://../alpine"),)
HELM_2_DIGEST = "sha256:7b380b1a826e7be1eecb089f66209d6d3df54be4bf879d4a8e6f8a9e871710e5"


def test_the_digest_is_helms():
    assert lock.digest(DECLARED, LOCKED) == DIGEST


@pytest.mark.parametrize(
    ("requirements", "locked"),
    [
        pytest.param((replace(DECLARED[0], version="^1"),), LOCKED, id="another range"),
        pytest.param(DECLARED, (), id="nothing locked"),
        pytest.param(None, LOCKED, id="nothing declared"),
        pytest.param((), LOCKED, id="an empty list is not nothing"),
    ],
)
def test_the_digest_is_of_both_sides(requirements, locked):
    assert lock.digest(requirements, locked) != DIGEST


def test_no_dependencies_and_an_empty_list_of_them_differ():
    assert lock.digest(None, ()) != lock.digest((), ())


def test_a_lock_is_read_and_written_as_helm_does():
    found = lock.read([File("Chart.lock", TEXT.encode())])
    assert found == Lock("2026-11-21T10:42:00.516585229Z", DIGEST, LOCKED)
    assert lock.dump(found) == TEXT


@pytest.mark.parametrize(
    ("names", "digest"),
    [
        pytest.param([], None, id="none"),
        pytest.param(["Chart.lock"], "Chart.lock", id="of today"),
        pytest.param(["requirements.lock"], "requirements.lock", id="of version 1"),
        pytest.param(["requirements.lock", "Chart.lock"], "requirements.lock", id="of both"),
    ],
)
def test_either_file_holds_the_lock(names, digest):
    found = lock.read([File(name, f"digest: {name}".encode()) for name in names])
    assert (found and found.digest) == digest


def test_an_empty_lock_is_none():
    assert lock.read([File("Chart.lock", b"# nothing\n")]) is None


def test_the_lock_of_a_chart_of_version_1_has_another_name():
    assert [lock.file_name(one) for one in (V1, V2)] == ["requirements.lock", "Chart.lock"]


def test_a_lock_that_fits_is_accepted():
    lock.check(V2, Lock("", DIGEST, LOCKED), DECLARED)


def test_a_lock_of_other_dependencies_is_refused_in_helms_words():
    with pytest.raises(LockOutOfSync, match=r"\(Chart\.lock\) is out of sync") as caught:
        lock.check(V2, Lock("", DIGEST, LOCKED), (*DECLARED, *LOCKED))
    assert caught.value.reason == "LockOutOfSync"


def test_a_lock_of_helm_2_is_accepted_for_a_chart_of_its_time_alone():
    held = Lock("", HELM_2_DIGEST, HELM_2_DECLARED)
    lock.check(replace(V1, dependencies=HELM_2_DECLARED), held, HELM_2_DECLARED)
    with pytest.raises(LockOutOfSync):
        lock.check(replace(V2, dependencies=HELM_2_DECLARED), held, HELM_2_DECLARED)


def test_the_lock_of_helm_2_is_of_what_is_written_in_the_chart():
    written = (Dependency("db", "1", "@stable"),)
    held = Lock("", lock.helm2_digest(written), ())
    lock.check(replace(V1, dependencies=written), held, lock.relocated(written, {"@stable": "x"}))
    with pytest.raises(LockOutOfSync, match=r"requirements\.lock"):
        lock.check(replace(V1, dependencies=LOCKED), held, written)


def test_the_first_version_in_range_is_chosen_and_nothing_else_is_kept():
    offered = ["3.0.0", "not a version", "v2.1", "2.0.0", "1.0.0"]
    wanted = Dependency("db", "<3", "https://charts", condition="db.on", alias="store")
    assert lock.choose([wanted], lambda _: offered) == (Dependency("db", "v2.1", "https://charts"),)


def test_what_nobody_is_asked_for_stays_as_declared():
    wanted = Dependency("db", "^1", "")
    assert lock.choose([wanted], lambda _: None) == (wanted,)


def test_all_charts_without_a_version_in_range_are_named_at_once():
    wanted = [Dependency("db", "^1", "https://a"), Dependency("web", "^2", "https://b")]
    with pytest.raises(ChartVersionNotFound) as caught:
        lock.choose(wanted, lambda _: ["0.9.0"])
    assert caught.value.text == (
        "can't get a valid version for 2 subchart(s): "
        '"db" (repository "https://a", version "^1"), '
        '"web" (repository "https://b", version "^2"). '
        "Make sure a matching chart version exists in the repo, "
        "or change the version constraint in Chart.yaml"
    )


def test_a_range_that_is_none_is_refused_by_the_charts_name():
    with pytest.raises(ChartInvalid, match='dependency "db" has an invalid version/constraint'):
        lock.choose([Dependency("db", "one")], lambda _: [])


def test_what_is_declared_and_not_carried_is_missing():
    declared = "dependencies: [{name: db, version: 9.x}, {name: web, version: 1.x}]\n"
    chart = a_chart(
        {
            "Chart.yaml": CHART_YAML.format(name="demo") + declared,
            "charts/db/Chart.yaml": CHART_YAML.format(name="db"),
        }
    )
    assert [one.name for one in lock.missing(chart)] == ["web"]
