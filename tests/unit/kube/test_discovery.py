"""Kinds and capabilities, from new API servers and old ones, whole ones and broken ones."""

from contextlib import asynccontextmanager

import pytest

from tests.builders.stub_api_server import a_stub, refused
from whipstaff.errors import ClusterRefused
from whipstaff.kube import discovery as discovery_module
from whipstaff.kube.discovery import Discovery

LIST = "APIGroupDiscoveryList"


def a_resource(plural, kind, scope="Namespaced", *subresources):
    return {
        "resource": plural,
        "responseKind": {"kind": kind} if kind else None,
        "scope": scope,
        "verbs": ["get", "watch"],
        "subresources": [{"subresource": "x", "responseKind": {"kind": k}} for k in subresources],
    }


def a_group(name, *versions):
    return {"metadata": {"name": name} if name else {}, "versions": list(versions)}


def a_version(version, *resources, freshness="Current"):
    return {"version": version, "resources": list(resources), "freshness": freshness}


CORE = {"kind": LIST, "items": [a_group("", a_version("v1", a_resource("pods", "Pod")))]}
GROUPS = {
    "kind": LIST,
    "items": [
        a_group(
            "apps", a_version("v1", a_resource("deployments", "Deployment", "Namespaced", "Scale"))
        ),
        a_group("rbac", a_version("v1", a_resource("clusterroles", "ClusterRole", "Cluster"))),
        a_group("dead.dev", a_version("v1", a_resource("ghosts", "Ghost"), freshness="Stale")),
        a_group("odd.dev", a_version("v1", a_resource("parents", ""))),
    ],
}


@asynccontextmanager
async def a_server(core=CORE, groups=GROUPS):
    async with a_stub() as (stub, client):
        stub.on("GET", "/version", {"gitVersion": "v1.36.3"})
        stub.on("GET", "/api", core)
        stub.on("GET", "/apis", groups)
        yield stub, Discovery(client)


async def test_kinds_are_found_with_their_paths():
    async with a_server() as (_, discovery):
        pod = await discovery.find("v1", "Pod")
        assert pod.path("web", "a") == "/api/v1/namespaces/web/pods/a"
        assert pod.path() == "/api/v1/pods"
        deployment = await discovery.find("apps/v1", "Deployment")
        assert deployment.path("web") == "/apis/apps/v1/namespaces/web/deployments"
        role = await discovery.find("rbac/v1", "ClusterRole")
        assert role.path("web", "system:a") == "/apis/rbac/v1/clusterroles/system%3Aa"


async def test_names_in_paths_cannot_leave_them():
    async with a_server() as (_, discovery):
        pod = await discovery.find("v1", "Pod")
        assert pod.path("../x", "../../y") == "/api/v1/namespaces/..%2Fx/pods/..%2F..%2Fy"


async def test_capabilities_are_those_that_helm_gives_to_charts():
    async with a_server() as (_, discovery):
        found = await discovery.capabilities()
        assert found.kube_version == "v1.36.3"
        assert found.api_versions == (
            "apps/v1",
            "apps/v1/Deployment",
            "apps/v1/Scale",
            "odd.dev/v1",
            "rbac/v1",
            "rbac/v1/ClusterRole",
            "v1",
            "v1/Pod",
        )


async def test_a_dead_api_service_costs_only_its_own_group():
    async with a_server() as (_, discovery):
        with pytest.raises(ClusterRefused, match=r"dead.dev/v1 is away") as refused_for:
            await discovery.find("dead.dev/v1", "Ghost")
        assert refused_for.value.retryable
        assert not await discovery.serves("dead.dev/v1")
        assert await discovery.find("apps/v1", "Deployment") is not None


async def test_a_server_without_aggregated_discovery_is_asked_group_by_group():
    groups = {
        "kind": "APIGroupList",
        "groups": [
            {"name": "apps", "versions": [{"groupVersion": "apps/v1"}]},
            {"name": "dead.dev", "versions": [{"groupVersion": "dead.dev/v1"}]},
        ],
    }
    async with a_server({"kind": "APIVersions", "versions": ["v1"]}, groups) as (stub, discovery):
        pods = {"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ["get"]}
        scale = {"name": "deployments/scale", "kind": "Scale", "namespaced": True, "verbs": []}
        stub.on("GET", "/api/v1", {"resources": [pods]})
        stub.on("GET", "/apis/apps/v1", {"resources": [scale]})
        stub.on("GET", "/apis/dead.dev/v1", lambda: refused(503))
        assert (await discovery.find("v1", "Pod")).namespaced
        assert await discovery.find("apps/v1", "Scale") is None
        assert (await discovery.capabilities()).api_versions == (
            "apps/v1",
            "apps/v1/Scale",
            "v1",
            "v1/Pod",
        )


async def test_one_reading_serves_all_questions_until_it_is_forgotten():
    async with a_server() as (stub, discovery):
        for _ in range(3):
            await discovery.find("v1", "Pod")
            await discovery.capabilities()
        assert len(stub.requests) == 3
        discovery.forget()
        await discovery.find("v1", "Pod")
        assert len(stub.requests) == 6


async def test_a_missing_kind_is_looked_for_again_but_not_all_the_time(monkeypatch):
    async with a_server() as (stub, discovery):
        for _ in range(5):
            assert await discovery.find("new.dev/v1", "New") is None
        assert len(stub.requests) == 3
        monkeypatch.setattr(discovery_module, "MISSING_SECONDS", 0.0)
        new = a_group("new.dev", a_version("v1", a_resource("news", "New")))
        stub.on("GET", "/apis", {"kind": LIST, "items": [new]})
        assert await discovery.find("new.dev/v1", "New") is not None


async def test_what_was_known_is_still_true_while_the_server_is_away(monkeypatch):
    monkeypatch.setattr("whipstaff.kube.client.FIRST_PAUSE_SECONDS", 0.001)
    async with a_stub() as (stub, client):
        stub.on("GET", "/version", {"gitVersion": "v1.36.3"})
        stub.on("GET", "/api", CORE, lambda: refused(503))
        stub.on("GET", "/apis", GROUPS)
        discovery = Discovery(client, fresh_seconds=0.0)
        assert await discovery.find("v1", "Pod") is not None
        assert await discovery.find("v1", "Pod") is not None
        discovery.forget()
        with pytest.raises(ClusterRefused):
            await discovery.find("v1", "Pod")
