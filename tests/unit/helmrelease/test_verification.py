"""`spec.chart.verify`: keys or identities, and never both."""

import pytest

from whipstaff.errors import InvalidSpec
from whipstaff.helmrelease.fields import Fields
from whipstaff.helmrelease.types import OIDCIdentity, Verification, VerificationProvider
from whipstaff.helmrelease.verification import verification

JO = {"issuer": "^https://login$", "subject": "^jo@"}
KEYS = {"secretRef": {"name": "keys"}}
ROOT = {"trustedRootSecretRef": {"name": "sigstore"}}


def read(**verify):
    return verification(Fields("spec.chart", {"verify": verify}))


def test_a_chart_need_not_be_signed():
    assert verification(Fields("spec.chart", {})) is None


@pytest.mark.parametrize("provider", VerificationProvider, ids=str)
def test_keys_are_in_a_secret(provider):
    assert read(provider=str(provider), **KEYS) == Verification(provider, "keys")


def test_identities_come_with_a_trusted_root():
    assert read(provider="cosign", matchOIDCIdentity=[JO], **ROOT) == Verification(
        VerificationProvider.COSIGN,
        identities=(OIDCIdentity("^https://login$", "^jo@"),),
        trusted_root_secret="sigstore",
    )


@pytest.mark.parametrize(
    ("verify", "text"),
    [
        pytest.param({"provider": "cosign", "secretRef": {}}, "name is missing", id="no name"),
        pytest.param(KEYS, "provider must be cosign or pgp", id="no provider"),
        pytest.param({"provider": "notation", **KEYS}, "provider must be", id="another provider"),
        pytest.param(
            {"provider": "cosign"}, "secretRef must be the Secret with the keys", id="nobody"
        ),
        pytest.param(
            {"provider": "cosign", "matchOIDCIdentity": []}, "secretRef must be", id="an empty list"
        ),
        pytest.param(
            {"provider": "cosign", "matchOIDCIdentity": [JO]},
            "trustedRootSecretRef must be the Secret",
            id="no root",
        ),
        pytest.param(
            {"provider": "pgp", "matchOIDCIdentity": [JO], **ROOT},
            "matchOIDCIdentity must be left out where the provider is not cosign",
            id="identities of pgp",
        ),
        pytest.param(
            {"provider": "cosign", "matchOIDCIdentity": [JO], **KEYS, **ROOT},
            "matchOIDCIdentity must be left out where secretRef has the keys",
            id="both",
        ),
        pytest.param(
            {"provider": "cosign", "matchOIDCIdentity": [{"issuer": "a"}], **ROOT},
            r"matchOIDCIdentity\[0\].subject is missing",
            id="half an identity",
        ),
        pytest.param(
            {"provider": "cosign", "matchOIDCIdentity": [JO] * 33, **ROOT},
            "a list of at most 32",
            id="too many",
        ),
        pytest.param(
            {"provider": "cosign", "matchOIDCIdentity": [{**JO, "issuer": "a" * 1025}], **ROOT},
            "a regular expression of at most 1024",
            id="too long",
        ),
    ],
)
def test_what_cannot_be_is_named(verify, text):
    with pytest.raises(InvalidSpec, match=text):
        read(**verify)
