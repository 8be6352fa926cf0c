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
    found = Verification(
        verify.choice("provider", VerificationProvider.COSIGN),
        _secret(verify, "secretRef"),
        tuple(map(_identity, verify.tables("matchOIDCIdentity", MOST_IDENTITIES))),
        _secret(verify, "trustedRootSecretRef"),
    )
    if verify.content.get("provider") is None:
        raise verify.refuse("provider", "cosign or pgp")
    _refuse_contradictions(verify, found)
    return found


def _identity(one: Fields) -> OIDCIdentity:
    found = OIDCIdentity(*(one.text(field, "", PATTERN) for field in OIDCIdentity._fields))
    for field in OIDCIdentity._fields:
        one.required_text(field, PATTERN)
    return found


def _secret(verify: Fields, field: str) -> str:
    if verify.content.get(field) is None:
        return ""
    return verify.table(field).required_text("name", SECRET_NAME)


def _refuse_contradictions(verify: Fields, found: Verification) -> None:
    if not found.identities:
        if not found.secret:
            raise verify.refuse("secretRef", "the Secret with the keys")
        return
    if found.provider is not VerificationProvider.COSIGN:
        raise verify.refuse("matchOIDCIdentity", "left out where the provider is not cosign")
    if found.secret:
        raise verify.refuse("matchOIDCIdentity", "left out where secretRef has the keys")
    if not found.trusted_root_secret:
        raise verify.refuse("trustedRootSecretRef", "the Secret that says who the identities are")
