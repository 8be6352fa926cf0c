"""`whipstaff pull` and CHART of other commands: charts from repositories and URLs, beside helm."""

import base64
import gzip
import hashlib
import io
import os
import pty
import subprocess
import sys
import tarfile

import pytest

from tests.builders.beside_helm import Beside
from tests.builders.charts import packed
from tests.builders.helm_commands import run
from tests.builders.repositories import an_archive
from tests.builders.scripted_server import Reply, ScriptedServer
from tests.builders.signatures import Signer

CANARY = "canary-77"
LOGIN = f"Basic {base64.b64encode(f'jo:{CANARY}'.encode()).decode()}"
FLAGS = ("--username", "jo", "--password", CANARY)
BLOG = an_archive("blog", "1.0.0", **{"templates/a.yaml": "a: {{ .Release.Name }}\n"})


@pytest.fixture(scope="module")
def signer():
    return Signer()


def proof_of(signer, archive, file):
    digest = f"sha256:{hashlib.sha256(archive).hexdigest()}"
    return signer.sign(f"name: blog\n\n...\nfiles:\n  {file}: {digest}\n")


@pytest.fixture(scope="module")
def served(signer):
    with ScriptedServer() as server:
        server.add(archive=BLOG)
        server.add(version="1.1.0")
        server.add(version="2.0.0-rc1")
        server.add("shop", "0.1.0", digest="")
        server.add("nowhere", "0.1.0", urls=[])
        server.add("odd", "0.1.0", digest="abc")
        server.add("none", "0.1.0", digest="sha256:xy")
        server.replies["/blog-1.0.0.tgz.prov"] = Reply(
            body=proof_of(signer, BLOG, "blog-1.0.0.tgz")
        )
        server.replies["/blog-1.1.0.tgz.prov"] = Reply(
            body=proof_of(signer, BLOG, "blog-1.1.0.tgz")
        )
        yield server


@pytest.fixture
def beside(tmp_path, served, signer):
    beside = Beside(tmp_path)
    other = Signer("al <al@example.com>")
    beside.lay_out({"keys.gpg": signer.public, "others.gpg": other.public, "there/x": "x"})
    beside.run("repo", "add", "r", served.url)
    return beside


@pytest.fixture
def home(tmp_path, monkeypatch):
    for kind in ("CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"HELM_{kind}_HOME", str(tmp_path / kind))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


@pytest.mark.cluster
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["r/blog"], id="the newest"),
        pytest.param(["r/blog", "--devel"], id="a pre-release"),
        pytest.param(["r/blog", "--version", "1.0.0"], id="a version"),
        pytest.param(["r/blog", "--version", "~1.0", "-d", "there"], id="a range, elsewhere"),
        pytest.param(["r/blog", "--version", "1.0"], id="a version in part"),
        pytest.param(["r/blog", "r/shop"], id="two"),
        pytest.param(["blog", "--repo", "URL"], id="of a repository that is not added"),
        pytest.param(["URL/blog-1.0.0.tgz"], id="by URL"),
        pytest.param(["r/blog", "--untar"], id="unpacked"),
        pytest.param(["r/blog", "--untar", "--untardir", "in", "-d", "there"], id="unpacked into"),
        pytest.param(["r/blog", "--version", "1.0.0", "--prov"], id="with its provenance"),
        pytest.param(["r/shop", "--prov"], id="without one"),
        pytest.param(
            ["r/blog", "--version", "1.0.0", "--verify", "--keyring", "keys.gpg"], id="verified"
        ),
        pytest.param([], id="nothing"),
        pytest.param(["blog"], id="no repository"),
        pytest.param(["x/blog"], id="an unknown repository"),
        pytest.param(["r/nope"], id="an unknown chart"),
        pytest.param(["r/blog", "--version", "7"], id="an unknown version"),
        pytest.param(["r/blog", "--version", "~~"], id="no version"),
        pytest.param(["r/nowhere"], id="without a URL"),
        pytest.param(["r/odd"], id="with half a digest"),
        pytest.param(["r/none"], id="with a digest that is none"),
        pytest.param(["nope", "--repo", "URL"], id="not in that repository"),
        pytest.param(["blog", "--repo", "URL", "--version", "7"], id="not in this version"),
        pytest.param(["nowhere", "--repo", "URL"], id="in that repository without a URL"),
        pytest.param(["blog", "--repo", "URL/nope"], id="no such repository"),
        pytest.param(["URL/nope.tgz"], id="no such URL"),
        pytest.param(["http://127.0.0.1:1/a.tgz"], id="nobody there"),
        pytest.param(["ftp://127.0.0.1/a.tgz"], id="another scheme"),
        pytest.param(["http://%zz/a.tgz"], id="no URL at all"),
    ],
)
def test_it_says_and_leaves_what_helm_says_and_leaves(beside, served, arguments):
    arguments = [one.replace("URL", served.url) for one in arguments]
    ours, helms = beside.run("pull", *arguments)
    update = "(try 'helm repo update')"
    assert ours == helms._replace(
        stderr=helms.stderr.replace(update, update.replace("helm", "whipstaff"))
    )
    assert beside.ours.tree() == beside.helm.tree()


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("arguments", "kept_by_helm"),
    [
        pytest.param(["r/shop", "--verify", "--keyring", "keys.gpg"], "shop", id="no provenance"),
        pytest.param(["r/blog", "--verify", "--keyring", "keys.gpg"], "blog", id="of another file"),
        pytest.param(
            ["r/blog", "--version", "1.0.0", "--verify", "--keyring", "others.gpg"],
            "blog",
            id="by someone else",
        ),
        pytest.param(["r/blog", "--verify", "--keyring", "nope"], "blog", id="no keys"),
    ],
)
def test_what_is_not_verified_is_not_kept(beside, arguments, kept_by_helm):
    ours, helms = beside.run("pull", *arguments)
    assert ours == helms
    assert ours.code == 1
    assert not [name for name in beside.ours.tree() if name.startswith(kept_by_helm)]


@pytest.mark.cluster
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["r/blog", "--version", "1.0.0"], id="of a repository"),
        pytest.param(["blog", "--repo", "URL", "--version", "<1.1"], id="of one not added"),
        pytest.param(["URL/blog-1.0.0.tgz"], id="by URL"),
        pytest.param(
            ["name", "URL/blog-1.0.0.tgz", "--verify", "--keyring", "keys.gpg"], id="proved"
        ),
        pytest.param(["./nope"], id="no folder"),
        pytest.param(["/nope"], id="no folder anywhere"),
        pytest.param(["nope"], id="no repository"),
    ],
)
def test_charts_from_elsewhere_are_rendered_as_by_helm(beside, served, arguments):
    beside.same("template", *(one.replace("URL", served.url) for one in arguments))


@pytest.mark.cluster
def test_what_one_client_downloaded_the_other_takes(beside, served):
    beside.ours.home = beside.helm.home
    arguments = ("template", "r/blog", "--version", "1.0.0")
    assert beside.ours.run(*arguments).code == 0
    asked = len(served.logins("/blog-1.0.0.tgz"))
    assert beside.helm.run(*arguments).code == 0
    assert beside.ours.run("pull", "r/blog", "--version", "1.0.0").code == 0
    assert len(served.logins("/blog-1.0.0.tgz")) == asked


def test_a_cached_archive_that_was_changed_is_fetched_anew(home, served):
    run("repo", "add", "r", served.url)
    assert run("template", "r/blog", "--version", "1.0.0")[2] == 0
    [kept] = (home / "CACHE" / "content").rglob("*.chart")
    kept.write_bytes(b"changed")
    assert run("template", "r/blog", "--version", "1.0.0")[2] == 0
    assert kept.read_bytes() == BLOG


def test_an_archive_that_its_index_does_not_promise_is_refused(home):
    with ScriptedServer() as server:
        server.add(digest="0" * 64)
        run("repo", "add", "r", server.url)
        _, error, code = run("pull", "r/blog")
    assert code == 1
    assert f"but its index promises sha256:{'0' * 64}" in error
    assert not list((home / "here").iterdir())


@pytest.fixture
def other():
    with ScriptedServer() as server:
        server.add()
        yield server


@pytest.fixture
def mine():
    with ScriptedServer() as server:
        server.add()
        yield server


def logins(server):
    return {login for _, login in server.requests}


@pytest.mark.parametrize("how", ["added", "named"])
def test_a_login_goes_to_its_repository(home, mine, how):
    if how == "added":
        assert run("repo", "add", "r", mine.url, *FLAGS)[2] == 0
        assert run("pull", "r/blog")[2] == 0
    else:
        assert run("pull", "blog", "--repo", mine.url, *FLAGS)[2] == 0
    assert logins(mine) == {LOGIN}


@pytest.mark.parametrize("how", ["added", "named"])
def test_a_chart_elsewhere_is_asked_for_by_nobody(home, mine, other, how):
    mine.entries.clear()
    mine.add(urls=[f"{other.url}/blog-1.0.0.tgz"], digest="")
    if how == "added":
        assert run("repo", "add", "r", mine.url, *FLAGS)[2] == 0
        assert run("pull", "r/blog")[2] == 0
    else:
        assert run("pull", "blog", "--repo", mine.url, *FLAGS)[2] == 0
    assert logins(other) == {""}


def test_unless_the_login_is_passed_on(home, mine, other):
    mine.entries.clear()
    mine.add(urls=[f"{other.url}/blog-1.0.0.tgz"], digest="")
    assert run("pull", "blog", "--repo", mine.url, "--pass-credentials", *FLAGS)[2] == 0
    assert logins(other) == {LOGIN}


def test_a_redirect_takes_no_login_along(home, mine, other):
    mine.redirect("/index.yaml", f"{other.url}/index.yaml")
    other.redirect("/blog-1.0.0.tgz", f"{mine.url}/back.tgz")
    assert run("repo", "add", "r", mine.url, *FLAGS)[2] == 0
    assert logins(other) == {""}


def test_a_redirect_without_end_is_given_up(home, mine):
    mine.redirect("/index.yaml", "/index.yaml")
    _, error, code = run("repo", "add", "r", mine.url)
    assert code == 1
    assert "stopped after 10 redirects" in error


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://x/y"])
def test_a_redirect_to_what_is_no_web_server_is_refused(home, mine, target):
    mine.redirect("/a.tgz", target)
    _, error, code = run("pull", f"{mine.url}/a.tgz")
    assert code == 1
    assert "redirects to" in error


def test_no_message_repeats_a_password(home, mine):
    mine.replies["/index.yaml"] = Reply(403)
    url = mine.url.replace("http://", f"http://jo:{CANARY}@")
    said = [
        run("repo", "add", "r", url, *FLAGS),
        run("pull", "blog", "--repo", url, *FLAGS),
        run("pull", f"{url}/a.tgz?sig={CANARY}"),
        run("pull", f"{url}/a.tgz?sig={CANARY}", "--verify"),
        run("template", f"{url}/a.tgz"),
    ]
    assert [code for *_, code in said] == [1] * 5
    assert CANARY not in repr(said)


def hostile(*members):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for name, content, kind in members:
            entry = tarfile.TarInfo(name)
            entry.size, entry.type = len(content), kind
            if kind == tarfile.SYMTYPE:
                entry.linkname = "/etc"
            archive.addfile(entry, io.BytesIO(content))
    return data.getvalue()


CHART = ("blog/Chart.yaml", b"name: blog\nversion: 1.0.0\napiVersion: v2\n", tarfile.REGTYPE)


@pytest.mark.parametrize(
    "archive",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html></html>", id="a page"),
        pytest.param(BLOG[: len(BLOG) // 2], id="a half"),
        pytest.param(gzip.compress(b"no tar at all" * 100), id="no tar"),
        pytest.param(hostile(CHART, ("blog/../../x", b"x", tarfile.REGTYPE)), id="climbs"),
        pytest.param(hostile(CHART, ("blog//x", b"x", tarfile.REGTYPE)), id="from the root"),
        pytest.param(packed({"Chart.yaml": "name: ..\nversion: 1.0.0\n"}), id="named .."),
        pytest.param(packed({"Chart.yaml": "name: ../x\nversion: 1.0.0\n"}), id="named ../x"),
        pytest.param(packed({"Chart.yaml": "name: /x\nversion: 1.0.0\n"}), id="named /x"),
        pytest.param(packed({"Chart.yaml": "version: 1.0.0\n"}), id="without a name"),
        pytest.param(packed({"Chart.yaml": "["}), id="a Chart.yaml that is none"),
        pytest.param(packed({"values.yaml": "a: 1"}), id="no Chart.yaml"),
        pytest.param(packed({"Chart.yaml": CHART[1].decode(), "x": "0" * (120 << 20)}), id="grows"),
    ],
)
def test_a_hostile_archive_is_not_unpacked(home, mine, archive):
    mine.replies["/a.tgz"] = Reply(body=archive)
    _, error, code = run("pull", f"{mine.url}/a.tgz", "--untar")
    assert code == 1
    assert error.startswith("Error: ")
    assert not list((home / "here").iterdir())
    assert not (home / "x").exists()


def test_a_link_in_an_archive_is_left_out(home, mine):
    mine.replies["/a.tgz"] = Reply(body=hostile(CHART, ("blog/etc", b"", tarfile.SYMTYPE)))
    run("pull", f"{mine.url}/a.tgz", "--untar")
    assert not [path for path in (home / "here").rglob("*") if path.is_symlink()]


def test_what_is_there_is_not_overwritten(home, mine):
    (home / "here" / "blog").symlink_to(home)
    _, error, code = run("pull", f"{mine.url}/blog-1.0.0.tgz", "--untar")
    assert code == 1
    assert error == (
        "Error: failed to untar: a file or directory with the name blog already exists\n"
    )


def test_a_url_that_names_no_file_is_refused(home, mine):
    mine.replies["/x/.."] = Reply(body=BLOG)
    _, error, code = run("pull", f"{mine.url}/x/%2E%2E")
    assert code == 1
    assert error.startswith("Error: ")


@pytest.mark.parametrize("where", ["a terminal", "a pipe"])
def test_a_download_is_shown_on_a_terminal_alone(home, mine, where):
    command = [sys.executable, "-c", "from whipstaff.cli.main import main; main()"]
    command += ["pull", f"{mine.url}/blog-1.0.0.tgz"]
    ours, theirs = pty.openpty() if where == "a terminal" else os.pipe()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm"}
    with os.fdopen(ours, "rb") as screen:
        subprocess.run(command, stderr=theirs, env=environment, check=True, timeout=120)
        shown = b""
        if where == "a terminal":
            shown = os.read(screen.fileno(), 1 << 16)
        os.close(theirs)
        if where == "a pipe":
            shown = screen.read()
    length = len(mine.replies["/blog-1.0.0.tgz"].body)
    assert (b"%d/%d" % (length, length) in shown) == (where == "a terminal")
    assert bool(shown) == (where == "a terminal")


def test_a_chart_that_is_here_costs_no_network_code(home):
    (home / "here" / "blog.tgz").write_bytes(BLOG)
    command = "import sys; from whipstaff.cli.main import main\n"
    command += "try: main()\nfinally: print('aiohttp' in sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", command, "template", "blog.tgz"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=True,
        timeout=120,
    )
    assert done.stderr == b"False\n"
