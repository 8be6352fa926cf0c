import asyncio
import io
import json

import pytest
import yaml

from tests.builders.little_api_server import LittleApiServer, a_gateway, a_release
from tests.builders.raw_http import answers
from whipstaff.gateway import bodies, models, write_api
from whipstaff.gateway.callers import Caller, OnlyAsCallers, named
from whipstaff.gateway.once import order
from whipstaff.gateway.releases import Named
from whipstaff.gateway.writing import How, Writer
from whipstaff.helmrelease import edits
from whipstaff.reconcile.ports import Identity, Person

BLOG = "/v1/namespaces/web/releases/blog"
HISTORY = [{"revision": number, "chart": "blog", "version": "1.2.3"} for number in (3, 2, 1)]
KEY = {"Idempotency-Key": "0f6c"}


@pytest.fixture
def server():
    release = a_release(
        history=HISTORY, revision=3, plan={"digest": "sha256:ab", "action": "upgrade"}
    )
    release["spec"]["values"] = {"title": "one", "nested": {"a": 1, "b": 2}}
    found = LittleApiServer(release)
    found.allow("alice", "*", "*")
    for verb in ("get", "list"):
        found.allow("bob", verb, "helmreleases", "web")
    return found


@pytest.fixture
async def ask(server):
    async with a_gateway(server) as asking:
        yield asking


def spec(server):
    return server.releases["web", "blog"]["spec"]


@pytest.mark.parametrize(
    ("action", "body", "field", "value"),
    [
        ("rollback", {}, "revision", 2),
        ("rollback", {"revision": 1}, "revision", 1),
        ("pin", {}, "revision", 3),
        ("pin", {"revision": 2}, "revision", 2),
        ("approve", {"digest": "sha256:ab"}, "approvedPlan", "sha256:ab"),
        ("suspend", {}, "suspend", True),
    ],
)
async def test_each_action_is_an_edit_that_is_shown(ask, server, action, body, field, value):
    answer = await ask(f"{BLOG}/{action}", method="POST", json=body)
    assert answer.status == 200, answer.text
    assert spec(server)[field] == value
    assert yaml.safe_load(answer.json["edit"])["spec"] == {field: value}
    assert (answer.json["made"], answer.json["warning"]) == (True, None)
    models.Edited.model_validate(answer.json)


async def test_what_is_stored_counts_and_not_what_status_tells_of(ask, server):
    """A `helm upgrade` by hand may have come in between."""
    for number in (3, 4):
        name = f"sh.helm.release.v1.blog.v{number}"
        server.secrets["web", name] = {"metadata": {"name": name}}
    await ask(f"{BLOG}/rollback", method="POST")
    assert spec(server)["revision"] == 3
    answer = await ask(f"{BLOG}/pin", method="POST", json={"revision": 4})
    assert (answer.status, spec(server)["revision"]) == (200, 4)
    answer = await ask(f"{BLOG}/pin", method="POST", json={"revision": 2})
    assert (answer.status, spec(server)["revision"]) == (409, 4)


@pytest.mark.parametrize(
    ("before", "action", "field"), [("suspend", "resume", "suspend"), ("pin", "unpin", "revision")]
)
async def test_what_was_asked_for_is_taken_back(ask, server, before, action, field):
    await ask(f"{BLOG}/{before}", method="POST")
    answer = await ask(f"{BLOG}/{action}", method="POST")
    assert answer.status == 200
    assert field not in spec(server)
    assert yaml.safe_load(answer.json["edit"])["spec"] == {field: None}


async def test_a_pass_is_asked_for_by_an_annotation(ask, server):
    await ask(f"{BLOG}/reconcile", method="POST", json={"force": True})
    annotations = server.releases["web", "blog"]["metadata"]["annotations"]
    assert annotations["whipstaff.dev/requestedAt"] == annotations["whipstaff.dev/forceAt"]


async def test_an_upgrade_merges_what_it_is_given_and_takes_the_pin_away(ask, server):
    await ask(f"{BLOG}/pin", method="POST")
    change = {"chart": {"version": "^2"}, "values": {"nested": {"a": None, "c": 3}}}
    answer = await ask(BLOG, method="PATCH", json={"spec": change})
    assert answer.status == 200, answer.text
    assert spec(server) == {
        "chart": {"name": "blog", "repository": "https://charts.example", "version": "^2"},
        "values": {"title": "one", "nested": {"b": 2, "c": 3}},
    }


async def test_values_are_replaced_where_that_is_asked_for(ask, server):
    body = {"spec": {"values": {"title": "two"}}, "resetValues": True}
    await ask(BLOG, method="PATCH", json=body)
    assert spec(server)["values"] == {"title": "two"}


async def test_secret_values_are_shown_to_who_asks_for_them(ask):
    body = {"spec": {"values": {"db": {"password": "canary-5a11"}}}}
    masked = await ask(f"{BLOG}?dryRun=client", method="PATCH", json=body)
    assert "canary-5a11" not in masked.text
    shown = await ask(f"{BLOG}?dryRun=client&showSecrets=true", method="PATCH", json=body)
    assert "canary-5a11" in shown.json["edit"]


async def test_a_release_is_installed_and_uninstalled(ask, server):
    new = {"name": "shop", "spec": {"chart": {"name": "shop"}}}
    answer = await ask("/v1/namespaces/web/releases", method="POST", json=new)
    assert (answer.status, answer.headers["location"]) == (201, "releases/shop")
    assert server.releases["web", "shop"]["spec"] == new["spec"]
    again = await ask("/v1/namespaces/web/releases", method="POST", json=new)
    assert (again.status, again.json["reason"]) == (409, "AlreadyExists")
    gone = await ask("/v1/namespaces/web/releases/shop?keepHistory=true", method="DELETE")
    assert (gone.status, gone.json["made"]) == (200, True)
    assert server.releases["web", "shop"]["spec"]["uninstall"] == {"keepHistory": True}
    assert server.releases["web", "shop"]["metadata"]["deletionTimestamp"]
    twice = await ask("/v1/namespaces/web/releases/shop", method="DELETE")
    assert (twice.status, twice.json["made"]) == (200, False)
    otherwise = await ask("/v1/namespaces/web/releases/shop?disableHooks=true", method="DELETE")
    assert (otherwise.status, otherwise.json["made"]) == (200, True)
    how = {"keepHistory": True, "disableHooks": True}
    assert server.releases["web", "shop"]["spec"]["uninstall"] == how


async def test_another_release_of_the_same_name_is_not_deleted(ask, server):
    answer = await ask(f"{BLOG}?uid=some-other", method="DELETE")
    assert answer.status == 409
    assert not server.writes


@pytest.mark.parametrize("how", ["client", "server"])
async def test_a_dry_run_changes_nothing(ask, server, how):
    await ask(f"{BLOG}/pin?dryRun={how}", method="POST", headers=KEY)
    await ask(f"{BLOG}?dryRun={how}&keepHistory=true", method="DELETE")
    new = {"name": "shop", "spec": {"chart": {"name": "shop"}}}
    answer = await ask(f"/v1/namespaces/web/releases?dryRun={how}", method="POST", json=new)
    assert (answer.status, answer.json["made"]) == (200, False)
    assert yaml.safe_load(answer.json["edit"])["spec"] == new["spec"]
    body = {"spec": {"values": {"title": "two"}}}
    await ask(f"{BLOG}?dryRun={how}", method="PATCH", json=body)
    assert (server.writes, list(server.releases)) == ([], [("web", "blog")]) or how == "server"
    assert spec(server)["values"]["title"] == "one"
    assert "shop" not in [name for _, name in server.releases]


async def test_whoever_syncs_a_release_from_git_is_named(ask, server):
    labels = {"kustomize.toolkit.fluxcd.io/name": "apps"}
    server.releases["web", "blog"]["metadata"]["labels"] = labels
    answer = await ask(f"{BLOG}/suspend", method="POST")
    assert answer.json["warning"].startswith("Flux syncs this HelmRelease")
    assert answer.json["syncedBy"] == "Flux"
    del server.releases["web", "blog"]["metadata"]["labels"]
    managers = [{"manager": "argocd-controller", "operation": "Apply"}]
    server.releases["web", "blog"]["metadata"]["managedFields"] = managers
    assert (await ask(BLOG)).json["syncedBy"] == "Argo CD"


async def test_nobody_writes_with_other_rights_than_their_own(ask, server):
    for path, method, body in (
        (f"{BLOG}/suspend", "POST", {}),
        (BLOG, "PATCH", {"spec": {"suspend": True}}),
        (BLOG, "DELETE", None),
        ("/v1/namespaces/web/releases", "POST", {"name": "x", "spec": {}}),
    ):
        answer = await ask(path, token="bob-token", method=method, json=body)
        assert (answer.status, answer.json["reason"]) == (403, "Forbidden")
    assert not server.writes


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("rollback", {"revision": 9}),
        ("pin", {"revision": 9}),
        ("approve", {"digest": "sha256:other"}),
    ],
)
async def test_what_is_not_there_cannot_be_asked_for(ask, server, action, body):
    answer = await ask(f"{BLOG}/{action}", method="POST", json=body)
    assert answer.status == 409
    assert not server.writes


async def test_a_change_of_what_is_another_by_now_is_a_conflict(ask, server):
    body = {"spec": {"suspend": True}, "resourceVersion": "6"}
    assert (await ask(BLOG, method="PATCH", json=body)).status == 409
    body["resourceVersion"] = server.releases["web", "blog"]["metadata"]["resourceVersion"]
    assert (await ask(BLOG, method="PATCH", json=body)).status == 200


async def test_an_edit_of_somebody_else_meanwhile_is_not_lost(ask, server):
    def others():
        live = server.releases["web", "blog"]
        live["spec"]["values"]["theirs"] = True
        live["metadata"]["resourceVersion"] = "8"

    server.meanwhile = others
    answer = await ask(BLOG, method="PATCH", json={"spec": {"values": {"title": "two"}}})
    assert answer.status == 200
    assert spec(server)["values"]["theirs"] is True
    assert spec(server)["values"]["title"] == "two"


async def test_a_repetition_with_the_same_key_has_one_effect(ask, server):
    first = await ask(f"{BLOG}/rollback", method="POST", headers=KEY)
    server.releases["web", "blog"]["status"]["history"].insert(0, {"revision": 4})
    again = await ask(f"{BLOG}/rollback", method="POST", headers=KEY)
    assert (first.status, again.status) == (200, 200)
    assert (again.json["made"], again.json["repeated"]) == (False, True)
    assert (spec(server)["revision"], len(server.writes)) == (2, 1)


async def test_requests_with_one_key_at_the_same_time_have_one_effect(ask, server):
    asked = [ask(f"{BLOG}/reconcile", method="POST", headers=KEY) for _ in range(8)]
    answers = await asyncio.gather(*asked)
    assert {answer.status for answer in answers} == {200}
    assert [answer.json["made"] for answer in answers].count(True) == 1
    assert len(server.writes) == 1


async def test_a_gateway_that_was_killed_after_the_effect_does_not_repeat_it(server):
    """The next gateway has no memory of it but the HelmRelease."""
    new = {"name": "shop", "spec": {"chart": {"name": "shop"}}}
    for path, method, body in (
        ("/v1/namespaces/web/releases", "POST", new),
        (f"{BLOG}/rollback", "POST", {}),
        (f"{BLOG}/unpin", "POST", {}),
        (BLOG, "PATCH", {"spec": {"values": {"title": "two"}}}),
    ):
        headers = {"Idempotency-Key": f"{method} {path}".replace(" ", "-")}
        server.writes.clear()
        for made in (True, False):
            async with a_gateway(server) as ask:
                answer = await ask(path, method=method, json=body, headers=headers)
            assert answer.status in (200, 201), answer.text
            assert (answer.json["made"], answer.json["repeated"]) == (made, not made)
        assert len(server.writes) == 1


async def test_an_answer_of_the_api_server_that_is_lost_has_no_second_effect(ask, server):
    server.lost_answers = 1
    answer = await ask(f"{BLOG}/reconcile", method="POST", headers=KEY)
    assert answer.status == 200
    assert len(server.writes) == 1
    server.lost_answers = 1
    new = {"name": "shop", "spec": {"chart": {"name": "shop"}}}
    created = await ask("/v1/namespaces/web/releases", method="POST", json=new, headers=KEY)
    assert (created.status, len(server.writes)) == (201, 2)


MEANT = f"{BLOG}?uid=uid-web-blog"
KEEPING = f"{MEANT}&keepHistory=true"


def gone(server):
    """Have the operator be done with a deletion."""
    server.change(server.releases["web", "blog"], "DELETED")
    server.writes.clear()


async def test_a_deletion_with_a_key_hits_one_helmrelease_and_no_later_one(server):
    """Fault 35: each repetition meets another gateway, which knows nothing of the first."""

    async def deleted():
        async with a_gateway(server) as ask:
            answer = await ask(KEEPING, method="DELETE", headers=KEY)
        models.Edited.model_validate(answer.json)
        return answer.status, answer.json["made"], answer.json["repeated"]

    assert await deleted() == (200, True, False)
    assert spec(server)["uninstall"] == {"keepHistory": True}
    assert await deleted() == (200, False, True)
    gone(server)
    assert await deleted() == (200, False, True)
    later = a_release()
    later["metadata"]["uid"] = "uid-of-a-later-one"
    server.change(later, "ADDED")
    assert await deleted() == (200, False, True)
    assert (server.releases["web", "blog"], server.writes) == (later, [])


async def test_a_deletion_that_was_broken_off_is_gone_on_with(ask, server):
    for verb in ("get", "patch"):
        server.allow("bob", verb, "helmreleases", "web")
    how = {"method": "DELETE", "headers": KEY, "token": "bob-token"}
    refused = await ask(KEEPING, **how)
    assert (refused.status, len(server.writes)) == (403, 1)  # its key was written down
    server.allow("bob", "delete", "helmreleases", "web")
    again = await ask(KEEPING, **how)
    assert (again.status, again.json["made"]) == (200, True)
    assert "deletionTimestamp" in server.releases["web", "blog"]["metadata"]


async def test_deletions_with_one_key_at_the_same_time_are_one(ask, server):
    server.lost_answers = 2
    asked = [ask(KEEPING, method="DELETE", headers=KEY) for _ in range(8)]
    answers = await asyncio.gather(*asked)
    assert {answer.status for answer in answers} == {200}
    noted = [body for body in server.writes if "preconditions" not in body]
    assert len(noted) == 1


async def test_a_release_that_came_in_between_is_left_alone(ask, server):
    later = a_release(version="20")
    later["metadata"]["uid"] = "uid-of-a-later-one"
    server.meanwhile = lambda: server.change(later, "ADDED")
    answer = await ask(KEEPING, method="DELETE", headers=KEY)
    assert (answer.status, answer.json["release"]) == (200, None)
    assert (server.releases["web", "blog"], server.writes) == (later, [])


async def test_the_key_of_a_deletion_is_for_one_request(ask, server):
    await ask(f"{BLOG}/suspend", method="POST", headers=KEY)
    assert (await ask(MEANT, method="DELETE", headers=KEY)).status == 422
    other = {"Idempotency-Key": "another"}
    assert (await ask(KEEPING, method="DELETE", headers=other)).status == 200
    assert (await ask(MEANT, method="DELETE", headers=other)).status == 422


async def test_a_key_alone_does_not_say_which_one_is_to_be_deleted(ask, server):
    answer = await ask(BLOG, method="DELETE", headers=KEY)
    assert (answer.status, "`uid`" in answer.json["detail"]) == (400, True)
    assert not server.writes


async def test_a_key_is_for_one_request_of_one_caller(ask, server):
    server.allow("bob", "patch", "helmreleases", "web")
    await ask(f"{BLOG}/pin", method="POST", headers=KEY, json={"revision": 1})
    for path, body in ((f"{BLOG}/pin", {"revision": 2}), (f"{BLOG}/suspend", {})):
        assert (await ask(path, method="POST", headers=KEY, json=body)).status == 422
    theirs = await ask(
        f"{BLOG}/pin", token="bob-token", method="POST", headers=KEY, json={"revision": 2}
    )
    assert (theirs.status, theirs.json["made"]) == (200, True)


async def test_few_keys_of_a_release_are_kept(ask, server):
    for number in range(20):
        await ask(f"{BLOG}/suspend", method="POST", headers={"Idempotency-Key": str(number)})
    kept = server.releases["web", "blog"]["metadata"]["annotations"]["whipstaff.dev/orders"]
    assert len(kept.split()) == 16


@pytest.mark.parametrize("key", ["", '""', "a b", "x" * 256, "\xe9"], ids=ascii)
async def test_a_key_that_is_none_is_refused(ask, server, key):
    headers = {"Idempotency-Key": key}
    assert (await ask(f"{BLOG}/suspend", method="POST", headers=headers)).status == 400
    assert not server.writes


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        pytest.param(b'{"spec": {', JSON, 400, id="half of it"),
        pytest.param(b'{"spec": {"a": 1, "a": 2}}', JSON, 400, id="a key twice"),
        pytest.param(b'{"spec": {"values": {"a": "\\u0000"}}}', JSON, 400, id="NUL"),
        pytest.param(b'{"spec": {"values": {"a": "\0"}}}', JSON, 400, id="a plain NUL"),
        pytest.param(b'{"spec": {"values": {"\\ud800": 1}}}', JSON, 400, id="half a character"),
        pytest.param(b'{"spec": {"values": {"a": NaN}}}', JSON, 400, id="NaN"),
        pytest.param(b'{"spec": {"values": {"a": 1e999}}}', JSON, 400, id="infinity"),
        pytest.param(b'{"spec": {"v": ' + b"9" * 5000 + b"}}", JSON, 400, id="a long number"),
        pytest.param(b'{"spec": {"a": "\xff"}}', JSON, 400, id="no UTF-8"),
        pytest.param(b"[" * 10_000 + b"]" * 10_000, JSON, 400, id="10,000 deep"),
        pytest.param(b'{"spec": ' + b"[" * 70 + b"]" * 70 + b"}", JSON, 400, id="70 deep"),
        pytest.param(b"[]", JSON, 400, id="no table"),
        pytest.param(b"{}", JSON, 400, id="nothing"),
        pytest.param(b'{"spec": {}}', JSON, 400, id="no change"),
        pytest.param(b'{"spec": {"suspend": true}, "more": 1}', JSON, 400, id="an unknown field"),
        pytest.param(b'{"spec": "text"}', JSON, 400, id="a text"),
        pytest.param(b"x" * (2 << 20), JSON, 413, id="2 MiB"),
        pytest.param(
            b'{"spec": {"suspend": true}}', {"Content-Type": "text/plain"}, 415, id="text"
        ),
        pytest.param(
            b'{"spec": {"suspend": true}}',
            {"Content-Type": "application/x-www-form-urlencoded"},
            415,
            id="a form",
        ),
        pytest.param(
            b'{"spec": {"suspend": true}}',
            {"Content-Type": "application/json; charset=utf-16"},
            415,
            id="another encoding",
        ),
        pytest.param(b"\x1f\x8b", {**JSON, "Content-Encoding": "gzip"}, 415, id="compressed"),
    ],
)
async def test_a_body_that_is_none_is_refused(ask, server, content, headers, status):
    answer = await ask(BLOG, method="PATCH", data=io.BytesIO(content), headers=headers)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    assert not server.writes


WRITING = {
    "install": ("/v1/namespaces/web/releases", "POST"),
    "upgrade": (BLOG, "PATCH"),
    **{action.name: (f"{BLOG}/{action.name}", "POST") for action in write_api.ACTIONS},
    "try": ("/v1/objects/api/v1/namespaces/web/configmaps/x?dryRun=All", "PATCH"),
}


@pytest.mark.parametrize(("path", "method"), WRITING.values(), ids=WRITING)
async def test_each_route_that_takes_a_body_takes_no_odd_one(ask, server, path, method):
    for content, status in (
        (b'{"a": ', 400),
        (b'{"a": 1, "a": 1}', 400),
        (b'{"a": "\\u0000"}', 400),
        (b'{"a": "\xff"}', 400),
        (b"[" * 10_000, 400),
        (b" " * (2 << 20), 413),
    ):
        answer = await ask(path, method=method, data=io.BytesIO(content), headers=JSON)
        assert (answer.status, content[:20]) == (status, content[:20])
    text = {"Content-Type": "text/plain"}
    assert (await ask(path, method=method, data=b"{}", headers=text)).status == 415
    assert not server.writes


async def test_a_body_of_unknown_length_is_read_up_to_the_limit(ask):
    heads = [
        *("Content-Type: application/json", "Transfer-Encoding: chunked"),
        "Authorization: Bearer alice-token",
    ]
    pieces = b"10000\r\n" + b"x" * (64 << 10) + b"\r\n"
    one_more = b"1\r\nx"  # nothing that is not read, or the answer might be lost
    body = pieces * (bodies.BYTES_LIMIT >> 16) + one_more
    assert await answers(ask.url, f"PATCH {BLOG} HTTP/1.1", heads, body) == [413]


async def test_what_is_wrong_in_a_body_is_told_without_what_it_holds(ask):
    body = json.dumps({"spec": {"x": 1}, "resetValues": "canary-77"})
    answer = await ask(BLOG, method="PATCH", data=body, headers=JSON)
    assert answer.status == 400
    assert "resetValues" in answer.json["detail"]
    assert "canary-77" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
    ids=str,
)
async def test_another_site_s_page_cannot_write(ask, server, headers):
    for path, method in ((f"{BLOG}/suspend", "POST"), (BLOG, "DELETE"), (BLOG, "PATCH")):
        assert (await ask(path, method=method, headers=headers)).status == 403
    assert not server.writes


async def test_a_page_of_the_gateway_itself_can_write(ask):
    for headers in (
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://behind.a.proxy"},
        {"Origin": ask.url},
    ):
        assert (await ask(f"{BLOG}/suspend", method="POST", headers=headers)).status == 200


async def raw(ask, head, body=b""):
    """Send what no library would; give the status of the answer."""
    host, port = ask.url.rpartition("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write("\r\n".join([*head, "Host: x", "", ""]).encode() + body)
        async with asyncio.timeout(60):
            return int((await reader.readline()).split()[1])
    finally:
        writer.close()
        await writer.wait_closed()


async def test_the_body_of_nobody_is_not_waited_for(ask):
    head = [f"PATCH {BLOG} HTTP/1.1", "Content-Type: application/json", "Content-Length: 900000"]
    assert await raw(ask, head) == 401
    assert await raw(ask, [*head, "Authorization: Bearer wrong"]) == 401


async def test_a_body_that_does_not_come_is_not_waited_for_long(ask, server, monkeypatch):
    monkeypatch.setattr(bodies, "READ_SECONDS", 0.1)
    head = [f"PATCH {BLOG} HTTP/1.1", "Content-Type: application/json", "Content-Length: 900000"]
    assert await raw(ask, [*head, "Authorization: Bearer alice-token"], b'{"spec"') == 408
    assert not server.writes


class Remembering:
    """A client that sends nothing on, and remembers as whom it was asked to."""

    def __init__(self):
        self.persons = []

    async def send(self, request):
        self.persons.append(request.identity.person)
        return a_release()


@pytest.mark.parametrize("method", ["create", "edit", "delete"])
async def test_nothing_is_written_in_the_gateway_s_own_name(method):
    client = Remembering()
    writer = Writer(OnlyAsCallers(client))

    async def written(caller):
        which, how = Named(caller, "web", "blog"), How(order("x", None))
        match method:
            case "create":
                await writer.create(which, {}, how)
            case "edit":
                await writer.edit(which, lambda _: edits.suspend(), how)
            case _:
                await writer.delete(which, lambda _: edits.suspend(), how)

    with pytest.raises(PermissionError):
        await written(Caller("x", "x", Identity()))
    assert not client.persons
    alice = Person("alice", ("dev",))
    await written(named(alice))
    assert set(client.persons) == {alice}


@pytest.mark.parametrize("told", [True, False], ids=["announced", "of unknown length"])
async def test_large_bodies_are_taken_as_seldom_as_the_work_they_make(told):
    server = LittleApiServer(a_release())
    server.allow("alice", "get", "helmreleases")
    content = json.dumps({"spec": {"values": {"text": "x" * 900_000}}}).encode()

    async def in_parts():
        yield content

    async with a_gateway(server, requests_per_second=0.01) as ask:
        found = [
            await ask(
                f"{BLOG}?dryRun=client",
                method="PATCH",
                headers={"Content-Type": "application/json"},
                data=content if told else in_parts(),
            )
            for _ in range(3)
        ]
    assert [answer.status for answer in found] == [200, 200, 429]
