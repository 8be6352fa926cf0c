import ssl
import time

import pytest

from whipstaff.settings import Settings
from whipstaff.workers import serving
from whipstaff.workers.pool import WorkerPool

NAMES = ("whipstaff-admission.whipstaff-system.svc", "127.0.0.1", "::1")
NOW = 1_700_000_000


def context(made, folder):
    (folder / "both.pem").write_text(made["key"] + made["certificate"])
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "both.pem")
    return server


def shaken(server, authority, name):
    """Have a client and a server speak TLS, without a network."""
    trust = ssl.create_default_context(cadata=authority)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trust.wrap_bio(back, there, server_hostname=name)
    peer = server.wrap_bio(there, back, server_side=True)
    for _ in range(4):
        for side in (client, peer):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return client.getpeercert()


@pytest.fixture
def made():
    return serving.make(NAMES, int(time.time()), 3600)


@pytest.mark.parametrize("name", NAMES)
def test_a_certificate_is_good_for_each_of_its_names(made, tmp_path, name):
    assert shaken(context(made, tmp_path), made["authority"], name)


def test_it_is_good_for_no_other_name_and_by_no_other_authority(made, tmp_path):
    server = context(made, tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
        shaken(server, made["authority"], "localhost")
    other = serving.make(NAMES, NOW, 3600)["authority"]
    with pytest.raises(ssl.SSLCertVerificationError):
        shaken(server, other, NAMES[0])


def test_it_ends_when_it_shall(made, tmp_path):
    found = shaken(context(made, tmp_path), made["authority"], NAMES[0])
    begins, ends = (ssl.cert_time_to_seconds(found[each]) for each in ("notBefore", "notAfter"))
    assert ends - begins == 3600 + 600  # clocks differ


async def test_a_child_makes_it():
    pool = WorkerPool(Settings(worker_count=1))
    try:
        made = await pool.make_certificate(NAMES, NOW, 3600)
    finally:
        await pool.close()
    assert "PRIVATE KEY" in made.key
    assert made.key not in repr(made)
