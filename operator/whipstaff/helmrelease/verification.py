"""Reading `spec.chart.verify`: by whom a chart must be signed."""

import re

from whipstaff.helmrelease.fields import Fields, TextRule
from whipstaff.helmrelease.texts import SECRET_NAME
from whipstaff.helmrelease.types import OIDCIdentity, Verification, VerificationProvider

MOST_IDENTITIES = 32
PATTERN = TextRule(
    re.compile(r"[^\x00-\x1f]+"), 1024, "a regular expression of at most 1024 characters"
)


def verification(chart: Fields) -> Verification | None:
    """Read `verify` of a chart, None if it need not be signed."""
    if chart.content.get("verify") is None:
        return None
    verify = chart.table("verify")
    provider = verify.choice("provider", VerificationProvider.COSIGN)
    if verify.content.get("provider") is None:
        raise verify.refuse("provider", "cosign or pgp")
    identities = tuple(
        OIDCIdentity(one.required_text("issuer", PATTERN), one.required_text("subject", PATTERN))
        for one in verify.tables("matchOIDCIdentity", MOST_IDENTITIES)
    )
    if not identities:
        return Verification(provider, _secret(verify, "secretRef"))
    if provider is not VerificationProvider.COSIGN:
        raise verify.refuse("matchOIDCIdentity", "left out where the provider is not cosign")
    if verify.content.get("secretRef") is not None:
        raise verify.refuse("matchOIDCIdentity", "left out where secretRef has the keys")
    return Verification(
        provider,
        identities=identities,
        trusted_root_secret=_secret(verify, "trustedRootSecretRef"),
    )


def _secret(verify: Fields, field: str) -> str:
    return verify.table(field).required_text("name", SECRET_NAME)
