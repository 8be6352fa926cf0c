"""What a person's flags and kubeconfig say reaches the server by the operator's client too."""

import pytest

from tests.builders.proxies import LOGIN, a_proxy
from tests.builders.stub_api_server import a_stub
from whipstaff.errors import ClusterRefused
from whipstaff.kube.access import Access
from whipstaff.kube.chosen import Chosen
from whipstaff.kube.client import Client, Request
from whipstaff.kube.proxies import Proxy
from whipstaff.reconcile.ports import Identity

HEADERS = {"Authorization": "Bearer t", "Impersonate-User": "ann"}


async def test_who_is_to_be_impersonated_is_so_where_no_account_is_named():
    def connection(url):
        return Chosen(Access(url, "shop", True, headers=HEADERS, groups=("a", "b")))

    async with a_stub(connection) as (stub, client):
        stub.on("GET", "/x", {})
        await client.send(Request("GET", "/x"))
        await client.send(Request("GET", "/x", Identity("deployer", "web")))
        first, second = (request["headers"] for request in stub.requests)
        assert first["Authorization"] == "Bearer t"
        assert first["Impersonate-User"] == "ann"
        assert first.getall("Impersonate-Group") == ["a", "b"]
        assert second.getall("Impersonate-User") == ["system:serviceaccount:web:deployer"]
        assert "Impersonate-Group" not in second


async def test_a_proxy_is_asked_with_its_login():
    with a_proxy(asks=True) as proxy:
        access = Access("http://api.example.com", "shop", True)
        access.proxy = Proxy("http", "127.0.0.1", proxy.port, *LOGIN)
        async with Client(Chosen(access)) as client:
            assert await client.send(Request("GET", "/x")) == {"kind": "Told"}
        assert proxy.seen == [("GET", "http://api.example.com/x")]


def test_a_proxy_of_another_kind_is_refused():
    access = Access("https://api.example.com", "shop", True, proxy=Proxy("socks5", "here", 1080))
    with pytest.raises(ClusterRefused, match="socks5://here:1080"):
        Chosen(access)
