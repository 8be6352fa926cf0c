"""A server that does not answer is named, and why it does not."""

import socket
import ssl

import pytest

from whipstaff.kube.unreachable import unreachable


@pytest.mark.parametrize(
    ("error", "why"),
    [
        pytest.param(OSError(111, "Connect call failed (1)"), "connection refused", id="asyncio"),
        pytest.param(
            socket.gaierror(-2, "Name or service not known"), "name or service not known", id="name"
        ),
        pytest.param(TimeoutError(), "no answer in time", id="time"),
        pytest.param(ssl.SSLError(1, "Wrong version"), "wrong version", id="TLS"),
        pytest.param(OSError("not to be asked"), "not to be asked", id="an own sentence"),
        pytest.param(EOFError(), "EOFError", id="no sentence"),
    ],
)
def test_it_says_why(error, why):
    told = unreachable("https://api:6443", "", error)
    assert told == f"kubernetes cluster unreachable: https://api:6443: {why}"


def test_a_proxy_on_the_way_is_named():
    told = unreachable("https://api", "http://proxy:3128", TimeoutError())
    assert "https://api through http://proxy:3128: " in told
