"""`whipstaff serve`: what it is told, and what it says about what it cannot do."""

import socket

import pytest
from click.testing import CliRunner

from whipstaff.cli.main import main
from whipstaff.cli.serve import Size
from whipstaff.server.access import Scope

BOTH, READ, NOBODY = frozenset(Scope), frozenset({Scope.READ}), frozenset()


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Run the command with these words; return the options that a server would be started with."""
    found = []
    monkeypatch.setattr(
        "whipstaff.server.running.run",
        lambda options, ready: found.append(options) or ready("http://x"),
    )
    monkeypatch.setenv("HELM_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr("whipstaff.controller.logs.log_as_json", lambda _level: None)

    def start(*words):
        ended = CliRunner().invoke(main, ["serve", *map(str, words)])
        assert ended.exit_code == 0, ended.output
        return found.pop()

    return start


def refused(*words):
    ended = CliRunner().invoke(main, ["serve", *map(str, words)])
    assert ended.exit_code != 0
    assert "Traceback" not in ended.output
    return ended.output


@pytest.fixture(autouse=True)
def _logs_stay(monkeypatch):
    monkeypatch.setattr("whipstaff.controller.logs.log_as_json", lambda _level: None)


def test_without_flags_it_serves_what_helm_serve_served_where_it_did(started, tmp_path):
    options = started()
    assert (options.host, options.port) == ("127.0.0.1", 8879)
    assert options.storage == str(tmp_path / "data" / "repository" / "local")


@pytest.mark.parametrize(
    ("words", "anyone"),
    [
        pytest.param([], BOTH, id="on this machine"),
        pytest.param(["--address", ":8080"], READ, id="for other machines"),
        pytest.param(["--address", ":8080", "--anonymous-write"], BOTH, id="as it was told"),
        pytest.param(["--no-anonymous-write"], READ, id="not even on this machine"),
        pytest.param(["--no-anonymous-read", "--no-anonymous-write"], NOBODY, id="nobody"),
    ],
)
def test_without_credentials_anyone_may_read_and_this_machine_may_write(started, words, anyone):
    assert started(*words).access.anonymous == anyone


@pytest.mark.parametrize(
    ("words", "anyone"),
    [
        pytest.param([], NOBODY, id="not told otherwise"),
        pytest.param(["--anonymous-read"], READ, id="readers may be anyone"),
    ],
)
def test_with_credentials_nobody_may_anything_without_one(started, monkeypatch, words, anyone):
    monkeypatch.setenv("WHIPSTAFF_SERVE_TOKEN", "t")
    access = started(*words).access
    assert access.anonymous == anyone
    assert len(access.credentials) == 1


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("512", 512),
        ("20MiB", 20 << 20),
        ("20m", 20 << 20),
        ("1G", 1 << 30),
        ("2kb", 2048),
    ],
)
def test_a_size_has_a_unit(text, size):
    assert Size().convert(text, None, None) == size


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        pytest.param(["--address", "8879"], "not HOST:PORT", id="an address without a host"),
        pytest.param(["--address", "x:99999"], "not HOST:PORT", id="a port that is none"),
        pytest.param(["--max-chart-size", "lots"], "is no size", id="a size that is none"),
        pytest.param(["--depth", "99"], "--depth is 99", id="a depth beyond reason"),
        pytest.param(["--context-path", "x"], "begin with a slash", id="a relative path"),
        pytest.param(["--url", "ftp://x"], "http or https", id="a URL of something else"),
        pytest.param(["--tls-cert", __file__], "given together", id="half of a key pair"),
        pytest.param(
            ["--tls-cert", __file__, "--tls-key", __file__],
            "certificates cannot be used",
            id="no PEM",
        ),
        pytest.param(["--repo-path", __file__], "charts cannot be kept in", id="a file"),
        pytest.param(
            ["--repo-path", "nothing://x"], "charts cannot be kept in", id="no such store"
        ),
        pytest.param(["--credentials", __file__], "YAML", id="credentials that are none"),
    ],
)
def test_what_it_cannot_do_is_said_in_a_sentence(tmp_path, words, problem):
    place = [] if "--repo-path" in words else ["--repo-path", tmp_path]
    assert problem in refused(*place, "--address", "127.0.0.1:0", *words)


def test_an_address_that_is_taken_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said = refused("--repo-path", tmp_path, "--address", address)
    assert f"{address} cannot be listened at" in said


def test_what_it_says_at_the_start_holds_no_login(monkeypatch):
    monkeypatch.setattr("whipstaff.server.running.run", lambda _options, ready: ready("http://x"))
    words = ["serve", "--repo-path", "s3://key:hunter2@bucket/x"]
    ended = CliRunner().invoke(main, words)
    assert ended.output == "Serving the charts of s3://bucket/x at http://x\n"
