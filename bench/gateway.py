"""Measure the gateway with 1,000 releases in 100 namespaces: `make bench-gateway`.

The gateway is a process of its own before the embedded control plane, asked over HTTP by this
one. `all` is the list of all of them in one answer, `page` its first hundred, `some` the list of
somebody who may list every second namespace, each asked for in rounds; `streams` is the time from
a change until 200 who wait for it were told. Kept are the least and the median of the rounds.

The last line is JSON; it is kept in bench/results/gateway.json.
"""

import argparse
import asyncio
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp

from bench.cluster import MERGE, Api
from bench.machine import load, machine
from bench.processes import proportional_mib
from tools.controlplane import obtain
from tools.controlplane.cluster import ROOT, Cluster

RESULT = ROOT / "bench" / "results" / "gateway.json"
RELEASES = 1_000
NAMESPACES = 100
ROUNDS = 5
ASKED = 100  # in one round
STREAMS = 200
CALLERS = 20  # who have the streams among them
CHANGES = 20
TARGETS = {"all_p99_ms": 300}

_LISTS = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "lists"}
_RBAC = "/apis/rbac.authorization.k8s.io/v1"


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--releases", type=int, default=RELEASES)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        cluster = Cluster(Path(name), obtain.obtain(print)).start(guarded=True)
        try:
            api = Api(cluster)
            _fill(cluster, api, given.releases)
            result = asyncio.run(_measured(cluster, api, given.releases))
        finally:
            cluster.stop()
    result |= {
        "releases": given.releases,
        "namespaces": NAMESPACES,
        "targets": TARGETS,
        "on": machine(load=load()),
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result))


def _fill(cluster: Cluster, api: Api, count: int) -> None:
    """Make HelmReleases with a status as the operator writes it."""
    cluster.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
    cluster.await_definitions("crd/helmreleases.whipstaff.dev")
    for number in range(NAMESPACES):
        api.ask("POST", "/api/v1/namespaces", {"metadata": {"name": _place(number)}})
    for number in range(count):
        body = _release(number)
        made = api.ask("POST", _path(number).rpartition("/")[0], body)
        api.ask("PUT", f"{_path(number)}/status", {**made, "status": _status()})


def _place(number: int) -> str:
    return f"team-{number % NAMESPACES}"


def _path(number: int) -> str:
    return f"/apis/whipstaff.dev/v1/namespaces/{_place(number)}/helmreleases/shop-{number}"


def _release(number: int) -> dict[str, Any]:
    chart = {"name": "shop", "repository": "https://charts.example.com", "version": "^1"}
    return {
        "apiVersion": "whipstaff.dev/v1",
        "kind": "HelmRelease",
        "metadata": {"name": f"shop-{number}", "labels": {"app": "shop", "tier": "web"}},
        "spec": {"chart": chart, "values": {f"key{one}": "x" * 40 for one in range(50)}},
    }


def _status() -> dict[str, Any]:
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "UpgradeSucceeded",
        "message": "revision 10 of shop 1.2.3 is deployed",
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    }
    history = [
        {"revision": number, "status": "superseded", "chart": "shop", "version": "1.2.3"}
        for number in range(10, 0, -1)
    ]
    return {"conditions": [ready], "revision": 10, "chartVersion": "1.2.3", "history": history}


def _some(cluster: Cluster, api: Api) -> str:
    """Return a token of somebody who may list every second namespace."""
    rule = {
        "apiGroups": ["whipstaff.dev"],
        "resources": ["helmreleases"],
        "verbs": ["list", "watch"],
    }
    api.ask("POST", f"{_RBAC}/clusterroles", {"metadata": {"name": "lists"}, "rules": [rule]})
    api.ask("POST", "/api/v1/namespaces/team-0/serviceaccounts", {"metadata": {"name": "some"}})
    for number in range(0, NAMESPACES, 2):
        binding = {
            "metadata": {"name": "lists"},
            "roleRef": _LISTS,
            "subjects": [{"kind": "ServiceAccount", "name": "some", "namespace": "team-0"}],
        }
        api.ask("POST", f"{_RBAC}/namespaces/{_place(number)}/rolebindings", binding)
    return cluster.service_account_token("team-0", "some")


async def _measured(cluster: Cluster, api: Api, count: int) -> dict[str, Any]:
    some = _some(cluster, api)
    _let_all(api, "reader", {"kind": "User", "name": "whipstaff:gateway-reader"})
    callers = [_waiting(cluster, api, number) for number in range(CALLERS)]
    gateway = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "whipstaff", "gateway", "--address", "127.0.0.1:0"),
        *("--kubeconfig", str(cluster.kubeconfig), "--log-level", "warning"),
        *("--requests-per-second", "100000"),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert gateway.stdout is not None
        found = re.search(r"http://\S+", (await gateway.stdout.readline()).decode())
        assert found is not None
        connections = aiohttp.TCPConnector(limit=STREAMS + 10)
        timeout = aiohttp.ClientTimeout(total=600)
        async with aiohttp.ClientSession(connector=connections, timeout=timeout) as session:
            asking = _Asking(session, found.group())
            began = time.monotonic()
            await asking.until_known(cluster.token, count)
            result: dict[str, Any] = {"start_seconds": round(time.monotonic() - began, 2)}
            result |= await asking.lists(cluster.token, some)
            result["resident_mib"] = round(proportional_mib(gateway.pid))
            result["streams_ms"] = await asking.streams(api, callers)
            result["resident_with_streams_mib"] = round(proportional_mib(gateway.pid))
            return result
    finally:
        gateway.terminate()
        await gateway.wait()


def _waiting(cluster: Cluster, api: Api, number: int) -> str:
    """Return a token of somebody who may list all."""
    name = f"waits-{number}"
    api.ask("POST", "/api/v1/namespaces/team-0/serviceaccounts", {"metadata": {"name": name}})
    _let_all(api, name, {"kind": "ServiceAccount", "name": name, "namespace": "team-0"})
    return cluster.service_account_token("team-0", name)


def _let_all(api: Api, name: str, subject: dict[str, str]) -> None:
    binding = {"metadata": {"name": name}, "roleRef": _LISTS, "subjects": [subject]}
    api.ask("POST", f"{_RBAC}/clusterrolebindings", binding)


class _Asking:
    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def get(self, path: str, token: str) -> bytes:
        headers = {"Authorization": f"Bearer {token}"}
        async with self._session.get(self._url + path, headers=headers) as answer:
            assert answer.status == HTTPStatus.OK, await answer.text()
            return await answer.read()

    async def until_known(self, token: str, count: int) -> None:
        while True:
            if json.loads(await self.get("/v1/releases?limit=1", token))["total"] >= count:
                return
            await asyncio.sleep(0.1)

    async def lists(self, everything: str, some: str) -> dict[str, Any]:
        whole = "/v1/releases?limit=1000"
        asked = {
            "all": lambda: self.get(whole, everything),
            "page": lambda: self.get("/v1/releases", everything),
            "some": lambda: self.get(whole, some),
        }
        found: dict[str, Any] = {"all_bytes": len(await self.get(whole, everything))}
        for name, ask in asked.items():
            found[f"{name}_ms"] = _spread([await _round(ask) for _ in range(ROUNDS)])
        return found

    async def streams(self, api: Api, tokens: Sequence[str]) -> dict[str, Any]:
        """Return how long a change takes to the last of those who wait."""
        async with asyncio.TaskGroup() as group:
            told: asyncio.Queue[float] = asyncio.Queue()
            ready = asyncio.Semaphore(0)
            waiting = [
                group.create_task(self._listen(tokens[number % len(tokens)], ready, told))
                for number in range(STREAMS)
            ]
            for _ in waiting:
                await ready.acquire()
            seconds = []
            for number in range(CHANGES):
                began = time.perf_counter()
                change = {"metadata": {"annotations": {"changed": str(number)}}}
                await asyncio.to_thread(api.ask, "PATCH", _path(number), change, MERGE)
                seconds.append(max([await told.get() for _ in waiting]) - began)
            for one in waiting:
                one.cancel()
        return _spread([seconds])

    async def _listen(
        self, token: str, ready: asyncio.Semaphore, told: asyncio.Queue[float]
    ) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        async with self._session.get(f"{self._url}/v1/changes", headers=headers) as answer:
            async for line in answer.content:
                if line.startswith(b"event: reset"):
                    ready.release()
                elif line.startswith(b"event: changed"):
                    told.put_nowait(time.perf_counter())


async def _round(work: Callable[[], Awaitable[object]]) -> list[float]:
    seconds = []
    for _ in range(ASKED):
        began = time.perf_counter()
        await work()
        seconds.append(time.perf_counter() - began)
    return seconds


def _spread(rounds: list[list[float]]) -> dict[str, dict[str, float]]:
    """Return of each round's median and 99th percentile the least and the median, in ms."""
    found = {}
    for name, part in (("p50", 0.5), ("p99", 0.99)):
        each = [sorted(one)[int(part * (len(one) - 1))] * 1e3 for one in rounds]
        found[name] = {"least": round(min(each), 1), "median": round(statistics.median(each), 1)}
    return found


if __name__ == "__main__":
    main()
