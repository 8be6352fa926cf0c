"""Which addresses charts may come from."""

import asyncio
import ipaddress

import pytest
from aiohttp.abc import AbstractResolver

from whipstaff.sources.addresses import (
    AddressPolicy,
    ApiServer,
    CheckingResolver,
    ForbiddenAddressError,
    endpoints,
)

IN_A_CLUSTER = AddressPolicy(
    allow_loopback=False, api_server=endpoints([("10.96.0.1", 443), ("kubernetes", 443)])
)


def refused(policy, address, port=443):
    try:
        policy.refuse(ipaddress.ip_address(address), port)
    except ForbiddenAddressError:
        return True
    return False


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.10",
        "::1",
        "169.254.169.254",
        "fe80::1",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "fd00:ec2::254",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "10.96.0.1",
        "::ffff:10.96.0.1",
    ],
)
def test_what_no_chart_comes_from_is_refused(address):
    assert refused(IN_A_CLUSTER, address)
    assert refused(IN_A_CLUSTER, address, 8080)


PRIVATE = ["10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd12::1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_networks_are_allowed_unless_a_setting_denies_them(address):
    assert not refused(IN_A_CLUSTER, address)
    assert refused(AddressPolicy(allow_private=False), address)


@pytest.mark.parametrize("address", ["1.1.1.1", "172.32.0.1", "2606:4700::1"])
def test_the_world_is_allowed(address):
    assert not refused(AddressPolicy(False, False), address)


def test_beside_an_api_server_on_this_machine_other_ports_are_allowed():
    policy = AddressPolicy(api_server=endpoints([("127.0.0.1", 6443)]))
    assert refused(policy, "127.0.0.1", 6443)
    assert not refused(policy, "127.0.0.1", 8080)


class Rebinding(AbstractResolver):
    """Says something harmless first, and something else then."""

    def __init__(self):
        self.answers = ["93.184.216.34", "169.254.169.254"]

    async def resolve(self, host, port=0, family=0):
        return [{"host": self.answers.pop(0), "port": port, "hostname": host}]

    async def close(self):
        pass


async def test_a_name_that_resolves_to_something_else_is_judged_anew():
    resolver = CheckingResolver(IN_A_CLUSTER)
    await resolver.close()
    resolver._resolver = Rebinding()
    first = await resolver.resolve("charts.example.com", 443)
    assert [one["host"] for one in first] == ["93.184.216.34"]
    with pytest.raises(ForbiddenAddressError):
        await resolver.resolve("charts.example.com", 443)


async def test_the_api_server_is_looked_up_again_and_an_answer_that_fails_changes_nothing(
    monkeypatch,
):
    clock, answers = [0.0], ["10.1.0.1", "10.1.0.2", None]

    async def getaddrinfo(host, port):
        assert (host, port) == ("api.example.com", 443)
        answer = answers.pop(0)
        if answer is None:
            raise OSError
        return [(0, 0, 0, "", (answer, port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    policy = AddressPolicy(api_server=ApiServer("api.example.com", 443, lambda: clock[0]))
    for seconds, refuses, allows in (
        (0.0, "10.1.0.1", "10.1.0.2"),
        (59.0, "10.1.0.1", "10.1.0.2"),
        (61.0, "10.1.0.2", "10.1.0.1"),
        (122.0, "10.1.0.2", "10.1.0.1"),
    ):
        clock[0] = seconds
        await policy.renew()
        assert refused(policy, refuses)
        assert not refused(policy, allows)
    assert answers == []
