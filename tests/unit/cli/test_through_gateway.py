"""The release half through a gateway: what it prints and writes is what it does without one."""

import base64

import aiohttp
import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.builders.both_ways import BothWays, BreakingLine, ShownApiServer, facts, run
from tests.builders.certificates import Authority, served_by
from tests.builders.charts import packed
from tests.builders.little_api_server import a_gateway, a_release
from tests.builders.releases import a_hook, a_revision
from whipstaff.cli import chart_choice
from whipstaff.cli.helm_home import HelmHome, Repositories, RepositoryEntry
from whipstaff.release.revision import HookEvent, ReleaseStatus
from whipstaff.serving.listener import TLS

TEXT = """apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data: {password: hunter2-and-more}
"""
HISTORY = [{"revision": number, "chart": "blog", "version": "1.2.3"} for number in (3, 2, 1)]
READS = [
    "list",
    "list -A -o json",
    "list -q --superseded",
    "list -n none",
    "ls --filter (",
    "history blog",
    "history blog -o yaml --max 1",
    "history none",
    "status blog",
    "status blog -o json",
    "status blog --revision 1 -o yaml",
    "status none",
    "get all blog",
    "get values blog -o yaml",
    "get values blog -a --revision 2",
    "get manifest blog",
    "get hooks blog",
    "get notes blog",
    "get metadata blog -o json",
    "get manifest blog --revision 9",
    "get manifest none",
    "plan blog",
    "plan none",
    "wait blog",
    "wait none",
]
WRITES = [
    "rollback blog --no-wait",
    "rollback blog 1 --no-wait",
    "rollback blog 1 --no-wait --no-hooks",
    "rollback blog 1 --dry-run=client",
    "rollback blog 1 --dry-run=server",
    "pin blog",
    "pin blog 2",
    "unpin blog",
    "suspend blog",
    "resume blog",
    "reconcile blog --force --reset --wait",
    "approve blog sha256:ab",
    "test blog",
    "test blog --logs",
    "uninstall blog --no-wait",
    "uninstall blog --no-wait --keep-history --no-hooks --wait=hookOnly --cascade orphan",
    "uninstall blog --dry-run",
    "uninstall none --ignore-not-found",
    "install new stable/blog --no-wait --set a=1",
    "install new stable/blog --no-wait --dry-run=server",
    'upgrade blog stable/blog --no-wait --set a=1 --set-json b={"c":null}',
    "upgrade blog stable/blog --no-wait --reuse-values --set nested.a=3",
    "upgrade blog stable/blog --no-wait --reset-values --timeout 90s --no-hooks",
    "upgrade new stable/blog --no-wait --install",
]
REFUSED = [
    "rollback blog 9 --no-wait",
    "reconcile none",
    "approve blog sha256:cd",
    "test blog --filter name=bad",
    "uninstall none",
    "install blog stable/blog --no-wait",
    "install new stable/blog --no-wait -n none",
    "upgrade new stable/blog --no-wait",
]


@pytest.fixture
def server():
    plan = {"digest": "sha256:ab", "action": "upgrade", "secretName": "whipstaff.plan.blog"}
    release = a_release(history=HISTORY, revision=3, plan=plan, observedGeneration=1)
    release["metadata"]["generation"] = 1
    release["spec"]["values"] = {"title": "one", "nested": {"a": 1, "b": 2}}
    release["spec"] |= {"revision": 2, "suspend": False}
    found = ShownApiServer(release)
    for number in (1, 2, 3):
        status = ReleaseStatus.DEPLOYED if number > 2 else ReleaseStatus.SUPERSEDED
        hook = a_hook(name="good", events=(HookEvent.TEST,))
        found.store(a_revision(number, name="blog", manifest=TEXT, status=status, hooks=(hook,)))
    data = {"plan": "~ ConfigMap web/settings\n", "digest": "sha256:ab"}
    found.secrets["web", "whipstaff.plan.blog"] = {
        "data": {key: base64.b64encode(text.encode()).decode() for key, text in data.items()},
        "metadata": {"labels": {}},
    }
    pods = "/api/v1/namespaces/web/pods/good"
    found.objects[pods] = {"spec": {"containers": [{"name": "c"}]}}
    found.logs[f"{pods}/log"] = "it ran\né\n"
    found.objects["/api/v1/namespaces/web/configmaps/settings"] = {
        "kind": "Table",
        "columnDefinitions": [{"name": "Name"}],
        "rows": [{"cells": ["settings"]}],
    }
    found.allow("alice", "*", "*")
    return found


@pytest.fixture
def charts(monkeypatch, tmp_path):
    """Have `stable/blog` be a chart of a repository."""
    folders = {f"HELM_{kind}_HOME": str(tmp_path) for kind in ("CACHE", "CONFIG", "DATA")}
    for name, text in folders.items():
        monkeypatch.setenv(name, text)
    with HelmHome.of(folders).changing_repositories() as write:
        write(Repositories().with_entry(RepositoryEntry("stable", "https://charts.example.com")))
    archive = tmp_path / "blog-1.2.0.tgz"
    archive.write_bytes(packed({"Chart.yaml": "apiVersion: v2\nname: blog\nversion: 1.2.0\n"}, "b"))
    monkeypatch.setattr(chart_choice, "located", lambda *_: archive)
    return archive


@pytest.fixture
async def ways(server):
    async with a_gateway(server) as ask:
        yield BothWays(ask)


async def test_what_is_read_is_printed_the_same(ways):
    # One gateway for all lines: to start one takes longer than all of them.
    for line in READS:
        (directly, _), (through, _) = await ways.both(*line.split())
        assert (line, *facts(through)) == (line, *facts(directly))
        assert directly.exit_code in (0, 1)
        assert directly.output or line == "get notes blog"


async def test_who_may_not_is_told_so_in_the_same_words(ways):
    for line in ("list", "history blog", "status blog", "get all blog", "pin blog"):
        (directly, _), (through, _) = await ways.both(*line.split(), token="bob-token")
        assert (line, *facts(through)) == (line, *facts(directly))
        assert directly.exit_code == 1
        assert "forbidden" in directly.stderr


async def test_what_is_written_asks_for_the_same(ways, charts):
    for line in (*WRITES, *REFUSED):
        (directly, wanted), (through, asked) = await ways.both(*line.split())
        assert (line, *facts(through)) == (line, *facts(directly))
        assert (line, asked) == (line, wanted)
        assert (line, directly.exit_code) == (line, line in REFUSED)


async def test_a_field_that_went_is_not_there_behind_the_gateway_either(ways, charts, server):
    server.releases["web", "blog"]["spec"]["chart"] |= {"verify": {"keys": {"a": "b"}}}
    _, (_, asked) = await ways.both("upgrade", "blog", "stable/blog", "--no-wait")
    assert asked["web", "blog"][0]["chart"] == {
        "name": "blog",
        "version": "1.2.0",
        "repository": "https://charts.example.com",
    }


async def test_long_lists_come_in_pages(ways, server):
    for number in range(60):
        server.store(a_revision(1, name=f"r{number:02}"))
    told = await ways.through("list", "-q")
    assert told.stdout.split() == ["blog", *(f"r{number:02}" for number in range(60))]
    wholes = [query for _, query in server.selections if "status!=" in query["labelSelector"]]
    assert {query["limit"] for query in wholes} == {"25"}


async def test_what_breaks_off_is_asked_for_again_and_done_once(ways, charts, server):
    lines = ("pin blog 1", "upgrade blog stable/blog --no-wait --set a=1", "suspend blog")
    for line in (*lines, "install new stable/blog --no-wait", "uninstall blog --no-wait"):
        server.writes.clear()
        async with (
            aiohttp.ClientSession() as session,
            BreakingLine(ways.gateway, session) as breaking,
        ):
            breaking.breaks = 2
            told = await ways.through(*line.split(), url=breaking.url)
        assert told.exit_code == 0, told.output
        sent = [headers for method, _, headers in breaking.seen if method != "GET"]
        assert len(sent) == 3, line
        assert len({headers["Idempotency-Key"] for headers in sent}) == 1
        assert len(server.writes) == 1, line


async def test_a_line_that_stays_broken_ends_in_a_sentence(ways, server, monkeypatch):
    monkeypatch.setattr("whipstaff.cli.gateway_client.FIRST_PAUSE_SECONDS", 0)
    async with (
        aiohttp.ClientSession() as session,
        BreakingLine(ways.gateway, session) as breaking,
    ):
        breaking.breaks = 99
        told = await ways.through("pin", "blog", "1", url=breaking.url)
    assert told.exit_code == 1
    assert told.stderr.startswith(f"Error: kubernetes cluster unreachable: {breaking.url}: ")
    assert len(server.writes) == 1


async def test_a_gateway_makes_no_secrets_and_no_namespaces(ways, charts, server):
    told = await ways.through("install", "new", str(charts), "--no-wait")
    assert (told.exit_code, "takes no Secrets" in told.stderr) == (1, True)
    words = ("install", "new", "stable/blog", "-n", "none", "--create-namespace", "--no-wait")
    told = await ways.through(*words)
    assert (told.exit_code, "makes no namespaces" in told.stderr) == (1, True)
    assert not server.writes


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["init"], "goes through no gateway"),
        (["reset"], "goes through no gateway"),
        (["convert", "--from-cluster"], "goes through no gateway"),
    ],
)
async def test_what_goes_through_no_gateway_says_so(words, said):
    for way in (
        {"words": (*words, "--server", "https://gw.example"), "environment": {}},
        {"words": words, "environment": {"WHIPSTAFF_SERVER": "https://gw.example"}},
    ):
        told = await run(*way["words"], **way["environment"])
        assert told.exit_code == 1
        assert said in told.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--server", "http://gw.example"], "without TLS"),
        (["--server", "http://127.0.0.1.gw.example"], "without TLS"),
        (["--server", "http://10.0.0.1:80"], "without TLS"),
        (["--server", "https://me:secret@gw.example"], "no place for a login"),
        (["--server", "gw.example"], "has to be a URL"),
        (["--server", "ftp://gw.example"], "has to be a URL"),
        (["--server", "https://gw.example?x=1"], "has to be a URL"),
        (["--server", "https://gw.example:port"], "is no URL"),
        (["--server", "https://gw.example", "--server-ca-file", "/none"], "/none: no such file"),
        (["--server", "https://gw.example", "--kube-as-user", "root"], "--kube-as-user"),
        (["--cluster", "east"], "--server"),
    ],
)
async def test_a_way_that_cannot_be_is_refused_before_anything_is_sent(words, said):
    told = await run("list", *words, "--server-token", "token-of-mine")
    assert told.exit_code == 1
    assert said in told.stderr
    assert "token-of-mine" not in told.output
    assert "secret" not in told.output


async def test_a_token_with_odd_letters_is_no_token():
    for token in ("a\r\nX-Other: b", "t\u00f6ken"):
        told = await run("list", "--server", "https://gw.example", "--server-token", token)
        assert "letters that no token has" in told.stderr


async def test_the_environment_says_which_gateway(ways):
    told = await run(
        "list", "-q", WHIPSTAFF_SERVER=ways.gateway, WHIPSTAFF_SERVER_TOKEN="alice-token"
    )
    assert (told.exit_code, told.stdout) == (0, "blog\n")


def a_kubeconfig(tmp_path, **user):
    context = {"cluster": "c", "user": "u", "namespace": "web"}
    file = tmp_path / "kubeconfig"
    file.write_text(
        yaml.safe_dump(
            {
                "current-context": "x",
                "contexts": [{"name": "x", "context": context}],
                "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
                "users": [{"name": "u", "user": user}],
            }
        )
    )
    return str(file)


async def test_the_token_and_namespace_of_a_kubeconfig_count(ways, server, tmp_path):
    kubeconfig = a_kubeconfig(tmp_path, token="alice-token")
    words = ("--kubeconfig", kubeconfig, "--server", ways.gateway)
    told = await run("list", "-q", *words, HELM_NAMESPACE="")
    assert (told.exit_code, told.stdout) == (0, "blog\n")
    assert server.requests[-1]["user"] == "alice"


async def test_a_login_of_a_kubeconfig_that_is_no_token_goes_nowhere(ways, tmp_path):
    kubeconfig = a_kubeconfig(tmp_path, username="me", password="hunter2")
    told = await run("list", "--kubeconfig", kubeconfig, "--server", ways.gateway)
    assert told.exit_code == 1
    assert "the kubeconfig's user has no token" in told.stderr


async def test_who_is_nobody_to_the_gateway_is_told_by_it(ways):
    told = await ways.through("list", token="nobody")
    assert told.exit_code == 1
    assert f"{ways.gateway}: " in told.stderr


async def test_a_server_that_is_no_gateway_is_told_apart_from_one_without_the_release(ways, server):
    told = await ways.through("pin", "blog", "1", url=server.url)
    assert told.exit_code == 1
    assert f"{server.url} is no gateway" in told.stderr


async def test_an_unknown_cluster_of_the_gateway_is_named(ways):
    told = await ways.through("list", "--cluster", "east")
    assert (told.exit_code, "there is no cluster east" in told.stderr) == (1, True)
    told = await ways.through("list", "-q", "--cluster", "local")
    assert told.stdout == "blog\n"


async def test_a_gateway_s_certificate_is_checked(server, tmp_path):
    authority = Authority()
    served_by(authority, tmp_path)
    (tmp_path / "ca.crt").write_text(authority.pem)
    tls = TLS(tmp_path / "server.crt", tmp_path / "server.key")
    async with a_gateway(server, tls=tls) as ask:
        told = await BothWays(ask).through("list")
        assert told.exit_code == 1
        assert "its certificate is not trusted" in told.stderr
        told = await BothWays(ask).through("list", "-q", "--server-ca-file", f"{tmp_path}/ca.crt")
        assert (told.exit_code, told.stdout) == (0, "blog\n")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        pytest.param(200, "the answer is ", id="a page in place of an answer"),
        pytest.param(302, "is no gateway", id="a login elsewhere"),
        pytest.param(404, "is no gateway", id="nothing there"),
        pytest.param(503, "answers 503", id="nobody behind it"),
    ],
)
async def test_what_answers_in_place_of_a_gateway_is_told(status, said):
    asked = []

    async def answer(request):
        asked.append(request.path)
        where = {"Location": "https://login.example/"} if status == 302 else {}
        return web.Response(status=status, text="<html>", content_type="text/html", headers=where)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as served:
        url = str(served.make_url("")).rstrip("/")
        told = await run("list", "--server", url, "--server-token", "x")
    assert told.exit_code == 1
    assert said in told.stderr
    assert len(told.stderr.splitlines()) == 1
    assert len(asked) == 1
