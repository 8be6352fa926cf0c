"""Every command of the documentation runs, and every file in it is one that the cluster takes."""

import os
import shutil
import stat
import sys
from pathlib import Path

import pytest
import yaml

from tests.builders import pages
from tools.chartrepo import ChartRepository
from tools.controlplane import programs
from tools.controlplane.client import Refused
from tools.controlplane.cluster import ROOT, Cluster
from tools.running_operator import ACCOUNT, NAMESPACE, RunningOperator

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

INSTALLS = ("$ helm upgrade --install whipstaff ", "$ kubectl apply --server-side -k deploy/")
CHARTS = "https://charts.example.com"
PEERS = Path(__file__).parent / "peers"  # kinds of other operators
BLOG = ROOT / "charts" / "samples" / "blog"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RUN = [page for page in PAGES if any(pages.commands(b) for b in pages.blocks(page))]


@pytest.fixture(scope="module")
def repository():
    with ChartRepository() as served:
        for version in ("1.0.0", "1.1.0", "2.0.0"):
            served.add(BLOG, version=version)
        yield served


@pytest.fixture
def cluster(tmp_path):
    """A control plane of the page's own: pages install the operator, and take it away again."""
    own = Cluster(tmp_path / "cluster", programs.find())
    yield own.start(guarded=True)
    own.stop(grace_seconds=0.0)


@pytest.fixture
def folder(tmp_path):
    """What a reader has before them: a clone."""
    clone = tmp_path / "whipstaff"
    clone.mkdir()
    for name in ("charts", "deploy", "crds"):
        shutil.copytree(ROOT / name, clone / name)
    return clone


@pytest.fixture
def environment(cluster, tmp_path):
    """The commands of the pages on the PATH, for the cluster of the page."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("kubectl", "helm"):
        (tools / name).symlink_to(cluster.programs[name])
    whipstaff = tools / "whipstaff"
    whipstaff.write_text(f'#!/bin/sh\nexec {sys.executable} -m whipstaff "$@"\n')
    whipstaff.chmod(whipstaff.stat().st_mode | stat.S_IXUSR)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, **cluster.environment(), "PATH": path}


class Installation:
    """Whipstaff as its own chart installs it, and an operator that works with its rights."""

    def __init__(self, cluster):
        self._cluster = cluster
        self._operator = RunningOperator(cluster)
        self._path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{ACCOUNT}"

    def install(self):
        chart = str(ROOT / "charts" / "whipstaff")
        self._cluster.helm("install", "whipstaff", chart, "-n", NAMESPACE, "--create-namespace")

    def follow(self):
        """Run the operator once it is installed: here, pods are only said to run."""
        if self._operator.process is None and self._installed():
            self._operator.start()

    def _installed(self):
        try:
            return self._cluster.api.request("GET", self._path)
        except Refused:
            return False


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_every_command_of_a_page_does_what_the_page_says(
    page, cluster, folder, environment, repository
):
    installation = Installation(cluster)
    if not any(command in page.read_text(encoding="utf-8") for command in INSTALLS):
        installation.install()
        installation.follow()
    for peer in PEERS.glob("*.yaml"):
        if page.stem.endswith(peer.stem):
            cluster.kubectl("apply", "-f", str(peer))
            cluster.await_definitions("-f", str(peer))
    replaced = {CHARTS: repository.url}
    problems = pages.run_page(page, folder, environment, replaced, installation.follow)
    assert "\n\n".join(problems) == ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_yaml_of_a_page_can_be_read(page):
    for block in pages.blocks(page):
        if block.language == "yaml":
            assert list(yaml.safe_load_all(block.text)), f"line {block.line}"
