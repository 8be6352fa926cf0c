"""Another version of the operator takes a hundred releases as they are: nothing is written."""

import os
import shutil
import subprocess
import sys
import time

import pytest

from tests.builders.live_releases import LiveReleases
from tests.builders.small_charts import settings_chart
from tools.chartrepo import ChartRepository
from tools.controlplane import audit
from tools.controlplane.cluster import ROOT
from tools.running_operator import ACCOUNT, NAMESPACE, RunningOperator, prepare

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

RELEASES = 100
BEFORE = os.environ.get("WHIPSTAFF_UPGRADE_FROM", "HEAD~1")
OPERATOR = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
PATIENCE_SECONDS = 120.0
# What an operator writes for itself; nothing of a release.
OWN = ("leases", "events")


class VersionOfTheOperator(RunningOperator):
    """The operator from another folder, on the libraries of this one."""

    def __init__(self, cluster, name, folder):
        super().__init__(cluster, name, "--identity=the-one")
        self._folder = folder

    def launch(self):
        # What a process imports comes from its folder, that of its worker processes too.
        os.environ["PYTHONPATH"] = str(self._folder / "operator")
        try:
            return super().launch()
        finally:
            del os.environ["PYTHONPATH"]


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """The code of the commit before, without its history."""
    folder = tmp_path_factory.mktemp("before")
    archive = subprocess.run(
        ["git", "archive", BEFORE, "operator", "crds"], cwd=ROOT, capture_output=True, check=False
    )
    if archive.returncode != 0:
        pytest.skip(f"there is no commit {BEFORE} here: {archive.stderr.decode().strip()}")
    subprocess.run(["tar", "-x"], cwd=folder, input=archive.stdout, check=True)
    return folder


@pytest.fixture(scope="module")
def now(tmp_path_factory):
    folder = tmp_path_factory.mktemp("now")
    for name in ("operator", "crds"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


@pytest.fixture
def cluster(own_cluster):
    cluster = own_cluster()
    prepare(cluster)
    cluster.kubectl("create", "namespace", "many")
    return cluster


@pytest.fixture
def releases(cluster):
    with ChartRepository() as repository:
        repository.add(settings_chart())
        yield LiveReleases(cluster, "many", repository.url)


def bodies(releases):
    return releases.api.request("GET", releases.path())["items"]


def until(check, what):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not check():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def replace_operator(cluster, old, version, folder):
    """Do what an installation does: CRDs first, then the new process when the old one has ended."""
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(folder / "crds"))
    old.stop()
    start = cluster.audit_log.stat().st_size
    new = VersionOfTheOperator(cluster, version, folder).start()
    names = {f"release-{number}" for number in range(RELEASES)}

    def looked_at():
        seen = audit.read(cluster.audit_log, start)
        asked = [r.uri for r in seen if r.verb == "list" and r.resource == "secrets"]
        return all(any(f"name%3D{name}%2C" in uri for uri in asked) for name in names)

    until(looked_at, "not every release was looked at")
    new.stop()  # at step borders: what it wants to write is written
    written = audit.writes(cluster.audit_log, start, user=OPERATOR)
    return new, [f"{w.verb} {w.resource} {w.name}" for w in written if w.resource not in OWN]


def test_an_upgrade_of_the_operator_and_the_way_back_write_nothing(cluster, releases, before, now):
    old = VersionOfTheOperator(cluster, "before", before).start()
    for number in range(RELEASES):
        releases.create(f"release-{number}", interval="1h")
    until(
        lambda: all(b.get("status", {}).get("revision") == 1 for b in bodies(releases)),
        "not every release was installed",
    )
    until(
        lambda: all(
            b["status"].get("settledGeneration") == b["metadata"]["generation"]
            for b in bodies(releases)
        ),
        "not every release has settled",
    )
    new, written = replace_operator(cluster, old, "now", now)
    assert written == []
    _, written = replace_operator(cluster, new, "before-again", before)
    assert written == []
    stored = cluster.kubectl("get", "secrets", "-n", "many", "-l", "owner=helm", "-o", "name")
    assert len(stored.split()) == RELEASES


def test_the_folder_decides_which_version_runs(before):
    code = "import whipstaff; print(whipstaff.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(before / "operator")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(str(before))
