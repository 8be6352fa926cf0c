import asyncio
import base64
import json

import pytest

from tests.builders.little_api_server import LittleApiServer, a_gateway, a_release
from tests.builders.releases import a_chart, a_hook, a_revision
from whipstaff.gateway import models

CANARY = "canary-51c9-secret"
PACKED = base64.b64encode(CANARY.encode()).decode()
SECRET = f"""apiVersion: v1
kind: Secret
metadata:
  name: login
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: '{{"data": "{PACKED}"}}'
data:
  key: {PACKED}
stringData:
  other: {CANARY}
"""
CONFIG = f"""apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  # stays as it was written
  url: "https://me:{CANARY}@db"
"""
MANIFEST = (
    f"---\n# Source: blog/templates/secret.yaml\n{SECRET}"
    f"---\n# Source: blog/templates/c.yaml\n{CONFIG}"
)
SCHEMA = {"properties": {"licence": {"writeOnly": True}, "db": {"type": "object"}}}
VALUES = {
    "title": "A blog",
    "licence": "key-of-the-licence",
    "db": {"password": CANARY, "passwordKey": "x", "existingSecret": "login", "port": 5432},
    "tokens": ["first-long-token"],
}
BLOG = "/v1/namespaces/web/releases/blog"


def a_stored(number=2, **changes):
    facts = {
        "name": "blog",
        "manifest": MANIFEST,
        "config": VALUES,
        "notes": f"Log in with {CANARY}.",
        "chart": a_chart(schema=base64.b64encode(json.dumps(SCHEMA).encode()).decode()),
        "hooks": (a_hook(manifest=SECRET, name="login", kind="Secret"),),
    }
    return a_revision(number, **facts | changes)


@pytest.fixture
async def ask():
    server = LittleApiServer(a_release())
    server.store(a_stored(1, config={**VALUES, "title": "An old blog"}))
    server.store(a_stored(2))
    for user, resource in (
        ("alice", "helmreleases"),
        ("alice", "secrets"),
        ("bob", "helmreleases"),
    ):
        server.allow(user, "get", resource, "web")
    async with a_gateway(server) as asking:
        yield asking


PARTS = {
    "": models.Revision,
    "/values": models.Values,
    "/values?all=true": models.Values,
    "/manifest": models.Manifest,
    "/hooks": models.Manifest,
    "/notes": models.Notes,
}


@pytest.mark.parametrize("part", PARTS)
async def test_no_part_of_a_revision_tells_a_secret(ask, part):
    answer = await ask(f"{BLOG}/revisions/2{part}")
    assert answer.status == 200
    PARTS[part].model_validate(answer.json)
    for secret in (CANARY, PACKED, "key-of-the-licence", "first-long-token"):
        assert secret not in answer.text


async def test_what_is_no_secret_stays_as_it_is(ask):
    values = (await ask(f"{BLOG}/revisions/2/values")).json["values"]
    assert values == {
        "title": "A blog",
        "licence": "***",
        "db": {"password": "***", "passwordKey": "***", "existingSecret": "login", "port": 5432},
        "tokens": ["***"],
    }
    documents = (await ask(f"{BLOG}/revisions/2/manifest")).json["documents"]
    assert [(one["masked"], one["source"]) for one in documents] == [
        (True, "blog/templates/secret.yaml"),
        (False, "blog/templates/c.yaml"),
    ]
    assert "# stays as it was written" in documents[1]["text"]
    assert "https://me:***@db" in documents[1]["text"]


async def test_all_values_are_those_that_the_templates_had(ask):
    below = {"replicas": 1, "db": {"port": 1, "host": "db"}, "adminPassword": "by-default"}
    schema = a_stored().chart["schema"]
    ask.server.store(a_stored(6, chart=a_chart(values=below, schema=schema)))
    found = (await ask(f"{BLOG}/revisions/6/values?all=true")).json["values"]
    assert (found["replicas"], found["title"]) == (1, "A blog")
    assert (found["db"]["port"], found["db"]["host"]) == (5432, "db")
    assert (found["adminPassword"], found["db"]["password"]) == ("***", "***")
    path = f"{BLOG}/revisions/6/values?all=true&showSecrets=true"
    assert (await ask(path)).json["values"]["adminPassword"] == "by-default"


@pytest.mark.parametrize("part", ["/values", "/values?all=true", "/manifest", "/notes"])
async def test_what_a_secret_gave_as_a_value_is_masked_wherever_it_stands(ask, part):
    release = a_release()
    reference = {"kind": "Secret", "name": "database", "targetPath": "db.dsn"}
    release["spec"]["valuesFrom"] = [reference]
    ask.server.change(release)
    given = "postgres://me:me@db"
    config = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata: {{dsn: '{given}'}}\n"
    facts = {"manifest": config, "notes": given, "hooks": (), "chart": a_chart()}
    ask.server.store(a_stored(7, config={"db": {"dsn": given, "port": 1}}, **facts))
    answer = await ask(f"{BLOG}/revisions/7{part}")
    assert (answer.status, given in answer.text, "***" in answer.text) == (200, False, True)
    open_ = f"{BLOG}/revisions/7{part}{'&' if '?' in part else '?'}showSecrets=true"
    assert given in (await ask(open_)).text


@pytest.mark.parametrize("part", ["/values", "/manifest", "/hooks", "/notes"])
async def test_who_may_read_the_secret_is_shown_what_is_in_it(ask, part):
    text = (await ask(f"{BLOG}/revisions/2{part}?showSecrets=true")).text
    assert CANARY in text or PACKED in text


async def test_secrets_that_the_caller_may_not_read_stay_masked(ask):
    elsewhere = SECRET.replace("name: login", "name: login\n  namespace: kube-system")
    ask.server.store(a_stored(5, manifest=elsewhere, hooks=(), config={}, notes=""))
    answer = await ask(f"{BLOG}/revisions/5/manifest?showSecrets=true")
    assert answer.status == 200
    assert (CANARY in answer.text, PACKED in answer.text) == (False, False)


async def test_a_revision_is_for_those_who_may_read_its_secret(ask):
    for path in ("revisions/2", "revisions/2/values", "diff?from=1&to=2"):
        assert (await ask(f"{BLOG}/{path}", token="bob-token")).status == 403
    assert (await ask(BLOG, token="bob-token")).status == 200


async def test_a_revision_that_is_not_stored_is_named(ask):
    answer = await ask(f"{BLOG}/revisions/9")
    assert (answer.status, "revision 9 of web/blog" in answer.json["detail"]) == (404, True)


async def test_two_revisions_are_compared_without_their_secrets(ask):
    ask.server.store(a_stored(3, manifest=MANIFEST.replace("other: canary", "other: changed")))
    ask.server.store(a_stored(4, manifest=CONFIG, config={}, hooks=()))
    same = models.Difference.model_validate((await ask(f"{BLOG}/diff?from=1&to=2")).json)
    assert (same.objects, "-title: An old blog\n+title: A blog\n" in same.values) == ([], True)
    changed = (await ask(f"{BLOG}/diff?from=2&to=3")).json["objects"]
    (secret,) = [one for one in changed if one["kind"] == "Secret"]
    assert "+  other: '*** (another)'" in secret["diff"]
    removed = (await ask(f"{BLOG}/diff?from=2&to=4")).json["objects"]
    assert [(one["name"], one["effect"]) for one in removed] == [("login", "removed")]
    assert CANARY not in json.dumps([changed, removed])


async def test_a_release_is_told_with_masked_values_and_without_what_repeats_them(ask):
    body = a_release(version="9")
    body["spec"]["values"] = VALUES
    body["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": CANARY,
        "team": "a",
    }
    ask.server.releases["web", "blog"] = body
    answer = await ask(BLOG)
    assert CANARY not in answer.text
    found = models.ReleaseDetails.model_validate(answer.json)
    assert (found.annotations, found.spec["values"]["db"]["port"]) == ({"team": "a"}, 5432)


async def test_a_release_in_another_cluster_says_where_its_revisions_are(ask):
    body = a_release(version="9")
    body["spec"]["kubeConfig"] = {"secretRef": {"name": "there"}}
    ask.server.releases["web", "blog"] = body
    answer = await ask(f"{BLOG}/revisions/2")
    assert (answer.status, "another cluster" in answer.json["detail"]) == (409, True)


async def test_a_plan_is_told_and_its_text_to_who_may_read_it(ask):
    plan = {"digest": "sha256:aa", "summary": "1 to change", "secretName": "whipstaff.plan.blog"}
    ask.server.releases["web", "blog"] = a_release(plan=plan)
    text = base64.b64encode(b"~ change ConfigMap").decode()
    ask.server.secrets["web", "whipstaff.plan.blog"] = {"data": {"plan": text}}
    whole = models.Plan.model_validate((await ask(f"{BLOG}/plan")).json)
    assert (whole.text, whole.withheld) == ("~ change ConfigMap", None)
    short = models.Plan.model_validate((await ask(f"{BLOG}/plan", token="bob-token")).json)
    assert (short.text, "forbidden" in short.withheld) == (None, True)


async def test_values_that_yaml_cannot_hold_are_compared_all_the_same(ask):
    ask.server.store(a_stored(3, config={"k" * 1100: "\x80"}))
    answer = await ask(f"{BLOG}/diff?from=2&to=3")
    assert (answer.status, "k" * 1100 in answer.json["values"]) == (200, True)


async def test_no_plan_is_no_such_thing(ask):
    assert (await ask(f"{BLOG}/plan")).status == 404


async def test_history_events_and_causes_are_what_openapi_says(ask):
    ask.server.allow("alice", "list", "events", "web")
    models.History.model_validate((await ask(f"{BLOG}/history")).json)
    models.EventList.model_validate((await ask(f"{BLOG}/events")).json)
    models.UnreadyList.model_validate((await ask(f"{BLOG}/unready")).json)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param("", id="nothing"),
        pytest.param("%%%", id="no base64"),
        pytest.param(base64.b64encode(b"H4sIAAAA").decode(), id="half a gzip"),
        pytest.param(base64.b64encode(base64.b64encode(b"[" * 100_000)).decode(), id="deep"),
    ],
)
async def test_a_record_that_cannot_be_read_is_named_without_what_it_holds(ask, payload):
    ask.server.secrets["web", "sh.helm.release.v1.blog.v2"]["data"]["release"] = payload
    answer = await ask(f"{BLOG}/revisions/2/manifest")
    assert answer.status == 502
    assert "sh.helm.release.v1.blog.v2" in answer.json["detail"]
    assert (await ask(f"{BLOG}/revisions/1")).status == 200


async def test_one_caller_cannot_have_all_workers(ask):
    answers = await asyncio.gather(*(ask(f"{BLOG}/revisions/2") for _ in range(20)))
    statuses = sorted(answer.status for answer in answers)
    assert set(statuses) == {200, 429}
    assert statuses.count(200) >= 4
    assert (await ask(f"{BLOG}/revisions/2")).status == 200
