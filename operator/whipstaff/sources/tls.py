"""Whom a repository's connection trusts, and the certificate that it shows."""

import ssl
import tempfile
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from whipstaff.errors import RepoAuthInvalid

_KEPT = 64


@dataclass(frozen=True, slots=True)
class Trust:
    """What a TLS connection needs to know; texts are PEM."""

    ca: str = field(default="", repr=False)  # empty: the system's authorities
    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    insecure: bool = False  # certificates are not checked


@lru_cache(maxsize=_KEPT)
def context(trust: Trust) -> ssl.SSLContext:
    """Return the same context for the same trust, so that connections can be shared.

    RepoAuthInvalid for PEM that cannot be read.
    """
    try:
        found = ssl.create_default_context(cadata=trust.ca or None)
    except (ssl.SSLError, ValueError) as error:
        raise RepoAuthInvalid(
            "ca.crt of certSecretRef holds no certificate that can be read"
        ) from error
    if trust.insecure:
        found.check_hostname = False
        found.verify_mode = ssl.CERT_NONE
    if trust.certificate:
        _show(found, trust)
    return found


def _show(found: ssl.SSLContext, trust: Trust) -> None:
    """Load the client's certificate, which the ssl module takes from files alone."""
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder, "tls.crt"), Path(folder, "tls.key")
        certificate.write_text(trust.certificate, encoding="utf-8")
        key.touch(mode=0o600)
        key.write_text(trust.key, encoding="utf-8")
        try:
            # The function is called for an encrypted key, and must not ask at a terminal.
            found.load_cert_chain(certificate, key, password=lambda: "")
        except (ssl.SSLError, ValueError, OSError) as error:
            raise RepoAuthInvalid(
                "tls.crt and tls.key of certSecretRef are no certificate with its key"
            ) from error
