"""A repository that fails in every way: it is named, and what runs is not touched."""

import gzip
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.builders.certificates import Authority
from tests.builders.live_releases import is_true
from tests.builders.live_repositories import LiveRepositories
from tests.builders.small_charts import CONFIG_MAP, a_packed_chart, settings_chart
from tools.controlplane import audit
from tools.running_operator import ACCOUNT, NAMESPACE

OPERATOR = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
MEGABYTE = b"# more\n" * 150_000


class Moody:
    """Stands before a repository and answers for it, as its mood is; None: as it would."""

    def __init__(self, repository, tls=None):
        self.mood = None
        moody = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                try:
                    if moody.mood is None or moody.mood(self):
                        self._as_it_would()
                except OSError:
                    self.close_connection = True

            def _as_it_would(self):
                status, kind, body = repository.answer(self.path.strip("/")) or (404, "", b"")
                send(self, status, body, kind)

            def log_message(self, *_):
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def send(handler, status, body=b"", kind="text/plain", **headers):
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    for name, text in headers.items():
        handler.send_header(name.replace("_", "-"), text)
    handler.end_headers()
    handler.wfile.write(body)


def status(number):
    return lambda handler: send(handler, number)


def redirect(to):
    return lambda handler: send(handler, 302, Location=to)


def broken_off(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"apiVersion: v1\n")


def byte_by_byte(handler):
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"#")
        time.sleep(0.1)


def packed(handler):
    """Send more than an index may have, in a few kilobytes."""
    send(handler, 200, gzip.compress(MEGABYTE * 60), Content_Encoding="gzip")


@pytest.fixture
def moody(repository):
    server = Moody(repository)
    yield server
    server.close()


@pytest.fixture
def running(operator, namespace, repository, moody):
    """A release of version 1.0.0 whose repository has just published 1.1.0."""
    repositories = LiveRepositories(operator.cluster, namespace)
    repository.add(settings_chart("1.0.0"))
    repositories.create("charts", moody.url, interval="1s", timeout="1s")
    repositories.use("blog", "charts", version="^1", values={"text": "a"}, interval="1h")
    repositories.releases.settled("blog", revision=1)
    return repositories


@pytest.mark.parametrize(
    ("mood", "reason"),
    [
        pytest.param(status(401), "RepoAuthFailed", id="401"),
        pytest.param(status(403), "RepoAuthFailed", id="403"),
        pytest.param(status(404), "ChartUnavailable", id="404"),
        pytest.param(status(429), "ChartUnavailable", id="429"),
        pytest.param(status(503), "ChartUnavailable", id="503"),
        pytest.param(redirect("/index.yaml"), "ChartUnavailable", id="redirects in a circle"),
        pytest.param(redirect("http://169.254.169.254/"), "RepoForbiddenTarget", id="elsewhere"),
        pytest.param(broken_off, "ChartUnavailable", id="breaks off"),
        pytest.param(byte_by_byte, "RepoTimeout", id="byte by byte"),
        pytest.param(packed, "RepoIndexTooLarge", id="larger than it was sent"),
        pytest.param(lambda handler: send(handler, 200), "RepoIndexInvalid", id="empty"),
    ],
)
def test_what_runs_is_not_touched_and_follows_when_the_repository_is_well(
    running, moody, repository, operator, mood, reason
):
    log = operator.cluster.audit_log
    moody.mood = mood
    running.refused("charts", reason)
    start = log.stat().st_size
    repository.add(settings_chart("1.1.0"))
    running.ask("charts")
    running.refused("charts", reason)
    release = running.releases.get("blog")
    assert is_true(release, "Ready")
    assert running.releases.stored("blog") == {1: "deployed"}
    assert touched(log, start, running.namespace) == []
    moody.mood = None
    running.ready("charts")
    running.releases.settled("blog", revision=2)
    assert running.releases.data("blog")["chart"] == "1.1.0"


def touched(log, start, namespace):
    """Return what the operator wrote there, but for status and events."""
    ours = {"helmreleases", "helmrepositories", "events"}
    return [
        (found.verb, found.resource, found.name)
        for found in audit.writes(log, start, user=OPERATOR)
        if found.namespace == namespace and found.resource.partition("/")[0] not in ours
    ]


def test_a_certificate_of_nobody_known_is_named(operator, namespace, repository, tmp_path):
    certificate, key = Authority().issue()
    for name, text in (("tls.crt", certificate), ("tls.key", key)):
        (tmp_path / name).write_text(text)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    server = Moody(repository, tls)
    repositories = LiveRepositories(operator.cluster, namespace)
    repositories.create("charts", server.url, interval="1s")
    said = repositories.refused("charts", "ChartUnavailable")["message"]
    assert "the certificate is not trusted" in said
    server.close()


def test_a_version_that_is_exchanged_is_told_and_a_pin_keeps_what_runs(
    running, repository, operator
):
    """Same version, new digest: the repository says so, and a pinned release stays as it is."""
    releases = running.releases
    digest = releases.get("blog")["status"]["history"][0]["chartDigest"]
    releases.edit("blog", chart={"digest": digest})
    releases.settled("blog", revision=1)
    repository.add(a_packed_chart("settings", "1.0.0", "text: other\n", settings=CONFIG_MAP))
    message = releases.refused("blog", "ChartIntegrity")["message"]
    assert digest in message
    assert releases.stored("blog") == {1: "deployed"}
    told = operator.cluster.kubectl("get", "events", "-n", running.namespace)
    assert "ChartDigestChanged" in told
