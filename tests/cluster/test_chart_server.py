"""Releases from our own chart server: installed, and upgraded by an upload."""

import re
import subprocess
import sys
import urllib.request

import pytest

from tests.builders.live_repositories import LiveRepositories, basic
from tests.builders.small_charts import settings_chart

LOGIN = {"username": "ci", "password": "canary-77aa"}


@pytest.fixture
def server(tmp_path):
    """`whipstaff serve` with a login, and what uploads to it."""
    file = tmp_path / "credentials.yaml"
    file.write_text(f"- {{user: {LOGIN['username']}, password: {LOGIN['password']}}}\n")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "whipstaff", "serve", "--address", "127.0.0.1:0"),
            *("--repo-path", str(tmp_path / "charts"), "--depth", "1"),
            *("--credentials", str(file)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        yield re.search(r"http://\S+", process.stdout.readline()).group()
        process.terminate()
        assert process.wait(timeout=60) == 0


def upload(server, archive):
    request = urllib.request.Request(f"{server}/api/team/charts", data=archive)
    request.add_header("Authorization", basic(**LOGIN))
    request.add_header("Content-Type", "application/gzip")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 201


def test_an_uploaded_version_is_rolled_out_to_the_releases_of_its_range(
    server, operator, namespace
):
    repositories = LiveRepositories(operator.cluster, namespace)
    repositories.secret("login", **LOGIN)
    upload(server, settings_chart("1.0.0"))
    repositories.create("team", f"{server}/team", interval="1s", secretRef={"name": "login"})
    repositories.use("blog", "team", version="^1", values={"text": "a"}, interval="1h")
    releases = repositories.releases
    releases.settled("blog", revision=1)
    assert releases.data("blog")["chart"] == "1.0.0"
    upload(server, settings_chart("2.0.0"))
    upload(server, settings_chart("1.1.0"))
    releases.settled("blog", revision=2)
    assert releases.data("blog")["chart"] == "1.1.0"
    assert repositories.ready("team")["status"]["charts"] == 1
