"""Logins and certificates, as Secrets hold them."""

import base64
import json

import pytest
from yarl import URL

from whipstaff.errors import RepoAuthInvalid
from whipstaff.sources.credentials import (
    Credentials,
    SecretData,
    certificates_of,
    login_of,
)

HERE = URL("https://charts.example.com/stable")


def _packed(text):
    return base64.b64encode(text.encode()).decode()


def a_secret(**data):
    return SecretData("Secret team-a/login", {name: text.encode() for name, text in data.items()})


def a_docker_config(auths):
    return SecretData(
        "Secret team-a/login", {".dockerconfigjson": json.dumps({"auths": auths}).encode()}
    )


def test_user_and_password_become_basic_authentication():
    login = login_of(a_secret(username="jo", password="pä:ss"), HERE)
    kind, packed = login.authorization.split()
    assert (kind, base64.b64decode(packed).decode()) == ("Basic", "jo:pä:ss")


def test_a_bearer_token_is_sent_as_it_is():
    assert login_of(a_secret(bearerToken="abc"), HERE).authorization == "Bearer abc"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param({}, "has no username", id="nothing"),
        pytest.param({"username": "jo"}, "no password", id="no password"),
        pytest.param({"password": "hidden"}, "no username", id="no user"),
        pytest.param(
            {"username": "jo", "password": "hidden\n"}, "ends in a line break", id="echo's line"
        ),
        pytest.param(
            {"username": "jo", "password": "hidden\r\nX-Evil: 1"}, "control", id="a header more"
        ),
        pytest.param({"username": "j:o", "password": "hidden"}, "colon", id="a colon"),
        pytest.param(
            {"username": "jo", "password": "hidden", "bearerToken": "hidden"}, "one", id="both"
        ),
        pytest.param({"username": "jo", "password": "hidden" * 20000}, "larger", id="too long"),
        pytest.param({".dockerconfigjson": "{hidden"}, "no JSON", id="a config that is none"),
        pytest.param({".dockerconfigjson": "{}"}, "auths", id="a config without entries"),
    ],
)
def test_what_is_no_login_is_refused_and_not_shown(data, why):
    with pytest.raises(RepoAuthInvalid) as refused:
        login_of(a_secret(**data), HERE)
    assert why in refused.value.text
    assert "hidden" not in refused.value.text


@pytest.mark.parametrize(
    ("name", "url", "fits"),
    [
        pytest.param("charts.example.com", "https://charts.example.com/a", True, id="the host"),
        pytest.param("https://charts.example.com/v2/", "https://charts.example.com", True, id="v2"),
        pytest.param("charts.example.com", "https://charts.example.com:8443", False, id="a port"),
        pytest.param(
            "charts.example.com:8443", "https://charts.example.com:8443/x", True, id="the port"
        ),
        pytest.param("charts.example.com/a", "https://charts.example.com/a/b", True, id="a folder"),
        pytest.param("charts.example.com/a", "https://charts.example.com/ab", False, id="sibling"),
        pytest.param("example.com", "https://charts.example.com", False, id="the domain above"),
        pytest.param("https://index.docker.io/v1/", "oci://docker.io/org", True, id="Docker Hub"),
    ],
)
def test_an_entry_of_a_docker_config_is_for_its_host(name, url, fits):
    config = a_docker_config({name: {"auth": base64.b64encode(b"jo:hidden").decode()}})
    if fits:
        assert login_of(config, URL(url)).username == "jo"
    else:
        with pytest.raises(RepoAuthInvalid, match="no entry"):
            login_of(config, URL(url))


def test_the_longest_path_decides():
    config = a_docker_config(
        {
            "charts.example.com": {"username": "all", "password": "x"},
            "charts.example.com/stable": {"username": "stable", "password": "x"},
        }
    )
    assert login_of(config, HERE).username == "stable"


def test_half_a_client_certificate_is_refused():
    with pytest.raises(RepoAuthInvalid, match=r"no tls\.key"):
        certificates_of(a_secret(**{"tls.crt": "x"}))


def test_a_bundle_without_an_end_is_refused():
    with pytest.raises(RepoAuthInvalid, match="larger than 64 KiB"):
        certificates_of(a_secret(**{"ca.crt": "x" * 70000}))


def test_nothing_secret_is_in_the_text_of_credentials():
    shown = repr(
        Credentials(password="hidden", token="hidden", identity_token="hidden", key="hidden")
    )
    assert "hidden" not in shown


@pytest.mark.parametrize(
    ("entry", "authorization", "identity_token"),
    [
        pytest.param({"auth": _packed("jo:a:b")}, f"Basic {_packed('jo:a:b')}", "", id="auth"),
        pytest.param(
            {"username": "jo", "password": "a"}, f"Basic {_packed('jo:a')}", "", id="apart"
        ),
        pytest.param(
            {"username": "jo", "password": "a", "auth": _packed("al:b")},
            f"Basic {_packed('jo:a')}",
            "",
            id="both",
        ),
        pytest.param(
            {"auth": _packed("<token>:"), "identitytoken": "t"},
            f"Basic {_packed('<token>:')}",
            "t",
            id="a refresh token",
        ),
        pytest.param({"registrytoken": "t"}, "Bearer t", "", id="a bearer token"),
        pytest.param({}, "", "", id="nothing"),
    ],
)
def test_every_kind_of_entry_of_a_docker_config_is_read(entry, authorization, identity_token):
    found = login_of(a_docker_config({"charts.example.com": entry}), HERE)
    assert (found.authorization, found.identity_token) == (authorization, identity_token)


@pytest.mark.parametrize(
    "name",
    [
        "docker.io",
        "index.docker.io",
        "registry-1.docker.io",
        "https://index.docker.io/v1/",
        "https://registry-1.docker.io/v2/",
    ],
)
@pytest.mark.parametrize("host", ["docker.io", "index.docker.io", "registry-1.docker.io"])
def test_all_names_of_docker_hub_are_one(name, host):
    config = a_docker_config({name: {"username": "jo", "password": "a"}})
    assert login_of(config, URL(f"oci://{host}/team")).username == "jo"
