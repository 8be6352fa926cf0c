"""A Sigstore of our own: an authority, its logs and clocks, and what cosign makes with them."""

import base64
import datetime
import hashlib
import json
import struct
from dataclasses import dataclass, replace

import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.builders.signatures import cosign_payload

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
STATEMENT = "application/vnd.in-toto+json"
SIGNED = "https://sigstore.dev/cosign/sign/v1"
ORIGIN = "rekor.example.com"
ISSUER, SUBJECT = "https://login.example.com", "jo@example.com"

CODE_SIGNING = ExtendedKeyUsageOID.CODE_SIGNING
_TIMESTAMPS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_OLD_ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")


@dataclass
class Signature:
    """What cosign 2 keeps of one: its payload, and annotations without their common prefix."""

    payload: bytes
    signature: str
    certificate: str
    log: str

    def as_evidence(self):
        return {
            "payload": _text(self.payload),
            "signature": self.signature,
            "certificate": self.certificate,
            "log": self.log,
            "timestamp": "",
        }

    def but(self, **changed):
        return replace(self, **changed)


class Sigstore:
    """An authority with the logs that it writes to; `at` is when it works, its certificates' time.

    Certificates last ten minutes, so that all of them have expired.
    """

    def __init__(self):
        self.at = datetime.datetime.now(datetime.UTC).replace(microsecond=0) - datetime.timedelta(2)
        self._root_key, self._middle_key = _key(), _key()
        self._certificates_log, self._log = _key(), _key()
        self._root = self._authority("root", self._root_key, "root", self._root_key)
        self._middle = self._authority("middle", self._middle_key, "root", self._root_key)

    def trusted_root(self, **changes) -> bytes:
        """Return trusted_root.json; `changes` are other members."""
        since = {"start": _when(self.at - datetime.timedelta(days=9))}
        chain = [{"rawBytes": _text(_der(one))} for one in (self._middle, self._root)]
        document = {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [self._known_log("https://rekor.example.com", self._log, since)],
            "certificateAuthorities": [
                {
                    "subject": {"organization": "example.com", "commonName": "root"},
                    "uri": "https://fulcio.example.com",
                    "certChain": {"certificates": chain},
                    "validFor": since,
                }
            ],
            "ctlogs": [self._known_log("https://ct.example.com", self._certificates_log, since)],
            "timestampAuthorities": [],
        }
        return json.dumps({**document, **changes}).encode()

    def sign(self, digest, subject=SUBJECT, issuer=ISSUER, kind=None) -> Signature:
        """Sign as cosign 2 does."""
        payload = cosign_payload(digest, *([kind] if kind else []))
        key = _key()
        certificate = self._certified(key, subject, issuer)
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        signature = _text(key.sign(payload, ec.ECDSA(hashes.SHA256())))
        hashed = {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()}
        spec = {
            "data": {"hash": hashed},
            "signature": {"content": signature, "publicKey": {"content": _text(pem)}},
        }
        entry = self._entry("hashedrekord", spec)
        log = json.dumps({"SignedEntryTimestamp": self._promise(entry), "Payload": entry})
        return Signature(payload, signature, pem.decode(), log)

    def bundle(self, digest, subject=SUBJECT, issuer=ISSUER, predicate=SIGNED) -> dict:
        """Sign as cosign 3 does."""
        payload = statement(digest, predicate)
        key = _key()
        certificate = self._certified(key, subject, issuer)
        signature = _text(key.sign(pae(payload), ec.ECDSA(hashes.SHA256())))
        pem = _text(certificate.public_bytes(serialization.Encoding.PEM))
        envelope = {
            "payload": _text(payload),
            "payloadType": STATEMENT,
            "signatures": [{"sig": signature}],
        }
        spec = {
            "envelopeHash": _sha256(json.dumps(envelope).encode()),
            "payloadHash": _sha256(payload),
            "signatures": [{"signature": signature, "verifier": pem}],
        }
        material = {
            "certificate": {"rawBytes": _text(_der(certificate))},
            "tlogEntries": [self._proved(self._entry("dsse", spec))],
        }
        return {
            "mediaType": BUNDLE,
            "verificationMaterial": material,
            "dsseEnvelope": envelope,
        }

    def _known_log(self, url, key, since):
        spki = _spki(key)
        return {
            "baseUrl": url,
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": _text(spki),
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                "validFor": since,
            },
            "logId": {"keyId": _text(hashlib.sha256(spki).digest())},
        }

    def _entry(self, kind, spec):
        body = rfc8785.dumps({"apiVersion": "0.0.1", "kind": kind, "spec": spec})
        return {
            "body": _text(body),
            "integratedTime": int(self.at.timestamp()) + 60,
            "logIndex": 1,
            "logID": hashlib.sha256(_spki(self._log)).hexdigest(),
        }

    def _promise(self, entry) -> str:
        return _text(self._log.sign(rfc8785.dumps(entry), ec.ECDSA(hashes.SHA256())))

    def _proved(self, entry):
        """Return the entry as the second of a log of two."""
        body = base64.b64decode(entry["body"])
        before = hashlib.sha256(b"\x00before").digest()
        root = hashlib.sha256(b"\x01" + before + hashlib.sha256(b"\x00" + body).digest()).digest()
        note = f"{ORIGIN} - 1\n2\n{_text(root)}\n"
        hint = hashlib.sha256(_spki(self._log)).digest()[:4]
        signed = hint + self._log.sign(note.encode(), ec.ECDSA(hashes.SHA256()))
        return {
            "logIndex": "1",
            "logId": {"keyId": _text(bytes.fromhex(entry["logID"]))},
            "kindVersion": {"kind": json.loads(body)["kind"], "version": "0.0.1"},
            "integratedTime": str(entry["integratedTime"]),
            "inclusionPromise": {"signedEntryTimestamp": self._promise(entry)},
            "inclusionProof": {
                "logIndex": "1",
                "rootHash": _text(root),
                "treeSize": "2",
                "hashes": [_text(before)],
                "checkpoint": {"envelope": f"{note}\n\u2014 {ORIGIN} {_text(signed)}\n"},
            },
            "canonicalizedBody": entry["body"],
        }

    def _authority(self, name, key, issuer, issuer_key):
        year = datetime.timedelta(days=365)
        usage = _usage(key_cert_sign=True, crl_sign=True)
        builder = (
            _begun(name, issuer, key, self.at - year, self.at + year)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
        )
        return _identified(builder, key, issuer_key).sign(issuer_key, hashes.SHA256())

    def _certified(self, key, subject, issuer):
        """Return a certificate with the receipt of the certificates' log in it."""
        until = self.at + datetime.timedelta(minutes=10)
        kind = x509.RFC822Name if "@" in subject else x509.UniformResourceIdentifier
        builder = (
            _begun("", "middle", key, self.at, until)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False
            )
            .add_extension(x509.SubjectAlternativeName([kind(subject)]), critical=True)
            .add_extension(x509.UnrecognizedExtension(_OLD_ISSUER, issuer.encode()), critical=False)
            .add_extension(_der_text(_ISSUER, issuer), critical=False)
        )
        builder = _identified(builder, key, self._middle_key)
        draft = builder.sign(self._middle_key, hashes.SHA256()).tbs_certificate_bytes
        receipt = x509.UnrecognizedExtension(_TIMESTAMPS, self._receipt(draft))
        builder = builder.add_extension(receipt, critical=False)
        return builder.sign(self._middle_key, hashes.SHA256())

    def _receipt(self, draft: bytes) -> bytes:
        milliseconds = int(self.at.timestamp()) * 1000
        issuer = hashlib.sha256(_spki(self._middle_key)).digest()
        entry = struct.pack("!BBQH", 0, 0, milliseconds, 1) + issuer
        signed = entry + len(draft).to_bytes(3, "big") + draft + bytes(2)
        signature = self._certificates_log.sign(signed, ec.ECDSA(hashes.SHA256()))
        log = hashlib.sha256(_spki(self._certificates_log)).digest()
        one = struct.pack("!B32sQHBBH", 0, log, milliseconds, 0, 4, 3, len(signature)) + signature
        listed = struct.pack("!H", len(one)) + one
        return _der_of(0x04, struct.pack("!H", len(listed)) + listed)


def statement(digest, predicate=SIGNED) -> bytes:
    """Return what cosign 3 says of a manifest."""
    return json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"digest": {"sha256": digest.removeprefix("sha256:")}, "annotations": {}}],
            "predicateType": predicate,
            "predicate": {},
        }
    ).encode()


def pae(payload: bytes, kind=STATEMENT) -> bytes:
    """Return what is signed of an envelope."""
    return f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload


def bundle_by_key(key, digest, predicate=SIGNED) -> dict:
    """Sign as `cosign sign --key` does from version 3 on."""
    payload = statement(digest, predicate)
    signature = _text(key.sign(pae(payload), ec.ECDSA(hashes.SHA256())))
    return {
        "mediaType": BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": _text(hashlib.sha256(_spki(key)).digest())}},
        "dsseEnvelope": {
            "payload": _text(payload),
            "payloadType": STATEMENT,
            "signatures": [{"sig": signature}],
        },
    }


def _key():
    return ec.generate_private_key(ec.SECP256R1())


def _spki(key) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _begun(name, issuer, key, since, until):
    named = [x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else []
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name(named))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
    )


def _identified(builder, key, issuer_key):
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return builder.add_extension(own, critical=False).add_extension(issuer, critical=False)


def _usage(**used):
    kinds = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
        "key_cert_sign crl_sign encipher_only decipher_only"
    )
    return x509.KeyUsage(**{kind: used.get(kind, False) for kind in kinds.split()})


def _der_text(kind, text):
    return x509.UnrecognizedExtension(kind, _der_of(0x0C, text.encode()))


def _der_of(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 128 + len(length)]) + length + content


def _der(certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def _sha256(data: bytes) -> dict:
    return {"algorithm": "sha256", "value": hashlib.sha256(data).hexdigest()}


def _when(moment) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
