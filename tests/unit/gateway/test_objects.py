"""What clients read through a gateway: objects as the API server has them, as their caller."""

import pytest

from tests.builders.both_ways import ShownApiServer
from tests.builders.little_api_server import a_gateway, a_release
from tests.builders.releases import a_revision
from whipstaff.gateway import object_api

SECRETS = "/v1/objects/api/v1/namespaces/web/secrets"
REVISION = f"{SECRETS}/sh.helm.release.v1.blog.v1"
POD = "/api/v1/namespaces/web/pods/blog"
LEADING_ON = [
    "",
    "version/",
    "apis/apps/v1/deployments",
    "apis/apps/v1/namespaces/web/statefulsets?labelSelector=a",
    "apis/apps",
    "openapi/v3",
    "healthz",
    "metrics",
    "logs/",
    "api/v1/",
    "api/v1/secrets",
    "api/v1/nodes/one/proxy",
    "api/v1/nodes/one/proxy/metrics",
    "api/v1/watch/secrets",
    "api/v1/watch/namespaces/web/secrets",
    "api/v1/proxy/nodes",
    "apis/apps/v1/watch/deployments",
    "api/v1/namespaces/web/pods",
    "api/v1/namespaces/web/secrets",
    "api/v1/namespaces/web/watch/secrets",
    "api/v1/namespaces/web/serviceaccounts?labelSelector=a",
    "api/v1/namespaces/web/pods/blog/exec",
    "api/v1/namespaces/web/pods/blog/attach",
    "api/v1/namespaces/web/pods/blog/portforward",
    "api/v1/namespaces/web/pods/blog/proxy",
    "api/v1/namespaces/web/services/blog/proxy",
    "api/v1/namespaces/web/services/https:blog:1/proxy/x",
    "api/v1/namespaces/web/secrets/a?watch=true",
    "api/v1/namespaces/web/secrets?labelSelector=a&watch=1",
    "api/v1/namespaces/web/secrets?labelSelector=a&fieldSelector=b",
    "api/v1/namespaces/web/secrets?labelSelector=a&limit=-1",
    "api/v1/namespaces/web/secrets?labelSelector=a&limit=1000000000",
    f"api/v1/namespaces/web/secrets?labelSelector=a&continue={'A' * 5000}",
    "api/v1/namespaces/web/secrets/a%3Fwatch=true",
    "api/v1/namespaces/web/secrets/%20",
    "api/v1/namespaces/web/secrets/a/",
    "api/v1/namespaces/web/secrets/../secrets",
    "api/v1//secrets/a",
    f"api/v1/namespaces/web/secrets/{'a' * 1100}",
]


@pytest.fixture
async def ask():
    server = ShownApiServer(a_release())
    server.store(a_revision(1, name="blog"))
    server.objects[POD] = {"kind": "Pod"}
    server.logs[f"{POD}/log"] = "<script>"
    server.allow("alice", "*", "*")
    server.allow("bob", "get", "helmreleases", "web")
    async with a_gateway(server) as asking:
        yield asking


async def test_objects_are_read_as_their_caller(ask):
    found = await ask(REVISION)
    assert found.status == 200
    assert found.json == ask.server.secrets["web", "sh.helm.release.v1.blog.v1"]
    assert ask.server.requests[-1]["user"] == "alice"
    refused = await ask(REVISION, token="bob-token")
    assert (refused.status, refused.json["reason"]) == (403, "Forbidden")
    assert 'User "bob" cannot' in refused.json["detail"]
    assert (await ask(REVISION, token="")).status == 401


async def test_what_is_not_there_is_told_with_the_api_server_s_reason(ask):
    for path in (
        f"{SECRETS}/none",
        "/v1/objects/apis/whipstaff.dev/v1/namespaces/web/helmreleases/x",
    ):
        answer = await ask(path)
        assert (answer.status, answer.json["reason"]) == (404, "NotFound")


async def test_a_path_that_leads_on_is_refused_before_it_is_asked(ask):
    before = len(ask.server.requests)
    for path in LEADING_ON:
        answer = await ask(f"/v1/objects/{path}")
        assert (path, answer.status in (400, 404)) == (path, True)
    mine = [one for one in ask.server.requests[before:] if one["user"] == "alice"]
    asked = {one["path"] for one in mine}
    assert all(path.endswith("selfsubjectreviews") for path in asked)


async def test_nothing_is_written_at_such_a_path(ask):
    for method in ("POST", "PUT", "DELETE"):
        assert (await ask(REVISION, method=method, json={})).status == 405
    for query in ("", "?dryRun=", "?dryRun=None", "?dryRun=All&x=1"):
        assert (await ask(f"{REVISION}{query}", method="PATCH", json={})).status == 400
    assert not ask.server.writes


async def test_what_would_be_applied_is_tried_as_its_caller(ask):
    path = "/v1/objects/api/v1/namespaces/web/configmaps/x?dryRun=All"
    body = {"kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "b"}}
    answer = await ask(f"{path}&force=true", method="PATCH", json=body)
    assert (answer.status, answer.json["data"]) == (200, {"a": "b"})
    assert ask.server.requests[-1]["user"] == "alice"
    assert not ask.server.writes
    refused = await ask(path, method="PATCH", json=body, token="bob-token")
    assert (refused.status, refused.json["reason"]) == (403, "Forbidden")
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert (await ask(path, method="PATCH", json=body, headers=foreign)).status == 403
    for other in (*LEADING_ON, "version", "api/v1", "api/v1/namespaces/web/pods/blog/log"):
        answer = await ask(f"/v1/objects/{other}?dryRun=All", method="PATCH", json=body)
        assert (other, answer.status in (400, 404)) == (other, True)


async def test_what_a_secret_holds_is_no_result_of_a_trial_to_who_may_not_read_it(ask):
    """The API server merges what is applied with what is there, and answers with both."""
    there = {"metadata": {"name": "login", "namespace": "web"}, "data": {"password": "Y2FuYXJ5"}}
    ask.server.releases["web", "login"] = {"kind": "Secret", "spec": {}, **there}
    ask.server.allow("bob", "patch", "secrets", "web")
    path = f"{SECRETS}/login?dryRun=All"
    body = {"kind": "Secret", "metadata": {"name": "login"}}
    how = {"method": "PATCH", "json": body}
    shown = await ask(path, **how)
    assert (shown.status, shown.json["data"]) == (200, {"password": "Y2FuYXJ5"})
    masked = await ask(path, token="bob-token", **how)
    assert (masked.status, masked.json["data"]) == (200, {"password": "***"})
    assert not ask.server.writes


async def test_pages_of_whole_objects_are_short(ask):
    for _ in range(2):
        await ask(f"{SECRETS}?labelSelector=owner=helm&limit=500")
    heads = {"Accept": object_api.METADATA_LIST}
    await ask(f"{SECRETS}?labelSelector=owner=helm&limit=500", headers=heads)
    limits = [query["limit"] for _, query in ask.server.selections]
    assert limits == [str(object_api.WHOLE_LIMIT)] * 2 + ["500"]


async def test_a_log_is_text_to_whoever_reads_it(ask):
    answer = await ask(f"/v1/objects{POD}/log?container=c")
    assert (answer.status, answer.text) == (200, "<script>")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_an_answer_in_another_form_than_these_is_not_asked_for(ask):
    for accept in ("application/vnd.kubernetes.protobuf", "application/yaml", "*/*"):
        answer = await ask(REVISION, headers={"Accept": accept})
        assert answer.headers["content-type"] == "application/json"


async def test_an_unknown_cluster_is_none(ask):
    assert (await ask(f"{REVISION}?cluster=east")).status == 404
    assert (await ask(f"{REVISION}?cluster=local")).status == 200
