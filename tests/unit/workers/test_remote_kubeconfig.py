import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.builders.remote_clusters import a_kubeconfig, b64
from whipstaff.errors import KubeConfigForbidden, KubeConfigInvalid
from whipstaff.settings import Settings
from whipstaff.workers import remote_kubeconfig
from whipstaff.workers.pool import WorkerPool

SERVER = "https://cluster.example.com:6443"
CANARY = "c4n4ry"


def read(text, *, allow_insecure=False):
    return remote_kubeconfig.read(text, allow_insecure=allow_insecure)


def a_pair(days=1):
    """Make a client certificate and its key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "me")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=9))
        .not_valid_after(now + datetime.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return made.public_bytes(serialization.Encoding.PEM).decode(), secret.decode()


def with_pair(certificate, key):
    return {"client-certificate-data": b64(certificate), "client-key-data": b64(key)}


def test_a_token_and_a_server_are_found():
    assert read(a_kubeconfig(f"{SERVER}/", user={"token": "secret"})) == {
        "server": SERVER,
        "host": "cluster.example.com",
        "port": 6443,
        "ca": "",
        "insecure": False,
        "server_name": "",
        "certificate": "",
        "key": "",
        "token": "secret",
    }


def test_a_certificate_and_an_authority_are_found():
    certificate, key = a_pair()
    entry = {"certificate-authority-data": b64(certificate), "tls-server-name": "other"}
    facts = read(a_kubeconfig(SERVER, cluster=entry, user=with_pair(certificate, key)))

    assert (facts["certificate"], facts["key"], facts["ca"]) == (certificate, key, certificate)
    assert facts["server_name"] == "other"
    assert facts["token"] == ""


def test_yaml_is_read_as_well():
    text = (
        "current-context: b\ncontexts:\n- name: a\n- name: b\n  context: {cluster: c, user: u}\n"
        f"clusters: [{{name: c, cluster: {{server: '{SERVER}'}}}}]\n"
        "users: [{name: u, user: {token: t}}]\n"
    )

    assert read(text)["token"] == "t"


@pytest.mark.parametrize(
    "user",
    [
        pytest.param({"exec": {"command": CANARY, "apiVersion": "x"}}, id="exec"),
        pytest.param({"auth-provider": {"name": CANARY}}, id="auth-provider"),
        pytest.param({"tokenFile": f"/{CANARY}", "token": CANARY}, id="tokenFile"),
        pytest.param({"client-certificate": CANARY, "client-key": CANARY}, id="client-certificate"),
        pytest.param({"username": CANARY, "password": CANARY}, id="username"),
        pytest.param({"token": CANARY, "as": CANARY}, id="as"),
        pytest.param({"token": CANARY, "as-groups": [CANARY]}, id="as-groups"),
    ],
)
def test_a_user_that_needs_the_operators_means_is_refused(user):
    with pytest.raises(KubeConfigForbidden) as caught:
        read(a_kubeconfig(SERVER, user=user))

    assert next(iter(user)) in caught.value.text or "as" in user or "as-groups" in user
    assert CANARY not in caught.value.text


@pytest.mark.parametrize(
    "cluster",
    [
        pytest.param({"proxy-url": f"http://{CANARY}"}, id="proxy-url"),
        pytest.param({"certificate-authority": f"/{CANARY}"}, id="certificate-authority"),
        pytest.param({"insecure-skip-tls-verify": True}, id="insecure-skip-tls-verify"),
        pytest.param({"server": f"http://{CANARY}"}, id="http"),
    ],
)
def test_a_cluster_that_is_reached_in_other_ways_is_refused(cluster):
    with pytest.raises(KubeConfigForbidden) as caught:
        read(a_kubeconfig(SERVER, cluster=cluster))

    assert CANARY not in caught.value.text


def test_certificates_may_go_unchecked_where_the_setting_says_so():
    entry = {"insecure-skip-tls-verify": True, "server": "http://a:8080"}

    facts = read(a_kubeconfig("", cluster=entry), allow_insecure=True)

    assert (facts["insecure"], facts["port"]) == (True, 8080)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("a: [", "no YAML, line 1", id="no YAML"),
        pytest.param(CANARY, "no table", id="a text"),
        pytest.param("[]", "no table", id="a list"),
        pytest.param("{}", "no current-context", id="empty"),
        pytest.param("{current-context: [x]}", "current-context", id="a context of another shape"),
        pytest.param("{current-context: x}", "has no context", id="no contexts"),
        pytest.param("{current-context: x, contexts: {}}", "has no context", id="another shape"),
        pytest.param(a_kubeconfig(SERVER, clusters=[]), "has no cluster", id="no cluster"),
        pytest.param(a_kubeconfig(SERVER, users=[]), "has no user", id="no user"),
        pytest.param(a_kubeconfig(SERVER, user={}), "neither a token", id="no credentials"),
        pytest.param(a_kubeconfig(SERVER, user={"token": 7}), "is no text", id="token: 7"),
        pytest.param(
            a_kubeconfig(SERVER, user={"token": f"{CANARY}\r\nX: y"}), "no header", id="a header"
        ),
        pytest.param(a_kubeconfig(""), "no https URL", id="no server"),
        pytest.param(a_kubeconfig(f"ftp://{CANARY}"), "no https URL", id="another scheme"),
        pytest.param(a_kubeconfig("https://a:99999999"), "no URL", id="no port"),
        pytest.param(a_kubeconfig(f"https://me:{CANARY}@a"), "more than a host", id="a login"),
        pytest.param(
            a_kubeconfig(SERVER, cluster={"certificate-authority-data": "%"}),
            "no PEM in base64",
            id="no base64",
        ),
        pytest.param(
            a_kubeconfig(SERVER, cluster={"certificate-authority-data": b64(CANARY)}),
            "no certificate in PEM",
            id="no PEM",
        ),
        pytest.param(
            a_kubeconfig(SERVER, cluster={"certificate-authority-data": b64("x" * (65 << 10))}),
            "longer than 64 KiB",
            id="a long PEM",
        ),
        pytest.param("#" * (300 << 10), "longer than 256 KiB", id="a long file"),
        pytest.param(
            a_kubeconfig(SERVER, user=with_pair(*a_pair(days=-2))), "expired on", id="expired"
        ),
        pytest.param(
            a_kubeconfig(SERVER, user=with_pair(a_pair()[0], a_pair()[1])), "another key", id="keys"
        ),
        pytest.param(
            a_kubeconfig(SERVER, user=with_pair(a_pair()[0], CANARY)), "no private key", id="no key"
        ),
        pytest.param(
            a_kubeconfig(SERVER, user={"client-certificate-data": b64(a_pair()[0])}),
            "not both",
            id="half of it",
        ),
    ],
)
def test_what_is_no_kubeconfig_is_refused_without_its_content(text, said):
    with pytest.raises(KubeConfigInvalid) as caught:
        read(text)

    assert said in caught.value.text
    assert CANARY not in caught.value.text


async def test_it_is_read_in_a_worker():
    pool = WorkerPool(Settings(worker_count=1))
    try:
        facts = await pool.read_kubeconfig(a_kubeconfig(SERVER), allow_insecure=False)
        assert facts["server"] == SERVER
        refused = a_kubeconfig(SERVER, user={"tokenFile": "x"})
        with pytest.raises(KubeConfigForbidden):
            await pool.read_kubeconfig(refused, allow_insecure=False)
        bomb = "a: &a [x,x]\n" + "".join(f"b{n}: &b{n} [*a,*a]\n" for n in range(3)) + "[" * 50_000
        with pytest.raises(KubeConfigInvalid):
            await pool.read_kubeconfig(bomb, allow_insecure=False)
    finally:
        await pool.close()
