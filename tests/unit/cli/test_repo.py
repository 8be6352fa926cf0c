"""`whipstaff repo` beside `helm repo`: what both say, and what is in the files that they share."""

import gzip
import multiprocessing
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.builders.beside_helm import Beside
from tests.builders.certificates import Authority, served_by
from tests.builders.helm_commands import run
from tests.builders.repositories import an_archive
from tests.builders.scripted_server import Reply, ScriptedServer
from tools.chartrepo import ChartRepository, Fault

CONFIG = "CONFIG/repositories.yaml"


@pytest.fixture(scope="module")
def charts():
    with ChartRepository() as repository:
        repository.add(an_archive("blog", "1.0.0"))
        repository.add(an_archive("shop", "2.0.0"))
        yield repository


@pytest.fixture
def served():
    with ScriptedServer() as server:
        server.add()
        yield server


@pytest.fixture
def beside(tmp_path):
    return Beside(tmp_path)


@pytest.fixture
def home(tmp_path, monkeypatch):
    for kind in ("CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"HELM_{kind}_HOME", str(tmp_path / kind))
    return tmp_path


def shared(side):
    """The files that both clients share; what is listed in any order, in order."""
    found = {}
    for path in sorted(side.home.rglob("*")):
        if path.is_file() and path.suffix != ".lock":
            data = path.read_bytes()
            if path.name.endswith("-charts.txt"):
                data = b"".join(sorted(data.splitlines(keepends=True)))
            found[str(path.relative_to(side.home))] = (data, path.stat().st_mode)
    return found


def same(beside, *arguments, data=b"", **lines):
    ours, helms = beside.run(*arguments, data=data)
    if lines.get("in_any_order"):
        ours, helms = (
            one._replace(stdout=sorted(one.stdout.splitlines())) for one in (ours, helms)
        )
    assert ours == helms
    assert shared(beside.ours) == shared(beside.helm)
    return ours


@pytest.mark.cluster
def test_what_is_added_is_written_as_helm_writes_it(beside, charts):
    assert same(beside, "repo", "add", "a", charts.url).code == 0
    same(beside, "repo", "add", "b", f"{charts.url}/", "--pass-credentials")
    same(beside, "repo", "add", "a", charts.url)
    assert same(beside, "repo", "add", "a", f"{charts.url}/").code == 1
    same(beside, "repo", "add", "a", f"{charts.url}/", "--force-update")
    same(
        beside, "repo", "add", "c", charts.url, "--username", "jo", "--password-stdin", data=b"p\n"
    )
    same(beside, "repo", "add", "c", charts.url, "--username", "jo", "--password", "p")
    same(beside, "repo", "add", "c", charts.url, "--username", "jo", "--password", "q")
    same(beside, "repo", "add", "d", charts.url, "--username", "jo")
    same(beside, "repo", "list")


@pytest.mark.cluster
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["add"], id="no name"),
        pytest.param(["add", "a"], id="no URL"),
        pytest.param(["add", "a", "b", "c"], id="too much"),
        pytest.param(["add", "a/b", "URL"], id="a name with a slash"),
        pytest.param(["add", "a", "nothing"], id="no scheme"),
        pytest.param(["add", "a", "ftp://x"], id="another scheme"),
        pytest.param(["add", "a", "http://%zz"], id="no URL at all"),
        pytest.param(["add", "a", "http://127.0.0.1:1"], id="nobody there"),
        pytest.param(["add", "a", "URL/sub"], id="no index there"),
        pytest.param(["add", "a", "URL", "--ca-file", "nope"], id="no authorities"),
        pytest.param(["add", "a", "URL", "--timeout", "soon"], id="no duration"),
        pytest.param(["add", "a", "URL", "--what"], id="an unknown flag"),
        pytest.param(
            ["add", "a", "https://kubernetes-charts.storage.googleapis.com"], id="one that is gone"
        ),
        pytest.param(["list"], id="none to list"),
        pytest.param(["list", "-o", "json"], id="none to list as JSON"),
        pytest.param(["list", "-o", "yaml"], id="none to list as YAML"),
        pytest.param(["list", "-o", "xml"], id="as nothing that is known"),
        pytest.param(["list", "x"], id="list takes nothing"),
        pytest.param(["update"], id="none to update"),
        pytest.param(["remove"], id="remove takes something"),
        pytest.param(["remove", "a"], id="none to remove"),
    ],
)
def test_what_cannot_be_done_is_said_as_helm_says_it(beside, charts, arguments):
    same(beside, "repo", *(one.replace("URL", charts.url) for one in arguments))


@pytest.mark.cluster
def test_they_are_listed_updated_and_removed_as_by_helm(beside, charts):
    same(beside, "repo", "add", "a", charts.url)
    same(beside, "repo", "add", "second", charts.url)
    for how in ([], ["-o", "json"], ["-o", "yaml"], ["--no-headers"]):
        assert same(beside, "repo", "ls", *how).code == 0
    same(beside, "repo", "update", in_any_order=True)
    same(beside, "repo", "up", "second")
    same(beside, "repo", "update", "second", "nope")
    same(beside, "repo", "rm", "a", "nope")
    same(beside, "repo", "remove", "second")
    same(beside, "repo", "list")


@pytest.mark.cluster
def test_of_many_updates_one_may_fail(beside, served):
    served.replies["/gone/index.yaml"] = served.replies["/index.yaml"]
    same(beside, "repo", "add", "a", served.url)
    same(beside, "repo", "add", "b", f"{served.url}/gone")
    del served.replies["/gone/index.yaml"]
    said = same(beside, "repo", "update", in_any_order=True)
    assert said.code == 1
    assert said.stderr.startswith("Error: failed to update the following repositories: [http://")


@pytest.mark.cluster
@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(401), id="401"),
        pytest.param(Reply(403), id="403"),
        pytest.param(Reply(404), id="404"),
        pytest.param(Reply(500), id="500"),
        pytest.param(Reply(), id="nothing"),
        pytest.param(Reply(body=b"<html>\n<p>a: b: c</p>\n"), id="HTML that is no YAML"),
        pytest.param(Reply(body=b"just a text"), id="a text"),
        pytest.param(Reply(body=b"- a\n"), id="a list"),
        pytest.param(Reply(body=b"entries: {}\n"), id="no version"),
        pytest.param(Reply(body=b"a: [\n"), id="broken YAML"),
        pytest.param(Reply(body=b"apiVersion: v1\n", length=9999), id="broken off"),
        pytest.param(Reply(body=b"apiVersion: v1\n"), id="no entries"),
        pytest.param(
            Reply(body=b"apiVersion: v1\nentries:\n  a:\n  - name: a\n    version: x\n"),
            id="a version that is none",
        ),
    ],
)
def test_an_index_that_is_none_is_refused_in_helms_words(beside, served, reply):
    served.replies["/index.yaml"] = reply
    same(beside, "repo", "add", "a", served.url)


@pytest.mark.cluster
def test_both_read_what_the_other_wrote(beside, charts):
    beside.ours.home = beside.helm.home
    assert beside.ours.run("repo", "add", "a", charts.url).code == 0
    assert beside.helm.run("repo", "add", "b", charts.url).code == 0
    assert beside.ours.run("repo", "list") == beside.helm.run("repo", "list")
    assert beside.ours.run("search", "repo") == beside.helm.run("search", "repo")
    assert beside.helm.run("repo", "remove", "a").code == 0
    assert "a" not in beside.ours.run("repo", "list").stdout.split()


def _add(number, url):
    assert run("repo", "add", f"r{number}", url)[2] == 0


def test_many_may_add_at_once(home, charts):
    fork = multiprocessing.get_context("fork")
    adding = [fork.Process(target=_add, args=(number, charts.url)) for number in range(8)]
    for one in adding:
        one.start()
    for one in adding:
        one.join()
    assert [one.exitcode for one in adding] == [0] * 8
    listed, _, _ = run("repo", "list", "--no-headers")
    assert sorted(line.split()[0] for line in listed.splitlines()) == [f"r{n}" for n in range(8)]


def test_a_password_in_a_url_is_not_repeated(home):
    out, error, code = run("repo", "add", "a", "http://jo:canary@127.0.0.1:1/charts?sig=canary")
    assert code == 1
    assert "http://jo:***@127.0.0.1:1/charts" in error
    assert "canary" not in out + error


def test_a_login_in_a_url_counts_there(home, served):
    url = served.url.replace("http://", "http://jo:canary@")
    assert run("repo", "add", "a", url)[2] == 0
    assert served.logins("/index.yaml") == ["Basic am86Y2FuYXJ5"]


def test_a_certificate_of_an_unknown_authority_is_refused(home, tmp_path):
    authority = Authority()
    with ScriptedServer(served_by(authority, tmp_path)) as server:
        server.add()
        _, error, code = run("repo", "add", "a", server.url)
        assert code == 1
        assert error.endswith("x509: certificate signed by unknown authority\n")
        assert run("repo", "add", "a", server.url, "--insecure-skip-tls-verify")[2] == 0
        (tmp_path / "ca.pem").write_text(authority.pem)
        assert run("repo", "add", "b", server.url, "--ca-file", str(tmp_path / "ca.pem"))[2] == 0


def test_what_speaks_no_tls_is_called_by_that_name(home, served):
    _, error, _ = run("repo", "add", "a", served.url.replace("http:", "https:"))
    assert error.endswith("http: server gave HTTP response to HTTPS client\n")


def test_an_answer_that_takes_too_long_is_given_up(home):
    with ChartRepository(faults={"*": Fault.SLOW}) as slow:
        _, error, code = run("repo", "add", "a", slow.url, "--timeout", "200ms")
    assert code == 1
    assert "context deadline exceeded" in error


def test_a_failed_addition_leaves_nothing(home):
    run("repo", "add", "a", "http://127.0.0.1:1")
    assert not [path for path in home.rglob("*") if path.is_file()]


def test_local_is_what_serve_serves(home, monkeypatch, served):
    monkeypatch.setattr("whipstaff.cli.repo.LOCAL_URL", served.url)
    assert run("repo", "add", "local")[2] == 0
    assert run("repo", "list", "--no-headers")[0].split() == ["local", served.url]


def test_who_has_not_started_it_is_told_how(home, monkeypatch):
    monkeypatch.setattr("whipstaff.cli.repo.LOCAL_URL", "http://127.0.0.1:1")
    _, error, code = run("repo", "add", "local")
    assert code == 1
    assert error.endswith("connection refused; `whipstaff serve` serves it\n")


def test_a_list_behind_a_link_stays_there(home, charts):
    (home / "elsewhere").mkdir()
    (home / "CONFIG").mkdir()
    (home / CONFIG).symlink_to(home / "elsewhere" / "mine.yaml")
    assert run("repo", "add", "a", charts.url)[2] == 0
    assert (home / CONFIG).is_symlink()
    assert "name: a" in (home / "elsewhere" / "mine.yaml").read_text()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("a: [", "error converting YAML to JSON", id="broken"),
        pytest.param("- a", "cannot unmarshal array into Go value of type repo.File", id="a list"),
        pytest.param(
            "repositories: 3", "cannot unmarshal number into Go struct field", id="of another type"
        ),
    ],
)
def test_a_list_that_cannot_be_read_is_left_as_it_is(home, charts, text, problem):
    (home / "CONFIG").mkdir()
    (home / CONFIG).write_text(text)
    for arguments in (["add", "a", charts.url], ["update"], ["remove", "a"]):
        _, error, code = run("repo", *arguments)
        assert code == 1
        assert re.search(problem, error)
    assert (home / CONFIG).read_text() == text


def test_another_command_of_the_group_is_refused():
    said = """Error: unknown command "bogus" for "main repo"\nRun 'main repo --help' for usage.\n"""
    assert run("repo", "bogus") == ("", said, 1)


def test_the_group_alone_says_what_is_in_it():
    out, _, code = run("repo")
    assert code == 0
    assert "update" in out


@pytest.mark.cluster
def test_both_may_add_at_once(beside, charts):
    beside.ours.home = beside.helm.home
    with ThreadPoolExecutor(4) as pool:
        done = [
            pool.submit(side.run, "repo", "add", f"{number}-{side.folder.name}", charts.url)
            for number in range(3)
            for side in (beside.ours, beside.helm)
        ]
    assert [one.result().code for one in done] == [0] * 6
    assert len(beside.helm.run("repo", "list", "--no-headers").stdout.splitlines()) == 6


def test_an_index_without_end_is_given_up(home, served, monkeypatch):
    monkeypatch.setattr("whipstaff.cli.downloads._BYTES_LIMIT", 1 << 20)
    served.replies["/index.yaml"] = Reply(body=b"a" * (2 << 20))
    _, error, code = run("repo", "add", "a", served.url)
    assert code == 1
    assert "is larger than 1 MiB" in error


def test_a_compressed_index_is_read_and_no_bomb(home, served, monkeypatch):
    plain = served.replies["/index.yaml"].body
    zipped = (("Content-Encoding", "gzip"),)
    served.replies["/index.yaml"] = Reply(body=gzip.compress(plain), headers=zipped)
    assert run("repo", "add", "a", served.url)[2] == 0
    assert (home / "CACHE" / "repository" / "a-index.yaml").read_bytes() == plain
    monkeypatch.setattr("whipstaff.cli.downloads._BYTES_LIMIT", 1 << 20)
    served.replies["/index.yaml"] = Reply(body=gzip.compress(b"\0" * (64 << 20)), headers=zipped)
    assert "is larger than 1 MiB" in run("repo", "update")[0]
    served.replies["/index.yaml"] = Reply(body=gzip.compress(plain)[:-9], headers=zipped)
    out, _, code = run("repo", "update")
    assert code == 1
    assert "unexpected EOF" in out
    assert (home / "CACHE" / "repository" / "a-index.yaml").read_bytes() == plain
