"""Keys, and charts that are signed with them: as helm and cosign sign."""

import base64
import json
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from pysequoia import SignatureMode, Tsk, sign

from tests.builders.oci_registry import HelmClient

# helm signs with the primary key, which pysequoia makes for certifying alone: gpg made this one.
_JO = (
    "lFgEZZIAgBYJKwYBBAHaRw8BAQdARMClxjBPzILtGN9jVGr6U9HqrF3I1/PgxxZGARUITNEAAQD9cqfqfrx0JXiH"
    "YKSPFZf2oLhRqe+yFkQRp7TnMUWTnhFPtBNqbyA8am9AZXhhbXBsZS5jb20+iJAEExYIADgWIQTNhYVXBer6j8EW"
    "9/KuyesOwQ3vuwUCZZIAgAIbAwULCQgHAgYVCgkICwIEFgIDAQIeAQIXgAAKCRCuyesOwQ3vu6DjAP4m5p2qiLg+"
    "zwRSfjDONai/ly758ngDaMGK9BBLo8VXNAD/UzhJ+GIH9YeQAAt+bAa1ZPT5IAYkSjYCUy5pvgTLEA8="
)

# The secret key of "Al <al@example.com>" as gpg exports it, locked with a passphrase.
PASSPHRASE = "open sesame"
LOCKED = base64.b64decode(
    "lIYEZZIAgBYJKwYBBAHaRw8BAQdAj5Ms6vgw3UHA6QctpaxwlWpHAdB/SNrpBZ8JtMFBYPj+BwMCA7tQnVMX18r/"
    "BHndTp5mJlx/QvBvYmtxgQDUTqfs4r/tu3dqQ9wX899JmddMMJTy4cH5E0zhxrTTgjn3y1Y11Sipc/x57Wv9fRXH"
    "yMl+NLQTQWwgPGFsQGV4YW1wbGUuY29tPoiQBBMWCAA4FiEEWfyO5Y0PXRm8JY1rLdJA7YXUkfsFAmWSAIACGwMF"
    "CwkIBwIGFQoJCAsCBBYCAwECHgECF4AACgkQLdJA7YXUkfsHTQD+ORU1ETpymVCW/AzmDeU6UHgVuPcoFEEgBiKg"
    "EN0fyhsBALuRCKJWug91IjhZY4xXogF0hJaoEzYgKgmCEdr/YUgJ"
)


class Signer:
    """An OpenPGP key: jo's, or a new one for someone else."""

    def __init__(self, user="") -> None:
        self._key = Tsk.generate(user) if user else Tsk.from_bytes(base64.b64decode(_JO))
        self.public = bytes(self._key.extract_certificate())
        self.secret = bytes(self._key)

    def sign(self, text: str) -> bytes:
        return sign(self._key.signer(), text.encode(), mode=SignatureMode.CLEAR)

    def package(self, helm: HelmClient, folder: Path) -> tuple[bytes, bytes]:
        """Have helm package and sign a chart; return the archive and its provenance."""
        ring = helm.folder / "secring.gpg"
        helm.folder.mkdir(parents=True, exist_ok=True)
        ring.write_bytes(self.secret)
        target = helm.folder / "packaged"
        helm.run("package", folder, "--sign", "--key", "jo", "--keyring", ring, "-d", target)
        [archive] = target.glob("*.tgz")
        return archive.read_bytes(), archive.with_name(f"{archive.name}.prov").read_bytes()


def cosign_key(kind="ecdsa"):
    """Return a private key of a kind that cosign knows."""
    match kind:
        case "ecdsa":
            return ec.generate_private_key(ec.SECP256R1())
        case "rsa":
            return rsa.generate_private_key(65537, 2048)
        case _:
            return ed25519.Ed25519PrivateKey.generate()


def public_pem(key) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def cosign_payload(digest: str, kind="cosign container image signature") -> bytes:
    return json.dumps(
        {
            "critical": {
                "identity": {"docker-reference": ""},
                "image": {"docker-manifest-digest": digest},
                "type": kind,
            },
            "optional": None,
        }
    ).encode()


def cosign_signature(key, payload: bytes) -> str:
    """Return the signature as cosign's annotation has it."""
    match key:
        case ec.EllipticCurvePrivateKey():
            made = key.sign(payload, ec.ECDSA(hashes.SHA256()))
        case rsa.RSAPrivateKey():
            made = key.sign(payload, padding.PKCS1v15(), hashes.SHA256())
        case _:
            made = key.sign(payload)
    return base64.b64encode(made).decode()
