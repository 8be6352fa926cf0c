"""The cluster's own rules; what every cluster does is in tests/contracts."""

from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from tests.builders.stub_api_server import a_stub, refused
from whipstaff.errors import ClusterRefused
from whipstaff.kube import cluster as cluster_module
from whipstaff.kube.cluster import ApiServerCluster
from whipstaff.reconcile.ports import OPERATOR, Identity, ObjectReference

REFERENCE = ObjectReference("v1", "ConfigMap", "web", "a")
PATH = "/api/v1/namespaces/web/configmaps/a"
BODY = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
CLIS = {"manager": "helm", "operation": "Update", "apiVersion": "v1", "fieldsV1": {"f:a": {}}}
OURS = {"manager": "helm", "operation": "Apply", "apiVersion": "v1", "fieldsV1": {"f:a": {}}}


def live(*entries, version="5"):
    return {"metadata": {"name": "a", "resourceVersion": version, "managedFields": [*entries]}}


@asynccontextmanager
async def a_cluster():
    async with a_stub() as (stub, client):
        names = {"name": "configmaps", "kind": "ConfigMap", "namespaced": True, "verbs": ["get"]}
        stub.on("GET", "/version", {"gitVersion": "v1.36.3"})
        stub.on("GET", "/api", {"kind": "APIVersions", "versions": ["v1"]})
        stub.on("GET", "/apis", {"kind": "APIGroupList", "groups": []})
        stub.on("GET", "/api/v1", {"resources": [names]})
        yield stub, ApiServerCluster(client)


async def definition_is_going(monkeypatch, *verbs):
    """Ask one who may not read definitions, while our kind is served for these verbs."""
    monkeypatch.setattr(cluster_module, "SETTLE_SECONDS", 0.0)
    kind = {"name": "helmreleases", "kind": "HelmRelease", "namespaced": True, "verbs": verbs}
    group = {"name": "whipstaff.dev", "versions": [{"groupVersion": "whipstaff.dev/v1"}]}
    async with a_stub() as (stub, client):
        stub.on("GET", "/version", {"gitVersion": "v1.36.3"})
        stub.on("GET", "/api", {"kind": "APIVersions", "versions": []})
        stub.on("GET", "/apis", {"kind": "APIGroupList", "groups": [group] if verbs else []})
        stub.on("GET", "/apis/whipstaff.dev/v1", {"resources": [kind]})
        cluster = ApiServerCluster(client, everywhere=False)
        going = await cluster.definition_is_going(
            "helmreleases.whipstaff.dev", "whipstaff.dev/v1", "HelmRelease"
        )
        return going, len([each for each in stub.requests if each["path"] == "/apis"])


async def test_a_definition_stays_if_its_kind_is_still_served_for_creations_a_moment_later(
    monkeypatch,
):
    assert await definition_is_going(monkeypatch, "get", "create", "delete") == (False, 2)


async def test_a_definition_goes_when_its_kind_is_served_but_not_for_creations(monkeypatch):
    assert await definition_is_going(monkeypatch, "get", "delete") == (True, 1)


async def test_a_definition_is_gone_when_its_kind_is_not_served(monkeypatch):
    going, _ = await definition_is_going(monkeypatch)
    assert going


def patches(stub):
    return [request for request in stub.requests if request["method"] == "PATCH"]


async def test_an_apply_is_helms():
    async with a_cluster() as (stub, cluster):
        stub.on("PATCH", PATH, live(OURS))
        await cluster.apply(REFERENCE, BODY, Identity("deployer", "web"), dry_run=True)
        (request,) = patches(stub)
        assert request["query"] == {
            "fieldManager": "helm",
            "force": "true",
            "fieldValidation": "Strict",
            "dryRun": "All",
        }
        assert request["headers"]["Content-Type"] == "application/apply-patch+yaml"
        assert request["headers"]["Impersonate-User"].endswith(":web:deployer")
        assert request["body"] == BODY


async def test_a_kind_that_went_since_it_was_looked_up_is_named():
    async with a_cluster() as (stub, cluster):
        names = {"name": "lamps", "kind": "Lamp", "namespaced": True, "verbs": ["get"]}
        group = {"name": "a.test", "versions": [{"groupVersion": "a.test/v1"}]}
        stub.on("GET", "/apis", {"groups": [group]}, {"groups": []})
        stub.on("GET", "/apis/a.test/v1", {"resources": [names]})
        stub.on("PATCH", "/apis/a.test/v1/namespaces/web/lamps/a", lambda: web.Response(status=404))
        reference = ObjectReference("a.test/v1", "Lamp", "web", "a")
        with pytest.raises(ClusterRefused, match='no matches for kind "Lamp"') as caught:
            await cluster.apply(reference, BODY, OPERATOR)
        assert caught.value.reason == "NoMatchForKind"


async def test_a_dry_run_that_shows_old_entries_has_them_folded_before_the_apply():
    async with a_cluster() as (stub, cluster):
        stub.on("PATCH", PATH, live(CLIS, OURS), {}, live(OURS))
        stub.on("GET", PATH, live(CLIS, OURS))
        await cluster.apply(REFERENCE, BODY, OPERATOR, dry_run=True)
        assert len(patches(stub)) == 1
        await cluster.apply(REFERENCE, BODY, OPERATOR)
        _, fold, applied = patches(stub)
        assert fold["body"] == [
            {"op": "replace", "path": "/metadata/managedFields", "value": [OURS]},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": "5"},
        ]
        assert "dryRun" not in applied["query"]


async def test_a_fold_that_met_another_write_is_done_anew():
    async with a_cluster() as (stub, cluster):
        stub.on("GET", PATH, live(CLIS), live(CLIS, version="6"))
        conflict = [lambda: refused(409, "Conflict")]
        stub.on("PATCH", PATH, live(CLIS, OURS), *conflict, {}, live(OURS))
        await cluster.apply(REFERENCE, BODY, OPERATOR)
        versions = [request["body"][1]["value"] for request in patches(stub)[1:3]]
        assert versions == ["5", "6"]


async def test_an_object_of_ours_takes_one_request():
    async with a_cluster() as (stub, cluster):
        stub.on("PATCH", PATH, live(OURS))
        await cluster.apply(REFERENCE, BODY, OPERATOR)
        await cluster.apply(REFERENCE, BODY, OPERATOR)
        assert len(patches(stub)) == 2


async def test_a_deletion_that_is_refused_is_told():
    async with a_cluster() as (stub, cluster):
        stub.on("DELETE", PATH, lambda: refused(403, "Forbidden", "no"))
        with pytest.raises(ClusterRefused, match="no"):
            await cluster.delete(REFERENCE, OPERATOR)


async def test_a_deletion_names_its_propagation():
    async with a_cluster() as (stub, cluster):
        stub.on("DELETE", PATH, {})
        await cluster.delete(REFERENCE, OPERATOR, propagation="Foreground")
        assert stub.asked("DELETE")[0]["body"] == {"propagationPolicy": "Foreground"}


async def test_a_tenant_that_may_not_read_namespaces_may_still_create_one():
    async with a_cluster() as (stub, cluster):
        stub.on("GET", "/api/v1/namespaces/new", lambda: refused(403, "Forbidden"))
        stub.on("POST", "/api/v1/namespaces", lambda: refused(409, "AlreadyExists"))
        await cluster.ensure_namespace("new", Identity("deployer", "web"))
        (request,) = stub.asked("POST")
        assert request["body"]["metadata"] == {"name": "new", "labels": {"name": "new"}}
