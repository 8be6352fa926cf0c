import json
import time

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.builders.certificates import Authority, served_by
from tests.builders.little_api_server import LittleApiServer, a_gateway, a_release
from whipstaff.errors import InvalidSpec
from whipstaff.gateway.oidc import IssuerOptions

AUDIENCE = "whipstaff"
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Issuer:
    """Publishes a key, and signs."""

    def __init__(self):
        self.url = ""
        self.fetched = 0
        self.away = False

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
        return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/keys"})

    async def keys(self, _request):
        self.fetched += 1
        if self.away:
            raise web.HTTPServiceUnavailable
        key = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key()))
        return web.json_response({"keys": [{**key, "kid": "one", "alg": "ES256", "use": "sig"}]})


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
async def ask(issuer):
    server = LittleApiServer(a_release())
    server.allow(f"{issuer.url}#carol", "list", "helmreleases")
    options = IssuerOptions(
        issuer.url,
        AUDIENCE,
        groups_claim="groups",
        groups_prefix="sso:",
        ca_file=issuer.ca_file,
    )
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
