"""The store's own rules; what every store does is in tests/contracts."""

import base64
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from tests.builders.clocks import FixedClock
from tests.builders.releases import a_revision
from tests.builders.stub_api_server import a_stub, refused
from whipstaff.errors import ClusterRefused, ReleaseConflict, StorageCorrupt, StorageTooLarge
from whipstaff.kube.release_store import PAYLOAD_BYTES_LIMIT, ObjectReleaseStore
from whipstaff.reconcile.ports import Identity
from whipstaff.release.revision import ReleaseKey, ReleaseStatus

KEY = ReleaseKey("web", "shop")
TENANT = Identity("deployer", "web")
SECRETS = "/api/v1/namespaces/web/secrets"
NAME = "sh.helm.release.v1.shop.v1"
CREATED_AT = "1767323045"  # FixedClock


class NotedCodec:
    """Encodes to a fixed payload and decodes to a fixed revision."""

    def __init__(self):
        self.payload = "payload"
        self.encoded = 0
        self.revision = a_revision()

    async def encode(self, revision):
        self.encoded += 1
        return self.payload

    async def decode(self, data, name):
        return self.revision


@asynccontextmanager
async def a_store():
    async with a_stub() as (stub, client):
        codec = NotedCodec()
        yield stub, codec, ObjectReleaseStore(client, codec, FixedClock())


def stored(payload="payload", labels=None, **metadata):
    return {
        "metadata": {"name": NAME, "resourceVersion": "5", "labels": labels or {}, **metadata},
        "data": {"release": base64.b64encode(payload.encode()).decode()},
    }


async def test_a_created_secret_is_helms_to_the_letter():
    async with a_store() as (stub, _, store):
        stub.on("POST", SECRETS, {})
        await store.create(KEY, a_revision(labels={"ours": "x", "owner": "no"}), TENANT)
        (request,) = stub.requests
        assert request["body"] == {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "helm.sh/release.v1",
            "metadata": {
                "name": NAME,
                "namespace": "web",
                "labels": {
                    "ours": "x",
                    "name": "shop",
                    "owner": "helm",
                    "status": "deployed",
                    "version": "1",
                    "createdAt": CREATED_AT,
                },
            },
            "data": {"release": base64.b64encode(b"payload").decode()},
        }
        assert request["query"] == {"fieldManager": "whipstaff"}
        assert request["headers"]["Impersonate-User"].endswith(":web:deployer")


async def test_a_release_that_is_too_large_is_refused_before_any_request():
    async with a_store() as (stub, codec, store):
        codec.payload = "x" * (PAYLOAD_BYTES_LIMIT + 1)
        with pytest.raises(StorageTooLarge) as ended:
            await store.create(KEY, a_revision(), TENANT)
        assert ended.value.size_bytes == PAYLOAD_BYTES_LIMIT + 1
        assert stub.requests == []


async def test_what_was_measured_is_not_encoded_again():
    async with a_store() as (stub, codec, store):
        stub.on("POST", SECRETS, {})
        revision = a_revision()
        assert await store.measure(KEY, revision) == len(codec.payload)
        await store.create(KEY, revision, TENANT)
        assert codec.encoded == 1


async def test_what_became_another_revision_since_it_was_measured_is_encoded():
    async with a_store() as (stub, codec, store):
        stub.on("POST", SECRETS, {})
        await store.measure(KEY, a_revision())
        await store.create(KEY, a_revision(notes="other"), TENANT)
        assert codec.encoded == 2


async def test_a_creation_whose_reply_was_lost_is_ours():
    async with a_store() as (stub, _, store):
        stub.on("POST", SECRETS, ConnectionResetError, lambda: refused(409, "AlreadyExists"))
        labels = {"name": "shop", "owner": "helm", "status": "deployed", "version": "1"}
        stub.on("GET", f"{SECRETS}/{NAME}", stored(labels=labels | {"createdAt": CREATED_AT}))
        await store.create(KEY, a_revision(), TENANT)


async def test_whoever_took_the_number_is_named():
    async with a_store() as (stub, _, store):
        stub.on("POST", SECRETS, lambda: refused(409, "AlreadyExists"))
        writers = [
            {"manager": "whipstaff", "time": "2026-01-01T00:00:00Z"},
            {"manager": "helm", "time": "2026-01-02T00:00:00Z"},
        ]
        stub.on("GET", f"{SECRETS}/{NAME}", stored("theirs", managedFields=writers))
        with pytest.raises(ReleaseConflict) as ended:
            await store.create(KEY, a_revision(), TENANT)
        assert ended.value.holder == "helm"


async def test_an_update_needs_no_read_when_the_time_of_creation_is_known():
    async with a_store() as (stub, _, store):
        stub.on("POST", SECRETS, {})
        stub.on("PUT", f"{SECRETS}/{NAME}", {})
        await store.create(KEY, a_revision(status=ReleaseStatus.PENDING_INSTALL), TENANT)
        await store.update(KEY, a_revision(), TENANT)
        assert [request["method"] for request in stub.requests] == ["POST", "PUT"]
        labels = stub.requests[1]["body"]["metadata"]["labels"]
        assert labels["createdAt"] == labels["modifiedAt"] == CREATED_AT


async def test_the_name_is_the_truth_about_a_number_not_the_label():
    async with a_store() as (stub, _, store):
        names = [NAME, "sh.helm.release.v1.shop.v12", "sh.helm.release.v1.shop.v03", "other"]
        labels = {"version": "99", "status": "nonsense", "createdAt": "soon"}
        items = [{"metadata": {"name": name, "labels": labels}} for name in names]
        stub.on("GET", SECRETS, {"metadata": {}, "items": items})
        found = await store.history(KEY, TENANT)
        assert [header.number for header in found] == [12, 1]
        assert {header.status for header in found} == {ReleaseStatus.UNKNOWN}
        assert {header.created_at for header in found} == {0}
        assert stub.requests[0]["query"]["labelSelector"] == "name=shop,owner=helm"
        assert "PartialObjectMetadataList" in stub.requests[0]["headers"]["Accept"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"metadata": {}, "data": None}, id="no data"),
        pytest.param({"metadata": {}, "data": {"release": ""}}, id="an empty payload"),
        pytest.param({"metadata": {}, "data": {"release": "%"}}, id="no base64"),
        pytest.param({"metadata": {}, "data": {"release": "/w=="}}, id="no text"),
    ],
)
async def test_a_secret_without_a_payload_is_corrupt(body):
    async with a_store() as (stub, _, store):
        stub.on("GET", f"{SECRETS}/{NAME}", body)
        with pytest.raises(StorageCorrupt):
            await store.read(KEY, 1, TENANT)


@pytest.mark.parametrize("changes", [{"number": 2}, {"name": "other"}])
async def test_a_payload_that_belongs_elsewhere_is_corrupt(changes):
    async with a_store() as (stub, codec, store):
        codec.revision = replace(a_revision(), **changes)
        stub.on("GET", f"{SECRETS}/{NAME}", stored())
        with pytest.raises(StorageCorrupt):
            await store.read(KEY, 1, TENANT)


async def test_marking_failed_never_crosses_a_write_of_the_other():
    async with a_store() as (stub, _, store):
        stub.on("GET", f"{SECRETS}/{NAME}", stored(labels={"createdAt": "7", "theirs": "x"}))
        stub.on("PUT", f"{SECRETS}/{NAME}", lambda: refused(409, "Conflict"))
        with pytest.raises(ClusterRefused) as ended:
            await store.mark_failed_unread(KEY, 1, "given up", TENANT)
        assert ended.value.retryable
        metadata = stub.asked("PUT")[0]["body"]["metadata"]
        assert metadata["resourceVersion"] == "5"
        assert metadata["labels"]["createdAt"] == "7"
        assert metadata["labels"]["theirs"] == "x"
        assert metadata["labels"]["status"] == "failed"
