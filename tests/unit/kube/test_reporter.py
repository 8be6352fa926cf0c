"""The requests by which a HelmRelease gets its finalizer; what comes of them is a contract."""

from tests.builders.clocks import FixedClock
from tests.builders.stub_api_server import a_stub, refused
from whipstaff.kube.reporter import FINALIZER, ApiServerReporter

PATH = "/apis/whipstaff.dev/v1/namespaces/web/helmreleases/shop"
FACTS = ("web", "shop", "u")


async def test_the_first_finalizer_takes_one_request():
    async with a_stub() as (stub, client):
        stub.on("PATCH", PATH, {})
        assert await ApiServerReporter(client, FixedClock()).add_finalizer(*FACTS)
        assert [request["method"] for request in stub.requests] == ["PATCH"]


async def test_a_finalizer_is_put_beside_those_of_others():
    metadata = {"uid": "u", "resourceVersion": "7", "finalizers": ["example.dev/held"]}
    async with a_stub() as (stub, client):
        stub.on("PATCH", PATH, refused(422, "Invalid"), {})
        stub.on("GET", PATH, {"metadata": metadata})
        assert await ApiServerReporter(client, FixedClock()).add_finalizer(*FACTS)
        body = stub.requests[-1]["body"]
        assert body == {"metadata": metadata | {"finalizers": ["example.dev/held", FINALIZER]}}
