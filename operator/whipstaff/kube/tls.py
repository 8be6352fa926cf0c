"""How a kubeconfig says a server is to be checked, as a TLS context."""

import ssl
from collections.abc import Mapping
from typing import Any


def tls_of(facts: Mapping[str, Any]) -> ssl.SSLContext | bool:
    """Return how to check a server, and our certificate if there is one; or ssl.SSLError."""
    if not facts["server"].startswith("https:"):
        return True
    context = ssl.create_default_context(cadata=facts["ca"] or None)
    if facts["insecure"]:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if facts["certificate"]:
        import tempfile  # noqa: PLC0415 - half a dozen modules, for those with certificates alone

        # The ssl module takes certificates from files only.
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as pem:
            pem.write(facts["certificate"] + "\n" + facts["key"])
            pem.flush()
            context.load_cert_chain(pem.name)
    return context
