import hmac
import json
import time

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.builders.certificates import Authority, served_by
from tests.builders.little_api_server import LittleApiServer, a_gateway, a_release
from whipstaff.errors import InvalidSpec
from whipstaff.gateway.oidc import ANSWER_BYTES_LIMIT, IssuerOptions, OpenIDConnect
from whipstaff.gateway.problems import Problem
from whipstaff.reconcile.ports import Person

AUDIENCE = "whipstaff"
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
SHARED = "a secret that is shared with everybody"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Issuer:
    """Publishes a key, and signs."""

    def __init__(self):
        self.url = ""
        self.fetched = 0
        self.away = False
        self.says = {}  # besides what an honest issuer says
        self.keys_are = ""

    def token(self, key=KEY, algorithm="ES256", kid="one", **claims):
        facts = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "carol",
            "groups": ["dev"],
            "exp": int(time.time()) + 600,
        } | claims
        facts = {name: value for name, value in facts.items() if value is not None}
        return jwt.encode(facts, key, algorithm=algorithm, headers={"kid": kid})

    async def configuration(self, _request):
        facts = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"} | self.says
        return web.json_response(facts)

    async def keys(self, _request):
        self.fetched += 1
        if self.away:
            raise web.HTTPServiceUnavailable
        if self.keys_are == "elsewhere":
            raise web.HTTPFound(f"{self.url}/other-keys")
        if self.keys_are == "huge":
            return web.Response(body=b" " * (ANSWER_BYTES_LIMIT + 1))
        if self.keys_are == "deep":
            return web.Response(text="[" * 100_000, content_type="application/json")
        if self.keys_are == "shared":
            secret = jwt.utils.base64url_encode(SHARED.encode()).decode()
            return web.json_response({"keys": [{"kty": "oct", "k": secret, "kid": "one"}]})
        key = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key()))
        return web.json_response({"keys": [{**key, "kid": "one", "alg": "ES256", "use": "sig"}]})


def forged(issuer, **header):
    """Sign with a key that everybody knows: the published one, taken for a shared secret."""
    facts = {"iss": issuer.url, "aud": AUDIENCE, "sub": "carol", "exp": int(time.time()) + 600}
    parts = [
        jwt.utils.base64url_encode(json.dumps(part).encode())
        for part in ({"alg": "HS256", "typ": "JWT", "kid": "one"} | header, facts)
    ]
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    parts.append(jwt.utils.base64url_encode(hmac.digest(pem, b".".join(parts), "sha256")))
    return b".".join(parts).decode()


@pytest.fixture
async def issuer(tmp_path):
    authority, found = Authority(), Issuer()
    (tmp_path / "issuer.crt").write_text(authority.pem)
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", found.configuration)
    app.router.add_get("/keys", found.keys)
    server = TestServer(app, scheme="https")
    await server.start_server(ssl=served_by(authority, tmp_path))
    found.url = f"https://127.0.0.1:{server.port}"
    found.ca_file = tmp_path / "issuer.crt"
    yield found
    await server.close()


@pytest.fixture
def options(issuer):
    claims = {"groups_claim": "groups", "groups_prefix": "sso:"}
    return IssuerOptions(issuer.url, AUDIENCE, ca_file=issuer.ca_file, **claims)


@pytest.fixture
def proving(options):
    return OpenIDConnect(options)


@pytest.fixture
async def ask(issuer, options):
    server = LittleApiServer(a_release())
    server.allow(f"{issuer.url}#carol", "list", "helmreleases")
    async with a_gateway(server, issuer=options) as asking:
        yield asking


async def test_a_token_of_the_issuer_proves_name_and_groups(ask, issuer):
    answer = await ask("/v1/releases", token=issuer.token())
    assert (answer.status, answer.json["total"]) == (200, 1)
    (review,) = ask.server.asked("selfsubjectaccessreviews")
    assert (review["user"], review["groups"]) == (f"{issuer.url}#carol", ["sso:dev"])


async def test_tokens_of_the_cluster_are_taken_besides(ask):
    assert (await ask("/v1/releases")).status == 200


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"sub": ""}, id="an empty name"),
        pytest.param({"sub": "  "}, id="a blank name"),
        pytest.param({"sub": None}, id="no name"),
        pytest.param({"groups": [""]}, id="an empty group"),
        pytest.param({"groups": [7]}, id="a group that is no text"),
        pytest.param({"groups": {"dev": True}}, id="groups that are no list"),
        pytest.param({"aud": "another"}, id="for somebody else"),
        pytest.param({"aud": None}, id="for nobody"),
        pytest.param({"exp": 1}, id="expired"),
        pytest.param({"exp": None}, id="without an end"),
        pytest.param({"nbf": 2**40}, id="not yet"),
        pytest.param({"key": OTHER_KEY}, id="another key"),
        pytest.param({"key": OTHER_KEY, "kid": "two"}, id="a key that is not published"),
        pytest.param({"key": RSA_KEY, "algorithm": "RS256"}, id="another algorithm"),
        pytest.param({"key": "secret" * 8, "algorithm": "HS256"}, id="a shared secret"),
        pytest.param({"key": None, "algorithm": "none"}, id="unsigned"),
    ],
)
async def test_a_token_that_proves_nobody_is_refused(ask, issuer, changes):
    answer = await ask("/v1/releases", token=issuer.token(**changes))
    assert answer.status == 401
    assert ask.server.asked("selfsubjectaccessreviews") == []


async def test_nobody_signs_with_a_key_that_everybody_knows(proving, issuer):
    for header in (
        {},  # the published key as a shared secret
        {"alg": "ES256"},
        {"alg": "None"},
        {"kid": "../../../../dev/null"},
        {"jku": "https://elsewhere/keys"},
        {"crit": ["exp"]},
    ):
        with pytest.raises(Problem) as refused:
            await proving.person(forged(issuer, **header))
        assert refused.value.status == 401


async def test_a_token_brings_no_key_of_its_own(proving, issuer):
    key = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(OTHER_KEY.public_key()))
    facts = {"iss": issuer.url, "aud": AUDIENCE, "sub": "carol", "exp": int(time.time()) + 600}
    token = jwt.encode(facts, OTHER_KEY, "ES256", {"kid": "one", "jwk": key})
    with pytest.raises(Problem, match="Signature verification failed"):
        await proving.person(token)


async def test_a_token_for_several_is_for_us_too_and_one_group_is_a_list(proving, issuer):
    person = await proving.person(issuer.token(aud=["another", AUDIENCE], groups="dev"))
    assert person == Person(f"{issuer.url}#carol", ("sso:dev",))


@pytest.mark.parametrize(
    ("says", "keys_are"),
    [
        pytest.param({"issuer": "https://elsewhere"}, "", id="describes another issuer"),
        pytest.param({"jwks_uri": "http://127.0.0.1:1/keys"}, "", id="keys without TLS"),
        pytest.param({"jwks_uri": "file:///etc/passwd"}, "", id="keys in a file"),
        pytest.param({}, "elsewhere", id="leads elsewhere for keys"),
        pytest.param({}, "huge", id="more keys than anybody has"),
        pytest.param({}, "deep", id="keys without a bottom"),
    ],
)
async def test_an_issuer_that_is_none_proves_nobody(proving, issuer, says, keys_are):
    issuer.says, issuer.keys_are = says, keys_are
    with pytest.raises(Problem) as refused:
        await proving.person(issuer.token())
    assert refused.value.status == 503


async def test_a_secret_that_an_issuer_publishes_signs_nothing(proving, issuer):
    issuer.keys_are = "shared"
    with pytest.raises(Problem) as refused:
        await proving.person(issuer.token(key=SHARED, algorithm="HS256"))
    assert refused.value.status == 401


async def test_a_token_of_another_issuer_is_the_api_server_s_business(ask, issuer):
    assert (await ask("/v1/releases", token=issuer.token(iss="https://elsewhere"))).status == 401
    assert issuer.fetched == 0


async def test_unknown_keys_do_not_make_the_gateway_ask_the_issuer_without_end(ask, issuer):
    for number in range(5):
        await ask("/v1/releases", token=issuer.token(kid=f"unknown-{number}"))
    assert issuer.fetched == 1


async def test_an_issuer_that_is_away_says_nothing_of_a_token(ask, issuer):
    issuer.away = True
    for _ in range(3):  # the second finds that it was asked a moment ago
        answer = await ask("/v1/releases", token=issuer.token())
        assert (answer.status, "retry-after" in answer.headers) == (503, True)
    assert issuer.fetched == 1


@pytest.mark.parametrize(
    ("claim", "prefix", "before"),
    [
        pytest.param("sub", None, "https://sso#", id="the issuer by default"),
        pytest.param("email", None, "", id="nothing before an email"),
        pytest.param("sub", "-", "", id="nothing if that is asked for"),
        pytest.param("sub", "sso:", "sso:", id="what is given"),
    ],
)
def test_names_are_told_apart_as_the_api_server_does(claim, prefix, before):
    options = IssuerOptions("https://sso", AUDIENCE, username_claim=claim, username_prefix=prefix)
    assert options.prefix == before


@pytest.mark.parametrize("facts", [("http://sso", "x"), ("sso", "x"), ("https://sso", "")])
def test_an_issuer_that_could_be_anybody_is_refused(facts):
    with pytest.raises(InvalidSpec):
        IssuerOptions(*facts)
