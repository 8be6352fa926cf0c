"""The client of commands."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from whipstaff.errors import ClusterRefused
from whipstaff.kube.access import Access
from whipstaff.kube.direct import Call, Direct


class Server(ThreadingHTTPServer):
    """Answers with what a test queued: a status, a body and headers; cuts the line for None."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.seen = [], []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers)))
        answer = self.server.answers.pop(0)
        if answer is None:
            self.close_connection = True
            return
        status, body, headers = (*answer, {})[:3]
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, text in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    served = Server()
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    served.shutdown()
    thread.join()
    served.server_close()


@pytest.fixture
def client(server):
    access = Access(f"http://127.0.0.1:{server.server_port}/base", "shop", True)
    access.headers["Authorization"] = "Bearer old"
    direct = Direct(access, "tests/1")
    yield direct
    direct.close()


def test_an_object_is_read_below_the_path_of_the_server(server, client):
    server.answers.append((200, {"kind": "Pod"}))
    assert client.get("/api/v1/x", {"labelSelector": "a=b,c"}) == {"kind": "Pod"}
    path, headers = server.seen[0]
    assert path == "/base/api/v1/x?labelSelector=a%3Db%2Cc"
    assert (headers["Authorization"], headers["User-Agent"]) == ("Bearer old", "tests/1")


def test_a_list_is_read_page_by_page(server, client):
    server.answers += [
        (200, {"metadata": {"continue": "more"}, "items": [{"n": 1}]}),
        (200, {"metadata": {}, "items": [{"n": 2}]}),
    ]
    assert [item["n"] for item in client.items("/api/v1/x")] == [1, 2]
    assert "continue=more" in server.seen[1][0]


def test_a_busy_server_is_asked_again(server, client):
    server.answers += [(429, {}, {"Retry-After": "0"}), (200, {"a": 1})]
    assert client.get("/x") == {"a": 1}


def test_a_connection_that_was_closed_meanwhile_is_opened_again(server, client):
    server.answers += [(200, {"a": 1}), None, (200, {"a": 2})]
    client.get("/x")
    assert client.get("/x") == {"a": 2}


def test_refused_credentials_are_renewed_once(server, client, monkeypatch):
    def renew(access):
        access.headers["Authorization"] = "Bearer new"
        return True

    monkeypatch.setattr(Access, "renew", renew)
    server.answers += [(401, {}), (200, {"a": 1})]
    assert client.get("/x") == {"a": 1}
    assert server.seen[1][1]["Authorization"] == "Bearer new"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param((403, {"message": "no, you may not"}), "no, you may not", id="refused"),
        pytest.param((502, "<html>"), "answered 502$", id="a proxy"),
        pytest.param((400, "an HTTP request\n"), "answered 400: an HTTP request$", id="no HTTPS"),
        pytest.param((200, "<html>"), "no JSON", id="no JSON"),
        pytest.param(None, "unreachable", id="cut"),
    ],
)
def test_every_other_ending_is_a_refusal(server, client, answer, told):
    server.answers += [answer] * 2
    with pytest.raises(ClusterRefused, match=told):
        client.get("/x")


def test_a_server_that_is_not_there_is_named():
    client = Direct(Access("http://127.0.0.1:9", "x", True), "tests/1")
    with pytest.raises(
        ClusterRefused, match=r"unreachable: http://127.0.0.1:9: connection refused"
    ):
        client.get("/x")


def test_groups_are_told_one_by_one_and_exchanges_to_who_asks(server):
    told = []
    access = Access(f"http://me:pw@127.0.0.1:{server.server_port}", "shop", True)
    access.headers["Authorization"], access.groups = "Bearer secret", ("a", "b")
    direct = Direct(access, "tests/1", told.append)
    server.answers.append((200, {"kind": "Pod"}))
    direct.get("/api/v1/x", {"a": "b"})
    direct.close()
    (exchange,) = told
    place = f"http://127.0.0.1:{server.server_port}/api/v1/x?a=b"
    assert exchange[:4] == ("GET", place, 200, len('{"kind": "Pod"}'))
    assert "secret" not in str(exchange)


def test_a_log_is_read_as_text(server, client):
    server.answers.append((200, "no JSON\n"))
    assert client.text("/log", {"container": "x"}) == "no JSON\n"


@pytest.mark.parametrize("path", ["/api/v1/secrets/", "/api/v1/secrets/../pods", "/apis//secrets"])
def test_a_path_with_an_empty_name_is_never_asked_for(server, client, path):
    with pytest.raises(ClusterRefused, match="is empty"):
        client.send(Call("DELETE", path))
    assert not server.seen
