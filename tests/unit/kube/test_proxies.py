"""The way to an API server through a proxy."""

import socket
import threading

import pytest

from tests.builders.proxies import a_proxy
from whipstaff.errors import ClusterRefused
from whipstaff.kube.access import Access
from whipstaff.kube.direct import Direct
from whipstaff.kube.proxies import Proxy, ProxyRefused, proxy_for, proxy_of

GIVEN = {"HTTPS_PROXY": "http://proxy:3128", "HTTP_PROXY": "plain"}


@pytest.mark.parametrize(
    ("server", "left_out", "proxy"),
    [
        pytest.param("https://api.example", "", "http://proxy:3128", id="https"),
        pytest.param("http://api.example", "", "http://plain:80", id="http"),
        pytest.param("https://localhost:6443", "", "", id="this machine"),
        pytest.param("https://127.0.0.1", "", "", id="an address of this machine"),
        pytest.param("https://[::1]:6443", "", "", id="in IPv6"),
        pytest.param("https://api.example", "*", "", id="all are left out"),
        pytest.param("https://api.example", "other, example", "", id="a domain"),
        pytest.param("https://example", ".example", "http://proxy:3128", id="subdomains alone"),
        pytest.param("https://a.example", "*.example", "", id="subdomains with a star"),
        pytest.param("https://notexample", "example", "http://proxy:3128", id="another domain"),
        pytest.param("https://a.example:6443", "a.example:6443", "", id="a port"),
        pytest.param("https://a.example", "a.example:6443", "http://proxy:3128", id="another port"),
        pytest.param("https://10.1.2.3", "10.0.0.0/8", "", id="a network"),
        pytest.param("https://10.1.2.3", "odd/8", "http://proxy:3128", id="an odd network"),
        pytest.param("https://10.1.2.3:6443", "10.1.2.3", "", id="an address"),
        pytest.param("https://[fd00::1]", "fd00::1", "", id="an address in IPv6"),
    ],
)
def test_the_environment_names_a_proxy_as_gos_client_reads_it(server, left_out, proxy):
    found = proxy_for(server, {**GIVEN, "NO_PROXY": left_out})
    assert str(found or "") == proxy


def test_small_letters_count_too():
    assert str(proxy_for("https://a", {"https_proxy": "socks5://p"})) == "socks5://p:1080"
    assert proxy_for("https://a", {"https_proxy": "p", "no_proxy": "a"}) is None


def test_a_login_is_in_no_text():
    proxy = proxy_of("http://ann:p%40w@proxy:3128")
    assert (proxy.username, proxy.password) == ("ann", "p@w")
    assert "p@w" not in f"{proxy} {proxy!r}"


@pytest.mark.parametrize("url", ["https://ann:pw@proxy", "ftp://ann:pw@proxy", "http://"])
def test_a_proxy_that_cannot_be_used_is_refused_without_its_login(url):
    with pytest.raises(ValueError, match="proxy") as raised:
        proxy_of(url)
    assert "pw" not in str(raised.value)


@pytest.fixture
def echo():
    """A server that sends back what it gets."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        line, _ = listening.accept()
        with line:
            line.sendall(line.recv(100))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    listening.close()


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@pytest.mark.parametrize("login", ["", "ann:pw@"], ids=["anybody", "a login"])
def test_a_line_goes_through(echo, scheme, login):
    with a_proxy(asks=bool(login)) as proxy:
        found = proxy_of(f"{scheme}://{login}127.0.0.1:{proxy.port}")
        with found.connect("127.0.0.1", echo, 10) as line:
            line.sendall(b"hello")
            assert line.recv(100) == b"hello"
        assert proxy.seen[0][1] == f"127.0.0.1:{echo}"


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@pytest.mark.parametrize("login", ["", "ann:wrong@"], ids=["none", "a wrong one"])
def test_a_login_that_is_not_taken_is_told(scheme, login):
    with a_proxy(asks=True) as proxy:
        found = proxy_of(f"{scheme}://{login}127.0.0.1:{proxy.port}")
        with pytest.raises(ProxyRefused, match=r"refuses: 407|login"):
            found.connect("127.0.0.1", 1, 10)


def test_a_host_that_a_proxy_does_not_reach_is_told():
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    with a_proxy() as proxy, pytest.raises(ProxyRefused, match="connection was refused"):
        proxy_of(f"socks5://127.0.0.1:{proxy.port}").connect("127.0.0.1", port, 10)


def a_client(proxy):
    access = Access("http://api.example:8080", "shop", True, proxy=proxy)
    return Direct(access, "tests/1")


def test_a_proxy_is_asked_for_the_whole_url_of_a_server_without_tls():
    with a_proxy(asks=True) as proxy:
        client = a_client(Proxy("http", "127.0.0.1", proxy.port, "ann", "pw"))
        assert client.get("/api/v1/x", {"a": "b"}) == {"kind": "Told"}
        client.close()
        assert proxy.seen == [("GET", "http://api.example:8080/api/v1/x?a=b")]


def test_a_proxy_that_is_away_is_named_without_its_login():
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    client = a_client(Proxy("socks5", "127.0.0.1", port, "ann", "secret"))
    with pytest.raises(ClusterRefused, match=r"through socks5://127\.0\.0\.1") as raised:
        client.get("/x")
    assert "secret" not in str(raised.value)
