"""Repositories and registries behind a proxy, which alone knows their names."""

import hashlib
import json
import os
import subprocess

import pytest
from click.testing import CliRunner
from yarl import URL

from tests.builders.certificates import Authority, served_by
from tests.builders.proxies import LOGIN, a_proxy
from tests.builders.repositories import an_archive
from tests.builders.scripted_server import Reply, ScriptedServer
from tools.controlplane import programs
from whipstaff.cli.main import main
from whipstaff.cli.proxied import proxy_for
from whipstaff.errors import ChartUnavailable
from whipstaff.sources.oci_manifest import ARCHIVE, CONFIG, IMAGE_MANIFEST

HOST = "charts.example"
BLOG = an_archive("blog", "1.0.0")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A repository, and a registry with one chart in it."""
    with ScriptedServer(served_by(Authority(), tmp_path_factory.mktemp("tls"))) as server:
        server.add(archive=BLOG)
        parts = [
            {"mediaType": kind, "digest": digest_of(data), "size": len(data)}
            for kind, data in ((CONFIG, b"{}"), (ARCHIVE, BLOG))
        ]
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": IMAGE_MANIFEST,
                "config": parts[0],
                "layers": parts[1:],
            }
        ).encode()
        kinds = (("Content-Type", IMAGE_MANIFEST), ("Docker-Content-Digest", digest_of(manifest)))
        for name in ("1.0.0", digest_of(manifest)):
            server.replies[f"/v2/team/blog/manifests/{name}"] = Reply(200, manifest, kinds)
        for data in (b"{}", BLOG):
            server.replies[f"/v2/team/blog/blobs/{digest_of(data)}"] = Reply(200, data)
        tags = json.dumps({"name": "team/blog", "tags": ["1.0.0"]}).encode()
        server.replies["/v2/team/blog/tags/list"] = Reply(200, tags)
        server.replies["/v2/"] = Reply(200, b"{}")
        yield server


def digest_of(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.fixture(params=["https", "oci"])
def chart(request, server):
    """The arguments that name the chart: in the repository, and in the registry."""
    port = URL(server.url).port
    if request.param == "https":
        return ["blog", "--repo", f"https://{HOST}:{port}"]
    return [f"oci://{HOST}:{port}/team/blog"]


def environment(proxy, folder, login=f"{LOGIN[0]}:{LOGIN[1]}@", **more):
    return {
        "HTTPS_PROXY": f"http://{login}127.0.0.1:{proxy.port}",
        **{f"HELM_{kind}_HOME": str(folder / kind) for kind in ("CACHE", "CONFIG", "DATA")},
        "HOME": str(folder),
        **more,
    }


def pull(chart, folder, settings, code=0):
    flags = ("--insecure-skip-tls-verify", "-d", str(folder))
    told = CliRunner(env=settings).invoke(main, ["pull", *chart, *flags])
    assert told.exit_code == code, (told.output, told.exception)
    return told.stderr


def test_a_chart_comes_through_the_proxy_that_the_environment_names(chart, server, tmp_path):
    with a_proxy(asks=True, leads={HOST: "127.0.0.1"}) as proxy:
        pull(chart, tmp_path, environment(proxy, tmp_path))
        assert set(proxy.seen) == {("CONNECT", f"{HOST}:{URL(server.url).port}")}
    assert (tmp_path / "blog-1.0.0.tgz").read_bytes() == BLOG


@pytest.mark.cluster
def test_helm_is_led_the_same_way(chart, tmp_path):
    with a_proxy(asks=True, leads={HOST: "127.0.0.1"}) as proxy:
        settings = {**os.environ, **environment(proxy, tmp_path)}
        command = [str(programs.find()["helm"]), "pull", *chart, "--insecure-skip-tls-verify"]
        subprocess.run([*command, "-d", str(tmp_path)], env=settings, check=True)
        theirs = set(proxy.seen)
        proxy.seen.clear()
        pull(chart, tmp_path, environment(proxy, tmp_path))
        assert set(proxy.seen) == theirs


def test_what_is_left_out_is_asked_directly(chart, tmp_path):
    with a_proxy(leads={HOST: "127.0.0.1"}) as proxy:
        settings = environment(proxy, tmp_path, NO_PROXY=f"other.example,.{HOST},{HOST}")
        pull(chart, tmp_path, settings, code=1)
        assert proxy.seen == []


def test_a_proxy_that_refuses_is_named_and_its_login_is_not(chart, tmp_path):
    with a_proxy(asks=True) as proxy:
        settings = environment(proxy, tmp_path, login="ann:wrong@")
        told = pull(chart, tmp_path, settings, code=1)
    assert "Proxy Authentication Required" in told
    assert "wrong" not in told


def test_a_proxy_that_is_away_is_told(chart, tmp_path):
    with a_proxy() as proxy:
        settings = environment(proxy, tmp_path, login="ann:hidden@")
    told = pull(chart, tmp_path, settings, code=1)
    assert "no connection to the proxy" in told
    assert "hidden" not in told


@pytest.mark.parametrize("named", ["socks5://ann:hidden@proxy", "http://", "ftp://proxy", "//["])
def test_a_proxy_that_cannot_be_used_is_refused_without_its_login(monkeypatch, named):
    monkeypatch.setenv("HTTPS_PROXY", named)
    with pytest.raises(ChartUnavailable, match="cannot be used") as raised:
        proxy_for(URL(f"https://{HOST}"))
    assert "hidden" not in raised.value.text


def test_this_machine_is_asked_directly(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "proxy:3128")
    assert proxy_for(URL("https://127.0.0.1:5000")) is None
    assert proxy_for(URL("https://localhost")) is None
    assert proxy_for(URL("https://charts.example")) == URL("http://proxy:3128")
