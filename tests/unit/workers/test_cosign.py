"""Signatures of cosign's, by keys and by certificates of a Sigstore of our own."""

import base64
import copy
import json

import pytest

from tests.builders.signatures import (
    cosign_key,
    cosign_payload,
    cosign_signature,
    public_pem,
)
from tests.builders.sigstore_lab import ISSUER, SUBJECT, Sigstore, bundle_by_key
from whipstaff.errors import (
    ChartIntegrity,
    ChartSignatureInvalid,
    InvalidSpec,
    VerificationKeyInvalid,
)
from whipstaff.workers import verifying

DIGEST = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32
ROOT = "Secret a/sigstore: trusted_root.json"
JO = {"issuer": r"^https://login\.example\.com$", "subject": r"^jo@example\.com$"}
ATTESTED = "https://slsa.dev/provenance/v1"


@pytest.fixture(scope="module")
def sigstore():
    return Sigstore()


def packed(data):
    return base64.b64encode(data).decode()


def by_keys(*keys):
    named = {f"Secret a/keys: {number}.pub": packed(key) for number, key in enumerate(keys)}
    return {"keys": named, "identities": [], "root": "", "root_name": ""}


def by_identities(root, *identities):
    return {"keys": {}, "identities": identities or [JO], "root": packed(root), "root_name": ROOT}


def with_key(payload, signature):
    nothing = {"certificate": "", "log": "", "timestamp": ""}
    return {"payload": packed(payload), "signature": signature, **nothing}


def check(trusted, signatures=(), bundles=(), digest=DIGEST):
    listed = [packed(json.dumps(one).encode()) for one in bundles]
    return verifying.cosign(trusted, signatures=list(signatures), bundles=listed, digest=digest)


def changed(document, *path, to):
    """Return a copy with another member."""
    copied = copy.deepcopy(document)
    place = copied
    for step in path[:-1]:
        place = place[step]
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return copied


@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "ed25519"])
def test_what_cosigns_keys_sign_is_taken(kind):
    key, payload = cosign_key(kind), cosign_payload(DIGEST)
    broken, sound = with_key(payload, "!"), with_key(payload, cosign_signature(key, payload))
    check(by_keys(public_pem(cosign_key()), public_pem(key)), [broken, sound])


def test_what_another_key_signed_is_refused():
    payload = cosign_payload(DIGEST)
    signature = with_key(payload, cosign_signature(cosign_key(), payload))
    bundle = bundle_by_key(cosign_key(), DIGEST)
    with pytest.raises(ChartSignatureInvalid, match=r"signed by none of the keys$"):
        check(by_keys(public_pem(cosign_key())), [signature], [bundle])


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(cosign_payload(OTHER), id="another manifest"),
        pytest.param(cosign_payload(DIGEST, kind="something else"), id="another thing"),
        pytest.param(b"{}", id="nothing"),
        pytest.param(b"[" * 10_000, id="deep"),
        pytest.param(cosign_payload("sha256:\N{SNOWMAN}"), id="no digest"),
    ],
)
def test_a_signature_of_something_else_is_no_signature_of_this(payload):
    key = cosign_key()
    with pytest.raises(ChartIntegrity, match="the signature is of the manifest"):
        check(by_keys(public_pem(key)), [with_key(payload, cosign_signature(key, payload))])


@pytest.mark.parametrize("key", [b"", b"-----BEGIN PUBLIC KEY-----\n"], ids=["empty", "cut"])
def test_what_is_no_public_key_is_named(key):
    with pytest.raises(VerificationKeyInvalid, match=r"0\.pub holds no public key in PEM"):
        check(by_keys(key), [with_key(b"", "")])


def test_a_bundle_that_a_key_signed_is_taken():
    key = cosign_key()
    check(by_keys(public_pem(cosign_key()), public_pem(key)), bundles=[bundle_by_key(key, DIGEST)])


def test_a_bundle_of_another_manifest_is_named():
    key = cosign_key()
    with pytest.raises(ChartIntegrity, match=f"of the manifest {OTHER}, not of {DIGEST}"):
        check(by_keys(public_pem(key)), bundles=[bundle_by_key(key, OTHER)])


def test_a_key_that_states_something_else_of_a_chart_did_not_sign_it():
    key = cosign_key()
    with pytest.raises(ChartSignatureInvalid, match="none of the keys"):
        check(by_keys(public_pem(key)), bundles=[bundle_by_key(key, DIGEST, predicate=ATTESTED)])


@pytest.mark.parametrize(
    "bundle",
    [{}, [], {"dsseEnvelope": {}}, {"dsseEnvelope": {"signatures": 1}}, "text", None],
    ids=str,
)
def test_a_bundle_that_is_none_is_refused(bundle, sigstore):
    for trusted in (by_keys(public_pem(cosign_key())), by_identities(sigstore.trusted_root())):
        with pytest.raises(ChartSignatureInvalid):
            check(trusted, bundles=[bundle])


def test_who_signs_without_a_key_is_known_by_a_certificate_that_has_expired_since(sigstore):
    trusted = by_identities(sigstore.trusted_root())
    check(trusted, [sigstore.sign(DIGEST).as_evidence()])
    check(trusted, bundles=[sigstore.bundle(DIGEST)])


def test_one_identity_and_one_signature_are_enough(sigstore):
    someone = {"issuer": "nobody", "subject": "nobody"}
    signatures = [sigstore.sign(DIGEST, subject="al@example.com"), sigstore.sign(DIGEST)]
    trusted = by_identities(sigstore.trusted_root(), someone, JO)
    check(trusted, [one.as_evidence() for one in signatures])


def test_a_workflow_is_known_by_its_url(sigstore):
    subject = "https://github.com/team/charts/.github/workflows/release.yml@refs/tags/v1.0.0"
    wanted = {"issuer": ISSUER, "subject": r"^https://github\.com/team/charts/.*@refs/tags/v"}
    trusted = by_identities(sigstore.trusted_root(), wanted)
    check(trusted, [sigstore.sign(DIGEST, subject).as_evidence()])
    check(trusted, bundles=[sigstore.bundle(DIGEST, subject)])


@pytest.mark.parametrize(
    ("subject", "issuer"),
    [
        pytest.param("al@example.com", ISSUER, id="someone else"),
        pytest.param(SUBJECT, "https://login.example.org", id="says someone else"),
    ],
)
def test_whoever_else_signs_is_named(sigstore, subject, issuer):
    trusted = by_identities(sigstore.trusted_root())
    for evidence in (
        {"signatures": [sigstore.sign(DIGEST, subject, issuer).as_evidence()]},
        {"bundles": [sigstore.bundle(DIGEST, subject, issuer)]},
    ):
        with pytest.raises(ChartSignatureInvalid, match=f"it is by {subject}, as {issuer} says"):
            check(trusted, **evidence)


def test_another_root_trusts_nobody_of_this_one(sigstore):
    trusted = by_identities(Sigstore().trusted_root())
    for evidence in (
        {"signatures": [sigstore.sign(DIGEST).as_evidence()]},
        {"bundles": [sigstore.bundle(DIGEST)]},
    ):
        with pytest.raises(ChartSignatureInvalid, match="of no authority in the trusted root"):
            check(trusted, **evidence)


@pytest.mark.parametrize("member", ["tlogs", "ctlogs"])
def test_logs_that_are_not_trusted_prove_nothing(sigstore, member):
    other = json.loads(Sigstore().trusted_root())[member]
    trusted = by_identities(sigstore.trusted_root(**{member: other}))
    with pytest.raises(ChartSignatureInvalid, match="a signature does not count"):
        check(trusted, [sigstore.sign(DIGEST).as_evidence()])
    with pytest.raises(ChartSignatureInvalid, match="a signature does not count"):
        check(trusted, bundles=[sigstore.bundle(DIGEST)])


def test_a_signature_of_another_manifest_is_named_though_its_signer_is_trusted(sigstore):
    trusted = by_identities(sigstore.trusted_root())
    for evidence in (
        {"signatures": [sigstore.sign(OTHER).as_evidence()]},
        {"bundles": [sigstore.bundle(OTHER)]},
    ):
        with pytest.raises(ChartIntegrity, match=f"of the manifest {OTHER}, not of {DIGEST}"):
            check(trusted, **evidence)


def test_a_trusted_signer_who_states_something_else_did_not_sign(sigstore):
    trusted = by_identities(sigstore.trusted_root())
    with pytest.raises(
        ChartSignatureInvalid, match=r"none of spec\.chart\.verify\.matchOIDCIdentity$"
    ):
        check(trusted, bundles=[sigstore.bundle(DIGEST, predicate=ATTESTED)])


ENTRY = ("verificationMaterial", "tlogEntries", 0)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(("dsseEnvelope", "signatures", 0, "sig"), id="the signature"),
        pytest.param(("dsseEnvelope", "payload"), id="what was signed"),
        pytest.param((*ENTRY, "canonicalizedBody"), id="the entry"),
        pytest.param((*ENTRY, "inclusionPromise", "signedEntryTimestamp"), id="the promise"),
        pytest.param((*ENTRY, "inclusionProof", "rootHash"), id="the proof"),
        pytest.param((*ENTRY, "inclusionProof", "checkpoint", "envelope"), id="the checkpoint"),
        pytest.param((*ENTRY, "integratedTime"), id="the time"),
        pytest.param(("verificationMaterial", "certificate", "rawBytes"), id="the certificate"),
    ],
)
def test_a_bundle_of_which_a_part_is_of_another_one_is_refused(sigstore, path):
    bundle, other = sigstore.bundle(DIGEST), sigstore.bundle(DIGEST, issuer=f"{ISSUER}/other")
    part = other
    for step in path:
        part = part[step]
    if path[-1] == "integratedTime":
        part = str(int(part) + 1)
    if path[-1] == "payload":
        part = sigstore.bundle(OTHER)["dsseEnvelope"]["payload"]
    with pytest.raises(ChartSignatureInvalid):
        check(by_identities(sigstore.trusted_root()), bundles=[changed(bundle, *path, to=part)])


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(ENTRY, id="entry"),
        pytest.param((*ENTRY, "inclusionProof"), id="proof"),
        pytest.param((*ENTRY, "inclusionPromise"), id="time"),
        pytest.param(("verificationMaterial", "certificate"), id="certificate"),
    ],
)
def test_a_bundle_without_a_part_is_refused(sigstore, path):
    bundle = changed(sigstore.bundle(DIGEST), *path, to=None)
    with pytest.raises(ChartSignatureInvalid, match="a signature does not count"):
        check(by_identities(sigstore.trusted_root()), bundles=[bundle])


def test_a_signature_that_is_in_no_log_is_refused(sigstore):
    evidence = sigstore.sign(DIGEST).but(log="").as_evidence()
    with pytest.raises(ChartSignatureInvalid, match="it is in no transparency log"):
        check(by_identities(sigstore.trusted_root()), [evidence])


@pytest.mark.parametrize("part", ["payload", "signature", "certificate", "log"])
def test_a_signature_of_which_a_part_is_of_another_one_is_refused(sigstore, part):
    other = sigstore.sign(OTHER)
    evidence = sigstore.sign(DIGEST).but(**{part: getattr(other, part)}).as_evidence()
    with pytest.raises(ChartSignatureInvalid, match="a signature does not count"):
        check(by_identities(sigstore.trusted_root()), [evidence])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param(lambda log: {**log, "SignedEntryTimestamp": "AAAA"}, "promise", id="promise"),
        pytest.param(
            lambda log: {**log, "Payload": {**log["Payload"], "integratedTime": 1}},
            "of no authority",
            id="time before the certificate",
        ),
        pytest.param(
            lambda log: {**log, "Payload": {**log["Payload"], "logIndex": 7}}, "promise", id="place"
        ),
        pytest.param(lambda _: {}, "not whole", id="nothing"),
        pytest.param(lambda _: [], "not whole", id="a list"),
        pytest.param(lambda log: {**log, "Payload": None}, "not whole", id="no entry"),
    ],
)
def test_a_log_that_was_changed_is_refused(sigstore, change, why):
    signature = sigstore.sign(DIGEST)
    evidence = signature.but(log=json.dumps(change(json.loads(signature.log)))).as_evidence()
    with pytest.raises(ChartSignatureInvalid, match=why):
        check(by_identities(sigstore.trusted_root()), [evidence])


@pytest.mark.parametrize(
    "certificate", ["", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_signature_by_a_key_alone_is_by_no_identity(sigstore, certificate):
    evidence = sigstore.sign(DIGEST).but(certificate=certificate).as_evidence()
    with pytest.raises(ChartSignatureInvalid, match="not whole"):
        check(by_identities(sigstore.trusted_root()), [evidence])


@pytest.mark.parametrize("root", [b"", b"{}", b"[]", b"\xff", b'{"mediaType": "x"}'], ids=repr)
def test_a_root_that_is_none_is_named(root):
    with pytest.raises(VerificationKeyInvalid, match=f"{ROOT} holds no trusted root of Sigstore"):
        check(by_identities(root))


@pytest.mark.parametrize("field", ["issuer", "subject"])
def test_a_pattern_that_cannot_be_read_is_named(sigstore, field):
    trusted = by_identities(sigstore.trusted_root(), JO, {**JO, field: "("})
    with pytest.raises(InvalidSpec, match=rf"matchOIDCIdentity\[1\].{field}: .*missing closing"):
        check(trusted)
