"""Whom a repository's connection trusts, and the certificate that it shows."""

import ssl

import pytest
from yarl import URL

from tests.builders.certificates import Authority
from tests.builders.repositories import DirectReader, Repository
from whipstaff.errors import ChartUnavailable, RepoAuthInvalid
from whipstaff.settings import Settings
from whipstaff.sources.addresses import AddressPolicy
from whipstaff.sources.credentials import Credentials
from whipstaff.sources.oci_client import RegistryClient, Request
from whipstaff.sources.oci_place import ChartPlace
from whipstaff.sources.place import Place
from whipstaff.sources.repository import HTTPRepositories
from whipstaff.sources.tls import Trust, context


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture(scope="module")
def client():
    return Authority("clients")


def served_with(folder, authority, client=None):
    certificate, key = authority.issue()
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (folder / "tls.crt").write_text(certificate)
    (folder / "tls.key").write_text(key)
    found.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    if client is not None:
        found.verify_mode = ssl.CERT_REQUIRED
        found.load_verify_locations(cadata=client.pem)
    return found


@pytest.fixture
async def source(tmp_path):
    found = HTTPRepositories(Settings(cache_folder=tmp_path / "c"), DirectReader(), lambda: 0.0)
    yield found
    await found.close()


@pytest.fixture
async def start():
    running = []

    async def started(tls):
        repository = Repository()
        await repository.start(tls)
        repository.add("1.0.0")
        running.append(repository)
        return URL(repository.url)

    yield started
    for repository in running:
        await repository.stop()


async def test_a_certificate_of_nobody_known_is_refused(tmp_path, source, start, authority):
    url = await start(served_with(tmp_path, authority))
    with pytest.raises(ChartUnavailable, match="the certificate is not trusted"):
        await source.refresh(Place(url))


async def test_the_repository_s_own_authority_is_trusted(tmp_path, source, start, authority):
    url = await start(served_with(tmp_path, authority))
    assert (await source.refresh(Place(url, Credentials(ca=authority.pem)))).charts == 1


async def test_another_authority_is_not(tmp_path, source, start, authority, client):
    url = await start(served_with(tmp_path, authority))
    with pytest.raises(ChartUnavailable, match="not trusted"):
        await source.refresh(Place(url, Credentials(ca=client.pem)))


async def test_insecure_takes_any_certificate(tmp_path, source, start, authority):
    url = await start(served_with(tmp_path, authority))
    assert (await source.refresh(Place(url, insecure=True))).charts == 1


async def test_a_client_certificate_opens_a_server_that_asks_for_one(
    tmp_path, source, start, authority, client
):
    url = await start(served_with(tmp_path, authority, client))
    certificate, key = client.issue("us")
    login = Credentials(ca=authority.pem, certificate=certificate, key=key)
    with pytest.raises(ChartUnavailable):
        await source.refresh(Place(url, Credentials(ca=authority.pem)))
    assert (await source.refresh(Place(url, login))).charts == 1


@pytest.mark.parametrize(
    "trust",
    [
        pytest.param(Trust(ca="no PEM"), id="authorities"),
        pytest.param(Trust(certificate="no PEM", key="no PEM"), id="certificate"),
        pytest.param(
            Trust(ca="-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), id="crafted"
        ),
    ],
)
def test_what_is_no_certificate_is_refused(trust):
    with pytest.raises(RepoAuthInvalid):
        context(trust)


def test_a_key_of_another_certificate_is_refused(client):
    certificate, _ = client.issue()
    _, key = client.issue()
    with pytest.raises(RepoAuthInvalid):
        context(Trust(certificate=certificate, key=key))


def test_the_same_trust_shares_connections():
    assert context(Trust()) is context(Trust())


@pytest.fixture
async def registries():
    client = RegistryClient(AddressPolicy(), lambda: 0.0)
    yield client
    await client.close()


async def status_of(registries, url, **login):
    """Ask a registry for something that is not there."""
    place = Place(URL(f"oci://{url.authority}/team"), Credentials(**login))
    chart = ChartPlace.of(place, "blog")
    request = Request("GET", chart.url("tags", "list"), chart.repository, 1 << 10)
    return (await registries.ask(chart.registry, request)).status


async def test_a_registry_s_own_authority_is_trusted_and_another_is_not(
    tmp_path, authority, start, registries
):
    url = await start(served_with(tmp_path, authority))
    assert await status_of(registries, url, ca=authority.pem) == 404
    with pytest.raises(ChartUnavailable, match="the certificate is not trusted"):
        await status_of(registries, url, ca=Authority("another").pem)


async def test_a_client_certificate_opens_a_registry_that_asks_for_one(
    tmp_path, authority, client, start, registries
):
    url = await start(served_with(tmp_path, authority, client))
    certificate, key = client.issue("jo")
    login = {"ca": authority.pem, "certificate": certificate, "key": key}
    assert await status_of(registries, url, **login) == 404
    with pytest.raises(ChartUnavailable):
        await status_of(registries, url, ca=authority.pem)
