"""The probes answer from their checks, and say what is wrong."""

from contextlib import asynccontextmanager

import aiohttp
import pytest

from tests.builders.raw_http import TWO_LENGTHS, hiding
from tools.controlplane.cluster import free_ports
from whipstaff.controller.probes import Probes


@asynccontextmanager
async def asked(alive="", ready="", metrics=b""):
    """Yield a function from a path to status and text."""
    probes = Probes({"watch": lambda: alive}, {"lease": lambda: ready}, lambda: metrics)
    port = free_ports(1)[0]
    await probes.start("127.0.0.1", port)

    async def ask(path):
        async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
            return answer.status, await answer.text()

    async with aiohttp.ClientSession() as session:
        yield ask
    await probes.stop()


@pytest.mark.parametrize(
    ("alive", "ready", "livez", "readyz"),
    [
        pytest.param("", "", (200, "ok\n"), (200, "ok\n"), id="all-is-well"),
        pytest.param(
            "", "waits", (200, "ok\n"), (503, "lease: waits\n"), id="another-instance-leads"
        ),
        pytest.param(
            "silent",
            "",
            (503, "watch: silent\n"),
            (503, "watch: silent\n"),
            id="what-is-not-alive-is-not-ready",
        ),
        pytest.param(
            "silent",
            "waits",
            (503, "watch: silent\n"),
            (503, "lease: waits\nwatch: silent\n"),
            id="everything-that-is-wrong-is-named",
        ),
    ],
)
async def test_each_probe_reads_its_checks(alive, ready, livez, readyz):
    async with asked(alive, ready) as ask:
        assert await ask("/livez") == livez
        assert await ask("/readyz") == readyz


async def test_other_paths_are_not_there():
    async with asked() as ask:
        assert (await ask("/"))[0] == 404


async def test_what_was_never_started_can_be_stopped():
    await Probes({}, {}, bytes).stop()


async def test_metrics_answer_at_the_same_port():
    async with asked(metrics=b"whipstaff_queue_depth 0\n") as ask:
        assert await ask("/metrics") == (200, "whipstaff_queue_depth 0\n")


async def test_what_is_no_http_is_refused_and_not_logged(caplog):
    probes = Probes({}, {}, bytes)
    port = free_ports(1)[0]
    await probes.start("127.0.0.1", port)
    for heads in TWO_LENGTHS.values():
        assert await hiding(f"http://127.0.0.1:{port}", "GET /livez HTTP/1.1", heads) == [400]
    await probes.stop()
    assert caplog.records == []
