"""Pins and signatures, of charts from HTTP repositories and from a real registry."""

import base64
import hashlib
import json

import pytest
from yarl import URL

from tests.builders.cosigned import annotated, attached
from tests.builders.oci_registry import HelmClient, OCIRegistry
from tests.builders.repositories import DirectReader, Repository, an_archive
from tests.builders.signatures import (
    Signer,
    cosign_key,
    cosign_payload,
    cosign_signature,
    public_pem,
)
from tests.builders.sigstore_lab import ISSUER, SUBJECT, Signature, Sigstore, bundle_by_key
from whipstaff.errors import (
    ChartIntegrity,
    ChartSignatureInvalid,
    ChartUnavailable,
    ChartUnsigned,
    InvalidSpec,
    VerificationKeyInvalid,
)
from whipstaff.helmrelease.types import OIDCIdentity, Verification, VerificationProvider
from whipstaff.reconcile.ports import ChartReference, ResolvedChart
from whipstaff.settings import Settings
from whipstaff.sources.addresses import AddressPolicy
from whipstaff.sources.oci import OCICharts
from whipstaff.sources.oci_client import Answer, RegistryClient
from whipstaff.sources.oci_manifest import (
    BUNDLE,
)
from whipstaff.sources.oci_place import ChartPlace
from whipstaff.sources.oci_push import Packaged, push
from whipstaff.sources.oci_repository import OCIRepository
from whipstaff.sources.place import Evidence, Place
from whipstaff.sources.repository import HTTPRepositories
from whipstaff.sources.verify import VerifiedCharts
from whipstaff.workers import verifying

OTHER = "sha256:" + "ab" * 32
JO = (OIDCIdentity(f"^{ISSUER}$", f"^{SUBJECT}$"),)


class Secrets:
    def __init__(self):
        self.found = {}

    async def secret(self, namespace, name):
        data = self.found.get((namespace, name))
        return data and {"data": {key: _text(value) for key, value in data.items()}}


class DirectChecker:
    """Does in this process what the worker pool does in others."""

    def __init__(self):
        self.checks = 0

    async def verify_provenance(self, keys, text, file, digest):
        self.checks += 1
        verifying.provenance(_texts(keys), _text(text), file, digest)

    async def verify_cosign(self, trusted, signatures, bundles, digest):
        self.checks += 1
        listed = [one.as_json for one in signatures]
        packed = [_text(one) for one in bundles]
        verifying.cosign(trusted.as_json, signatures=listed, bundles=packed, digest=digest)


def _text(data):
    return base64.b64encode(data).decode()


def _texts(named):
    return {name: _text(data) for name, data in named.items()}


class World:
    def __init__(self, charts, url):
        self.url = url
        self.secrets = Secrets()
        self.checker = DirectChecker()
        self.source = VerifiedCharts(charts, self.secrets, self.checker)

    def trust(self, **keys):
        named = {name.replace("_", "."): key for name, key in keys.items()}
        self.secrets.found["team", "keys"] = named

    def trust_identities(self, root):
        self.secrets.found["team", "sigstore"] = {"trusted_root.json": root}

    async def resolve(self, version="*", digest="", provider=None, identities=()):
        verify = None
        if identities:
            verify = Verification(
                VerificationProvider.COSIGN, identities=identities, trusted_root_secret="sigstore"
            )
        elif provider:
            verify = Verification(VerificationProvider(provider), "keys")
        reference = ChartReference(
            "blog", version, self.url, namespace="team", digest=digest, verify=verify
        )
        return await self.source.resolve(Place(URL(self.url)), reference, max_age_seconds=0)


@pytest.fixture(scope="module")
def signer():
    return Signer()


@pytest.fixture(scope="module")
def sigstore():
    return Sigstore()


@pytest.fixture
async def repository():
    repository = Repository()
    await repository.start()
    yield repository
    await repository.stop()


@pytest.fixture
async def http(repository, tmp_path):
    settings = Settings(cache_folder=tmp_path / "cache")
    world = World(HTTPRepositories(settings, DirectReader(), lambda: 0.0), repository.url)
    yield world
    await world.source.close()


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with OCIRegistry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture
def helm(tmp_path):
    return HelmClient(tmp_path / "helm")


@pytest.fixture
async def oci(registry, tmp_path, request):
    settings = Settings(cache_folder=tmp_path / "cache")
    folder = hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    charts = OCICharts(settings, DirectReader(), lambda: 0.0)
    world = World(charts, registry.url(folder))
    yield world
    await world.source.close()


def digest_of(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def provenance_of(signer, archive, file="blog-1.0.0.tgz"):
    return signer.sign(f"name: blog\n\n...\nfiles:\n  {file}: {digest_of(archive)}\n")


async def test_a_pinned_archive_is_taken_and_another_refused(http, repository):
    archive = repository.add()
    assert (await http.resolve(digest=digest_of(archive))).version == "1.0.0"
    with pytest.raises(ChartIntegrity, match=rf"but spec\.chart\.digest is {OTHER}"):
        await http.resolve(digest=OTHER)


async def test_a_chart_with_its_provenance_is_taken_and_checked_once(http, repository, signer):
    archive = repository.add()
    repository.files["/blog-1.0.0.tgz.prov"] = provenance_of(signer, archive)
    http.trust(ring=signer.public)
    for _ in range(3):
        assert (await http.resolve(provider="pgp")).version == "1.0.0"
    assert http.checker.checks == 1


async def test_who_changes_the_keys_has_it_checked_anew(http, repository, signer):
    archive = repository.add()
    repository.files["/blog-1.0.0.tgz.prov"] = provenance_of(signer, archive)
    http.trust(ring=signer.public)
    await http.resolve(provider="pgp")
    http.trust(ring=Signer("al <al@example.com>").public)
    with pytest.raises(ChartSignatureInvalid):
        await http.resolve(provider="pgp")


async def test_a_chart_without_provenance_may_get_it_later(http, repository, signer):
    archive = repository.add()
    http.trust(ring=signer.public)
    with pytest.raises(ChartUnsigned, match=r"blog-1\.0\.0\.tgz\.prov: 404") as refused:
        await http.resolve(provider="pgp")
    assert refused.value.retryable
    repository.files["/blog-1.0.0.tgz.prov"] = provenance_of(signer, archive)
    assert await http.resolve(provider="pgp")


async def test_a_chart_that_was_changed_is_refused(http, repository, signer):
    repository.add(data=an_archive(**{"values.yaml": "evil: true\n"}))
    repository.files["/blog-1.0.0.tgz.prov"] = provenance_of(signer, an_archive())
    http.trust(ring=signer.public)
    with pytest.raises(ChartIntegrity, match="was signed"):
        await http.resolve(provider="pgp")


async def test_cosign_is_for_registries_alone(http, repository):
    repository.add()
    http.trust(cosign_pub=public_pem(cosign_key()))
    with pytest.raises(InvalidSpec, match="in OCI registries alone"):
        await http.resolve(provider="cosign")


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        pytest.param(None, "Secret team/keys does not exist", id="no Secret"),
        pytest.param({}, "has no key", id="nothing"),
        pytest.param({"cosign_key": b"x"}, r"has no key, which ends in \.pub", id="a private one"),
        pytest.param({"cosign_pub": b"x" * (513 << 10)}, "more keys than", id="too much"),
    ],
)
async def test_keys_that_cannot_be_used_are_named(http, repository, keys, why):
    repository.add()
    if keys is not None:
        http.trust(**keys)
    with pytest.raises(VerificationKeyInvalid, match=why):
        await http.resolve(provider="cosign")


@pytest.mark.registry
@pytest.mark.cluster
async def test_a_manifest_is_found_by_its_digest_without_its_tag(oci, helm):
    first = helm.push(an_archive(), oci.url)
    helm.push(an_archive(**{"values.yaml": "a: 1\n"}), oci.url)
    chart = await oci.resolve(digest=first)
    assert (chart.digest, chart.manifest_digest) == (digest_of(an_archive()), first)
    assert await oci.resolve("1.0.0", digest=first) == chart
    with pytest.raises(ChartUnavailable, match=r"in range '\^2'"):
        await oci.resolve("^2", digest=first)
    with pytest.raises(ChartIntegrity):
        await oci.resolve("1.0.0", digest=chart.digest)
    with pytest.raises(ChartIntegrity):
        await oci.resolve("1.0.0", digest=OTHER)


@pytest.mark.registry
@pytest.mark.cluster
async def test_a_pin_may_name_a_pre_release(oci, helm):
    pin = helm.push(an_archive(version="2.0.0-rc.1"), oci.url)
    assert (await oci.resolve(digest=pin)).version == "2.0.0-rc.1"


@pytest.mark.registry
@pytest.mark.cluster
async def test_an_archive_in_a_registry_may_be_pinned_too(oci, helm):
    helm.push(an_archive(), oci.url)
    for _ in range(2):
        assert (await oci.resolve(digest=digest_of(an_archive()))).version == "1.0.0"


@pytest.mark.registry
@pytest.mark.cluster
async def test_a_provenance_comes_from_the_registry(oci, signer):
    oci.trust(ring=signer.public)
    await pushed(oci, None)
    with pytest.raises(ChartUnsigned, match=r"blog 1\.0\.0 has no provenance"):
        await oci.resolve(provider="pgp")
    await pushed(oci, provenance_of(signer, an_archive()))
    assert await oci.resolve(provider="pgp")


@pytest.mark.registry
@pytest.mark.cluster
async def test_cosigns_signature_comes_from_the_registry(oci, helm):
    key, other = cosign_key(), cosign_key()
    digest = helm.push(an_archive(), oci.url)
    oci.trust(cosign_pub=public_pem(key))
    with pytest.raises(ChartUnsigned, match="no signature of cosign"):
        await oci.resolve(provider="cosign")
    await signed(oci, digest, other)
    with pytest.raises(ChartSignatureInvalid, match="none of the keys"):
        await oci.resolve(provider="cosign")
    await signed(oci, digest, key)
    assert (await oci.resolve(provider="cosign")).manifest_digest == digest


@pytest.mark.registry
@pytest.mark.cluster
async def test_a_signature_of_another_chart_is_refused(oci, helm):
    key = cosign_key()
    digest = helm.push(an_archive(), oci.url)
    oci.trust(cosign_pub=public_pem(key))
    await signed(oci, digest, key, of=OTHER)
    with pytest.raises(ChartIntegrity, match=f"is of the manifest {OTHER}"):
        await oci.resolve(provider="cosign")


@pytest.mark.registry
@pytest.mark.cluster
async def test_a_bundle_of_a_key_comes_from_the_registry(oci, helm):
    key = cosign_key()
    digest = helm.push(an_archive(), oci.url)
    oci.trust(cosign_pub=public_pem(key))
    await attached(oci.url, "blog", digest, bundle_by_key(cosign_key(), digest))
    with pytest.raises(ChartSignatureInvalid, match="none of the keys"):
        await oci.resolve(provider="cosign")
    await attached(
        oci.url, "blog", digest, bundle_by_key(cosign_key(), digest), bundle_by_key(key, digest)
    )
    assert (await oci.resolve(provider="cosign")).manifest_digest == digest


@pytest.mark.registry
@pytest.mark.cluster
@pytest.mark.parametrize("generation", [2, 3])
async def test_who_signed_without_a_key_is_in_the_registry(oci, helm, sigstore, generation):
    digest = helm.push(an_archive(), oci.url)
    oci.trust_identities(sigstore.trusted_root())
    with pytest.raises(ChartUnsigned, match="no signature of cosign"):
        await oci.resolve(identities=JO)
    if generation == 2:
        await annotated(oci.url, "blog", digest, sigstore.sign(digest))
    else:
        await attached(oci.url, "blog", digest, sigstore.bundle(digest))
    for _ in range(2):
        assert (await oci.resolve(identities=JO)).manifest_digest == digest
    assert oci.checker.checks == 1
    with pytest.raises(ChartSignatureInvalid, match="it is by jo@example"):
        await oci.resolve(identities=(OIDCIdentity("", "^al@"),))
    oci.trust_identities(Sigstore().trusted_root())
    with pytest.raises(ChartSignatureInvalid, match="of no authority in the trusted root"):
        await oci.resolve(identities=JO)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(None, "Secret team/sigstore does not exist", id="no Secret"),
        pytest.param({}, "has no trusted_root.json", id="nothing"),
        pytest.param({"trusted_root.json": b"{}"}, "holds no trusted root", id="no root"),
        pytest.param({"trusted_root.json": b"x" * (513 << 10)}, "too large", id="too much"),
    ],
)
async def test_a_trusted_root_that_cannot_be_used_is_named(tmp_path, data, why):
    world = World(SignedChart(tmp_path / "chart.tgz"), "oci://registry.example.com/team")
    if data is not None:
        world.secrets.found["team", "sigstore"] = data
    with pytest.raises(VerificationKeyInvalid, match=why):
        await world.resolve(identities=JO)


class SignedChart:
    """One chart, whose signature says nothing."""

    def __init__(self, path):
        self._chart = ResolvedChart("blog", "1.0.0", OTHER, str(path), 0, OTHER)

    async def resolve(self, *_, **__):
        return self._chart

    async def evidence(self, *_):
        return Evidence(bundles=(b"{}",))


class Registry:
    """The client of a registry that has these answers, by the last parts of their paths."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked = []

    async def ask(self, _registry, request):
        *_, kind, name = request.url.path.split("/")
        self.asked.append((kind, name, dict(request.url.query)))
        body = self.answers.get(kind, {}).get(name)
        return Answer(404 if body is None else 200, {}, body or b"")


async def test_a_registry_may_say_itself_what_refers_to_a_manifest():
    bundle = b'{"a": "bundle"}'
    layers = [{"mediaType": BUNDLE, "digest": digest_of(bundle), "size": len(bundle)}]
    manifest = json.dumps({"layers": layers}).encode()
    told = {"mediaType": "m", "digest": digest_of(manifest), "size": len(manifest)}
    listed = [{**told, "artifactType": "application/spdx+json"}, {**told, "artifactType": BUNDLE}]
    client = Registry(
        referrers={OTHER: json.dumps({"manifests": listed}).encode()},
        manifests={digest_of(manifest): manifest},
        blobs={digest_of(bundle): bundle},
    )
    place = ChartPlace.of(Place(URL("oci://registry.example.com/team")), "blog")
    assert await OCIRepository(client, place).bundles(OTHER) == (bundle,)
    assert client.asked[0] == ("referrers", OTHER, {"artifactType": BUNDLE})
    assert len(client.asked) == 3


async def pushed(world, provenance):
    client = RegistryClient(AddressPolicy(), lambda: 0.0)
    metadata = {"apiVersion": "v2", "name": "blog", "version": "1.0.0"}
    chart = Packaged(an_archive(), metadata, "2024-01-01T00:00:00Z", provenance)
    await push(client, ChartPlace.of(Place(URL(world.url)), "blog"), chart, "1.0.0")
    await client.close()


async def signed(world, digest, key, of=""):
    """Put a key's signature beside a manifest, as cosign 2 does."""
    payload = cosign_payload(of or digest)
    await annotated(
        world.url, "blog", digest, Signature(payload, cosign_signature(key, payload), "", "")
    )
