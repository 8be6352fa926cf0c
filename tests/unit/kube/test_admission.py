"""What the API server knows of the admission webhook, and where its certificate is kept."""

import base64
from dataclasses import replace

import pytest

from tests.builders.admission import PLACE
from tests.builders.stub_api_server import a_stub, refused
from whipstaff.errors import ClusterRefused
from whipstaff.kube.admission import ApiServerAdmission, Serving

SECRETS = "/api/v1/namespaces/ns/secrets"
SECRET = f"{SECRETS}/whipstaff-admission"
PATH = "ab" * 16
SERVING = Serving("authorities", "certificate", "key", PATH, 1900, ("a", "b"))


@pytest.fixture
async def site():
    """Give a stub of the API server, and what works on it."""
    async with a_stub() as (stub, client):
        yield stub, ApiServerAdmission(client, "ns", "whipstaff-admission", "whipstaff")


def stored(version="7", **texts):
    given = {
        "ca.crt": "authorities",
        "tls.crt": "certificate",
        "tls.key": "key",
        "path": PATH,
        "expires": "1900",
        "names": "a,b",
    }
    data = {key: coded(text) for key, text in {**given, **texts}.items() if text is not None}
    return {
        "kind": "Secret",
        "metadata": {"name": "whipstaff-admission", "resourceVersion": version},
        "data": data,
    }


def coded(text):
    return base64.b64encode(text.encode()).decode()


def configured(**client):
    hooks = [{"name": "helmreleases.whipstaff.dev", "clientConfig": client}]
    return {"metadata": {"resourceVersion": "3"}, "webhooks": hooks}


async def test_what_is_stored_is_read(site):
    stub, admission = site
    stub.on("GET", SECRET, stored())
    assert await admission.read() == replace(SERVING, version="7")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"metadata": {"resourceVersion": "1"}}, id="as the chart makes it"),
        pytest.param(stored(expires="soon"), id="no time"),
        pytest.param(stored(path="a/../B"), id="a path that no API server takes"),
        pytest.param(stored(**{"tls.key": None}), id="no key"),
        pytest.param(stored() | {"data": {"ca.crt": 1}}, id="no texts"),
        pytest.param(refused(404, "NotFound"), id="no Secret"),
    ],
)
async def test_what_cannot_be_used_counts_as_nothing(site, body):
    stub, admission = site
    stub.on("GET", SECRET, body)
    assert await admission.read() is None


async def test_a_refusal_is_not_taken_for_nothing(site):
    stub, admission = site
    stub.on("GET", SECRET, refused(403, "Forbidden"))
    with pytest.raises(ClusterRefused):
        await admission.read()


async def test_the_empty_secret_of_the_chart_is_filled(site):
    stub, admission = site
    stub.on("GET", SECRET, {"metadata": {"name": "x", "labels": {"a": "b"}}, "type": "Opaque"})
    stub.on("PUT", SECRET, {})
    assert await admission.write(SERVING)
    (request,) = stub.asked("PUT")
    assert request["body"]["metadata"] == {"name": "x", "labels": {"a": "b"}}
    assert request["body"]["data"] == stored()["data"]


async def test_a_secret_that_is_not_there_is_made(site):
    stub, admission = site
    stub.on("GET", SECRET, refused(404, "NotFound"))
    stub.on("POST", SECRETS, {})
    assert await admission.write(SERVING)
    assert stub.asked("POST")[0]["body"]["data"] == stored()["data"]


async def test_who_comes_second_writes_nothing(site):
    stub, admission = site
    stub.on("GET", SECRET, stored("8"))
    assert not await admission.write(replace(SERVING, version="7"))
    assert stub.asked("PUT") == []
    stub.on("GET", SECRET, stored("7"))
    stub.on("PUT", SECRET, refused(409, "Conflict"))
    assert not await admission.write(replace(SERVING, version="7"))


@pytest.mark.parametrize(
    ("client", "changes"),
    [
        pytest.param(
            {"service": {"name": "a"}},
            [("add", "caBundle", coded("ca")), ("add", "service/path", f"/validate/{PATH}")],
            id="the chart's Service",
        ),
        pytest.param(
            {"url": "https://127.0.0.1:1/validate"},
            [
                ("add", "caBundle", coded("ca")),
                ("replace", "url", f"https://127.0.0.1:1/validate/{PATH}"),
            ],
            id="an address",
        ),
        pytest.param(
            {"url": f"https://127.0.0.1:1/validate/{PATH}", "caBundle": coded("old")},
            [("add", "caBundle", coded("ca"))],
            id="an old authority",
        ),
    ],
)
async def test_the_api_server_is_told_what_it_does_not_know(site, client, changes):
    stub, admission = site
    stub.on("GET", PLACE, configured(**client))
    stub.on("PATCH", PLACE, {})
    await admission.announce("ca", PATH)
    (request,) = stub.asked("PATCH")
    same, *rest = request["body"]
    assert same == {"op": "test", "path": "/metadata/resourceVersion", "value": "3"}
    place = "/webhooks/0/clientConfig"
    assert rest == [
        {"op": op, "path": f"{place}/{field}", "value": value} for op, field, value in changes
    ]


async def test_what_the_api_server_knows_is_not_told_again(site):
    stub, admission = site
    service = {"name": "a", "path": f"/validate/{PATH}"}
    stub.on("GET", PLACE, configured(service=service, caBundle=coded("ca")))
    await admission.announce("ca", PATH)
    assert stub.asked("PATCH") == []
