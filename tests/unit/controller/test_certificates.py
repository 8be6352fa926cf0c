import asyncio
import ssl

import pytest

from tests.builders.virtual_time import skip_waits
from tests.builders.worlds import StillClock
from whipstaff.controller.certificates import Certificates, Wanted
from whipstaff.errors import ClusterRefused
from whipstaff.kube.admission import Serving
from whipstaff.workers import serving
from whipstaff.workers.certificate import ServingCertificate

NAMES = ("127.0.0.1", "whipstaff-admission.whipstaff-system.svc")
SECONDS = 1000.0
NOW = 1_900_000_000
NO_AUTHORITY = "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n"


class Store:
    """What is stored, what the API server was told, and in which order."""

    def __init__(self):
        self.held = None
        self.told = ""
        self.path = ""
        self.order = []
        self.refusals = 0

    async def read(self):
        if self.refusals:
            self.refusals -= 1
            raise ClusterRefused("you may not", 403, "Forbidden")
        return self.held

    async def write(self, new):
        if (self.held.version if self.held else "") != new.version:
            return False
        number = len(self.order)
        self.order.append("stored")
        self.held = Serving(
            new.authorities, new.certificate, new.key, new.path, new.expires, new.names, str(number)
        )
        return True

    async def announce(self, authorities, path):
        if (self.told, self.path) != (authorities, path):
            self.order.append("told")
        self.told, self.path = authorities, path


class Maker:
    async def make_certificate(self, names, now, seconds):
        return ServingCertificate(**serving.make(names, now, seconds))


@pytest.fixture
def store():
    return Store()


@pytest.fixture
async def quick(monkeypatch):
    skip_waits(monkeypatch)


@pytest.fixture
def clock():
    return StillClock(NOW)


def keeping(store, clock, names=NAMES):
    return Certificates(store, Maker(), clock, Wanted(names, SECONDS))


def count(authorities):
    return authorities.count("BEGIN CERTIFICATE")


async def test_the_api_server_hears_of_a_certificate_before_it_is_stored(store, clock):
    await keeping(store, clock).look()
    assert store.order == ["told", "stored"]
    assert count(store.told) == 1
    assert len(store.path) >= 32


async def test_a_restart_shows_what_is_stored_and_writes_nothing(store, clock):
    first = keeping(store, clock)
    await first.look()
    held, order = store.held, list(store.order)
    second = keeping(store, clock)
    await second.look()
    assert (store.held, store.order, second.path) == (held, order, first.path)


@pytest.mark.usefixtures("quick")
async def test_a_new_one_comes_when_a_third_is_left_and_the_last_stays_trusted(store, clock):
    certificates = keeping(store, clock)
    await certificates.look()
    first = store.held
    clock.now_seconds += int(SECONDS * 0.6)
    await certificates.look()
    assert store.held is first
    clock.now_seconds += int(SECONDS * 0.1)
    await certificates.look()
    second = store.held
    assert second.certificate != first.certificate
    assert second.path == first.path
    assert count(store.told) == 2
    assert store.told.endswith(first.authorities)
    clock.now_seconds += int(SECONDS * 0.7)
    await certificates.look()
    assert count(store.told) == 2


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param({"key": "no key"}, id="a key that is none"),
        pytest.param({"certificate": ""}, id="no certificate"),
        pytest.param({"expires": 0}, id="no time"),
        pytest.param({"names": ("other",)}, id="another name"),
        pytest.param({"expires": NOW + 10 * int(SECONDS)}, id="a time that nobody gave it"),
        pytest.param({"authorities": ""}, id="no authority"),
        pytest.param({"authorities": "what is this\u2026"}, id="an authority that is none"),
        pytest.param({"authorities": NO_AUTHORITY}, id="what looks like an authority"),
        pytest.param(
            {"authorities": serving.make(NAMES, NOW, SECONDS)["authority"]},
            id="the authority of another certificate",
        ),
    ],
)
async def test_what_cannot_be_served_with_is_made_anew(store, clock, spoil):
    await keeping(store, clock).look()
    facts = {name: getattr(store.held, name) for name in Serving.__slots__}
    store.held = Serving(**{**facts, **spoil})
    certificates = keeping(store, clock)
    await certificates.look()
    assert store.held.expires == NOW + SECONDS
    assert store.held.names == NAMES
    assert store.held.key != facts["key"]
    assert store.told == store.held.authorities
    ssl.create_default_context(cadata=store.told)  # which the API server reads as well


@pytest.mark.usefixtures("quick")
async def test_a_secret_that_is_lost_or_spoiled_takes_no_trust_from_what_is_shown(store, clock):
    certificates = keeping(store, clock)
    await certificates.look()
    first, path = store.held, store.path
    store.held = None
    await certificates.look()
    assert store.told == store.held.authorities
    assert store.told.endswith(first.authorities)
    assert store.path == path


async def test_who_comes_second_takes_what_the_first_stored(store, clock):
    one, other = keeping(store, clock), keeping(store, clock)
    await asyncio.gather(one.look(), other.look(), return_exceptions=True)
    await one.look()
    await other.look()
    assert store.order.count("stored") == 1
    assert one.path == other.path == store.path


@pytest.mark.usefixtures("quick")
async def test_a_refusal_is_no_end(store, clock):
    store.refusals = 3
    certificates = keeping(store, clock)
    served = asyncio.Event()

    async def serve():
        served.set()

    keeping_on = asyncio.create_task(certificates.keep(serve))
    await asyncio.wait_for(served.wait(), 30)
    keeping_on.cancel()
    assert certificates.path == store.path


async def test_the_certificate_is_good_for_its_names_alone():
    made = serving.make(NAMES, NOW, SECONDS)
    trust = ssl.create_default_context(cadata=made["authority"])
    (authority,) = trust.get_ca_certs()
    assert authority["subject"] == authority["issuer"]
    other = serving.make(NAMES, NOW, SECONDS)
    assert other["authority"] != made["authority"]
