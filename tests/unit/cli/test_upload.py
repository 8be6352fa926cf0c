"""`whipstaff package --push`: into chart servers and registries."""

import asyncio

import pytest

from tests.builders.chart_servers import a_chart_server, a_credential
from tests.builders.helm_commands import run
from tests.builders.oci_registry import HelmClient, OCIRegistry
from tests.builders.signatures import Signer
from whipstaff.server.access import Access, Scope

CHART = "apiVersion: v2\nname: blog\nversion: 1.0.0\n"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "blog"
    folder.mkdir()
    (folder / "Chart.yaml").write_text(CHART)
    (tmp_path / "jo.gpg").write_bytes(Signer().secret)
    return folder


@pytest.fixture
def pack(folder, monkeypatch):
    """Pack, sign and push a chart in another thread: the server is in this one's loop."""
    monkeypatch.setenv("HELM_CONFIG_HOME", str(folder.parent / "config"))

    async def pack(target, *flags):
        arguments = (
            *("package", str(folder), "-d", str(folder.parent / "packed")),
            *("--sign", "--key", "jo", "--keyring", str(folder.parent / "jo.gpg")),
            *("--push", target, *flags),
        )
        return await asyncio.to_thread(run, *arguments)

    return pack


def stored(storage):
    return sorted(str(path.relative_to(storage)) for path in storage.rglob("blog-*"))


BOTH = ["blog-1.0.0.tgz", "blog-1.0.0.tgz.prov"]


@pytest.mark.parametrize("path", ["", "/", "/charts"], ids=["as it is", "a slash", "helm serve's"])
async def test_an_archive_and_its_signature_are_uploaded(tmp_path, pack, path):
    storage = tmp_path / "storage"
    async with a_chart_server(storage) as server:
        stdout, stderr, code = await pack(server.url + path)
    assert (stderr, code) == ("", 0)
    assert f"Pushed: blog-1.0.0.tgz to {server.url}{path}\nDigest: sha256:" in stdout
    assert stored(storage) == BOTH


async def test_a_repository_of_several_is_named_by_its_path(tmp_path, pack):
    storage = tmp_path / "storage"
    async with a_chart_server(storage, depth=1, context_path="/all") as server:
        (storage / "team").mkdir(parents=True, exist_ok=True)
        _stdout, stderr, code = await pack(f"{server.url}/team")
    assert (stderr, code) == ("", 0)
    assert stored(storage) == [f"team/{name}" for name in BOTH]


async def test_a_repository_goes_by_the_name_that_helm_knows(tmp_path, pack):
    storage, config = tmp_path / "storage", tmp_path / "config" / "repositories.yaml"
    config.parent.mkdir()
    async with a_chart_server(storage) as server:
        config.write_text(f"repositories: [{{name: local, url: '{server.url}/charts'}}]\n")
        assert (await pack("local"))[2] == 0
        _stdout, stderr, code = await pack("nobodys")
    assert stored(storage) == BOTH
    assert (stderr, code) == ("Error: repo nobodys not found\n", 1)


async def test_who_may_not_write_is_told(tmp_path, pack):
    access = Access((a_credential("jo", "secret"),), anonymous=frozenset({Scope.READ}))
    storage = tmp_path / "storage"
    async with a_chart_server(storage, access=access) as server:
        _stdout, stderr, code = await pack(server.url)
        assert code == 1
        assert "does not take the chart: 401" in stderr
        assert stored(storage) == []
        assert (await pack(server.url, "--username", "jo", "--password", "secret"))[2] == 0
    assert stored(storage) == BOTH


async def test_a_chart_that_is_there_is_not_replaced(tmp_path, pack, folder):
    async with a_chart_server(tmp_path / "storage") as server:
        assert (await pack(server.url))[2] == 0
        (folder / "README.md").write_text("another")
        _stdout, stderr, code = await pack(server.url)
    assert code == 1
    assert "does not take the chart: 409" in stderr


@pytest.mark.parametrize(
    ("target", "text"),
    [
        pytest.param("ftp://x", "could not find protocol handler for: ftp", id="another scheme"),
        pytest.param("http://127.0.0.1:1", "connection refused", id="nobody answers"),
    ],
)
async def test_what_cannot_be_pushed_to_is_named(pack, target, text):
    _stdout, stderr, code = await pack(target)
    assert code == 1
    assert text in stderr


@pytest.mark.registry
@pytest.mark.cluster
async def test_an_archive_is_pushed_into_a_registry(tmp_path, pack):
    with OCIRegistry(tmp_path / "registry") as registry:
        stdout, stderr, code = await pack(registry.url("a"))
        assert (stderr, code) == ("", 0)
        helm = HelmClient(tmp_path / "helm")
        helm.run("pull", f"{registry.url('a')}/blog", "--prov", "-d", tmp_path, "--plain-http")
    assert f"Pushed: {registry.host}/a/blog:1.0.0\nDigest: sha256:" in stdout
    packed = (tmp_path / "packed" / "blog-1.0.0.tgz").read_bytes()
    assert (tmp_path / "blog-1.0.0.tgz").read_bytes() == packed
    assert (tmp_path / "blog-1.0.0.tgz.prov").exists()
