"""The helm command and its plugin for uploads, with our server; and our index beside helm's."""

import asyncio
import re

import pytest
import yaml

from tests.builders.certificates import Authority
from tests.builders.chart_servers import (
    OPEN,
    a_chart,
    a_chart_server,
    a_credential,
    basic,
    put,
)
from tools.controlplane import programs
from whipstaff.chart import archive
from whipstaff.server.access import Access
from whipstaff.serving.listener import TLS

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]

ODD = {
    "plain": "",
    "123": "appVersion: 1.10\n",
    "true": 'appVersion: "true"\n',
    "A_b.c": "",
    "long": f"description: {'many words ' * 30}\n",
    "lines": "description: |\n  first\n\n    third\nannotations:\n  a: |\n    x\n\n    y\n",
    "signs": 'description: "<a> & \\"b\\" é \\u2028 #: \\t"\nkeywords: ["yes", "null", "0x1"]\n',
    "full": """\
type: application
home: https://example.com
sources: [https://example.com/a, https://example.com/b]
icon: https://example.com/icon.svg
kubeVersion: ">=1.20.0-0"
deprecated: true
condition: some.value
tags: a,b
maintainers: [{name: One, email: one@example.com}, {name: Two, url: https://example.com}]
annotations: {category: Database, "10": ten, "9": nine, Z: z, a: a}
dependencies:
- {name: lib, version: ">=1.0.0", repository: "https://example.com", alias: other, tags: [x],
   condition: lib.enabled, import-values: [data, {child: a, parent: b}]}
- {name: local, version: "*", repository: ""}
""",
}
VERSIONS = (
    "1.0.0",
    "v1.2.0",
    "1.10.0",
    "1.9.9",
    "2.0.0-rc.1",
    "2.0.0-rc.1+b.7",
    "0.1.0+x-y",
    "1.2",
)
TIMES = re.compile(rb'^( *created|generated): "?[^"\n]*"?$', re.MULTILINE)


class Helm:
    """The helm command with a home of its own."""

    def __init__(self, folder):
        self._folder = folder
        kinds = ("CACHE", "CONFIG", "DATA")
        self._environment = {f"HELM_{kind}_HOME": str(folder / kind) for kind in kinds}

    async def __call__(self, *arguments):
        process = await asyncio.create_subprocess_exec(
            programs.find()["helm"],
            *map(str, arguments),
            cwd=self._folder,
            env=self._environment | {"PATH": "/usr/bin:/bin", "HOME": str(self._folder)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()
        return output.decode()


@pytest.fixture
def helm(tmp_path):
    folder = tmp_path / "helm"
    folder.mkdir()
    return Helm(folder)


async def compared(folder, helm):
    """Our index and helm's of a folder, without times."""
    async with a_chart_server(folder, chart_bytes=20 << 20) as ask:
        ours = (await ask.get("/index.yaml")).body
    await helm("repo", "index", folder, "--url", "charts")
    theirs = (folder / "index.yaml").read_bytes()
    return TIMES.sub(rb"\1: T", ours), TIMES.sub(rb"\1: T", theirs)


async def test_the_index_is_that_of_helm_to_the_byte(tmp_path, helm):
    folder = tmp_path / "charts"
    for name, extra in ODD.items():
        put(folder, a_chart(name, extra=extra), f"{name}-1.0.0.tgz")
    for version in VERSIONS:
        put(folder, a_chart("versions", version), f"versions-{version}.tgz")
    ours, theirs = await compared(folder, helm)
    assert ours.decode() == theirs.decode()


@pytest.mark.corpus
async def test_the_index_of_real_charts_is_that_of_helm_to_the_byte(tmp_path, helm, corpus):
    folder = tmp_path / "charts"
    for file in sorted(corpus.glob("*/chart.tgz")):
        data = file.read_bytes()
        chart = archive.load(data).metadata
        put(folder, data, f"{chart.name}-{chart.version}.tgz")
    ours, theirs = await compared(folder, helm)
    assert ours.decode() == theirs.decode()


async def test_helm_adds_the_repository_searches_it_and_pulls_from_it(tmp_path, helm):
    access = Access((a_credential("ci", "secret"),))
    async with a_chart_server(tmp_path / "charts", access=access, depth=1) as ask:
        login = basic("ci", "secret")
        for version in VERSIONS:
            answer = await ask.upload(a_chart("demo", version), "/api/team/charts", headers=login)
            assert answer.status == 201
        login = ("--username", "ci", "--password", "secret")
        await helm("repo", "add", "ours", f"{ask.url}/team", *login)
        assert "ours/demo\t1.10.0" in await helm("search", "repo", "demo")
        await helm("pull", "ours/demo", "--version", "0.1.0+x-y")
        await helm("pull", "ours/demo")
    for version in ("0.1.0+x-y", "1.10.0"):
        assert (tmp_path / "helm" / f"demo-{version}.tgz").read_bytes() == a_chart("demo", version)


async def test_the_address_of_helm_serve_works_as_it_did(tmp_path, helm):
    put(tmp_path / "charts", a_chart())
    async with a_chart_server(tmp_path / "charts") as ask:
        await helm("repo", "add", "local", f"{ask.url}/charts")
        await helm("pull", "local/demo")
    assert (tmp_path / "helm" / "demo-1.0.0.tgz").read_bytes() == a_chart()


@pytest.mark.parametrize(("depth", "context"), [(0, ""), (2, ""), (0, "/museum"), (1, "/museum")])
async def test_the_upload_plugin_finds_its_way(tmp_path, depth, context):
    """`helm cm-push` reads the index for the context path, and puts `api` behind that."""
    access = Access((a_credential("ci", "secret"), a_credential("", "t0ken")))
    tenant = "/org/team"[: depth * 5] if depth == 2 else "/team"[: depth * 5]
    async with a_chart_server(tmp_path, access=access, depth=depth, context_path=context) as ask:
        server = ask.url.removesuffix(context)
        ask.url = server
        base = f"{context}{tenant}"
        token = {"Authorization": "Bearer t0ken"}
        index = yaml.safe_load((await ask.get(f"{base}/index.yaml", headers=token)).body)
        found = (index.get("serverInfo") or {}).get("contextPath", "")
        assert found == context
        api = f"{found}/api{base.removeprefix(found)}/charts"
        assert (await pushed(ask, api, token)).status == 201
        refused = await pushed(ask, api, token)
        assert (refused.status, refused.json["error"]) == (409, "chart already exists")
        assert (await pushed(ask, f"{api}?force", token)).status == 201
        login = basic("ci", "secret")
        assert (await pushed(ask, f"{api}?force", login)).status == 201
        # Its way of downloading, for cm:// URLs.
        fetched = await ask.get(f"{base}/charts/demo-1.0.0.tgz", headers=token)
        assert fetched.body == a_chart()


async def pushed(ask, path, headers):
    """Send what the plugin sends: one part, named by the file's whole path, of unknown length."""
    boundary = "0123456789abcdef" * 3
    head = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="chart"; filename="/tmp/helm-push-1/demo-1.0.0.tgz"'
        "\r\nContent-Type: application/octet-stream\r\n\r\n"
    )

    async def body():
        yield head.encode()
        yield a_chart()
        yield f"\r\n--{boundary}--\r\n".encode()

    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}", "User-Agent": "Go-http"}
    return await ask("POST", path, data=body(), headers={**headers, **kind})


async def test_helm_takes_the_charts_over_tls_and_shows_a_certificate(tmp_path, helm):
    authority, own = Authority(), Authority("of clients")

    def kept(name, text):
        file = tmp_path / name
        file.write_text(text)
        return file

    certificate, key = authority.issue()
    tls = TLS(kept("tls.crt", certificate), kept("tls.key", key), kept("clients.crt", own.pem))
    trusted = kept("ca.crt", authority.pem)
    put(tmp_path / "charts", a_chart())
    async with a_chart_server(tmp_path / "charts", access=OPEN, tls=tls) as ask:
        certificate, key = own.issue("someone")
        shown = ("--cert-file", kept("own.crt", certificate), "--key-file", kept("own.key", key))
        files = ("--ca-file", trusted, *shown)
        await helm("repo", "add", "ours", ask.url, *files)
        await helm("pull", "ours/demo")
        with pytest.raises(AssertionError, match="cannot be reached"):
            await helm("repo", "add", "other", ask.url, "--ca-file", trusted)
