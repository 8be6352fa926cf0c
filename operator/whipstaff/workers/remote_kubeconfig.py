"""Read a kubeconfig that someone stored in a Secret: everything that it needs must be in it.

What would run a program, open a file, go through a proxy or take another identity is refused: all
of that would happen with the operator's own means.
"""

import base64
import binascii
import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from whipstaff.errors import KubeConfigForbidden, KubeConfigInvalid
from whipstaff.golang import yaml

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

TEXT_LIMIT = 256 << 10  # characters
PEM_LIMIT = 64 << 10

_FORBIDDEN_FOR_USERS = {
    "exec": "a program that would run in the operator",
    "auth-provider": "a program that would run in the operator",
    "tokenFile": "a file of the operator",
    "client-certificate": "a file of the operator; client-certificate-data holds it instead",
    "client-key": "a file of the operator; client-key-data holds it instead",
    "username": "a password, which no API server takes any more",
    "password": "a password, which no API server takes any more",
    "as": "another identity; serviceAccountName is for that",
    "as-uid": "another identity; serviceAccountName is for that",
    "as-groups": "another identity; serviceAccountName is for that",
    "as-user-extra": "another identity; serviceAccountName is for that",
}
_FORBIDDEN_FOR_CLUSTERS = {
    "certificate-authority": "a file of the operator; certificate-authority-data holds it instead",
    "proxy-url": "a proxy",
}


def read(text: str, *, allow_insecure: bool) -> dict[str, Any]:
    """Return server, host, port, certificates and token as JSON; no error holds any of them."""
    if len(text) > TEXT_LIMIT:
        raise KubeConfigInvalid(f"the kubeconfig is longer than {TEXT_LIMIT >> 10} KiB")
    try:
        document = yaml.load_integers(text)
    except yaml.YAMLError as error:
        line = f", line {error.line}" if error.line else ""
        raise KubeConfigInvalid(f"the kubeconfig is no YAML{line}") from error
    if not isinstance(document, dict):
        raise KubeConfigInvalid("the kubeconfig is no table")
    name = _text(document, "current-context", "the kubeconfig")
    if not name:
        raise KubeConfigInvalid("the kubeconfig has no current-context")
    context = _named(document, "contexts", "context", name)
    cluster = _named(document, "clusters", "cluster", _text(context, "cluster", "the context"))
    user_name = _text(context, "user", "the context")
    user = _named(document, "users", "user", user_name) if user_name else {}
    _refuse(user, _FORBIDDEN_FOR_USERS, "its user names")
    _refuse(cluster, _FORBIDDEN_FOR_CLUSTERS, "its cluster names")
    return {**_server(cluster, allow_insecure=allow_insecure), **_user(user)}


def _named(document: Mapping[str, Any], plural: str, kind: str, name: str) -> Mapping[str, Any]:
    entries = document.get(plural)
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("name") == name:
            found = entry.get(kind)
            return found if isinstance(found, dict) else {}
    raise KubeConfigInvalid(f"the kubeconfig has no {kind} of the name that it refers to")


def _refuse(entry: Mapping[str, Any], forbidden: Mapping[str, str], where: str) -> None:
    for key, what in forbidden.items():
        if entry.get(key):
            raise KubeConfigForbidden(f"the kubeconfig cannot be used: {where} {what} ({key})")


def _server(cluster: Mapping[str, Any], *, allow_insecure: bool) -> dict[str, Any]:
    server = _text(cluster, "server", "the cluster").rstrip("/")
    try:
        parts = urlsplit(server)
        port = parts.port
    except ValueError as error:
        raise KubeConfigInvalid("the kubeconfig's server is no URL") from error
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise KubeConfigInvalid("the kubeconfig's server is no https URL")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise KubeConfigInvalid("the kubeconfig's server is more than a host, a port and a path")
    insecure = bool(cluster.get("insecure-skip-tls-verify"))
    if not allow_insecure and (insecure or parts.scheme == "http"):
        what = "insecure-skip-tls-verify" if insecure else "http"
        raise KubeConfigForbidden(
            f"the kubeconfig cannot be used: with {what}, anyone on the way could read the"
            " credentials; the operator's setting allow_insecure_clusters allows it"
        )
    ca = _pem(cluster, "certificate-authority-data")
    if ca:
        _certificates(ca, "certificate-authority-data")
    return {
        "server": server,
        "host": parts.hostname,
        "port": port or (443 if parts.scheme == "https" else 80),
        "ca": ca,
        "insecure": insecure,
        "server_name": _text(cluster, "tls-server-name", "the cluster"),
    }


def _user(user: Mapping[str, Any]) -> dict[str, Any]:
    certificate, key = _pem(user, "client-certificate-data"), _pem(user, "client-key-data")
    token = _text(user, "token", "the user").strip()
    if not token.isascii() or not token.isprintable():
        raise KubeConfigInvalid("the kubeconfig's token holds what no header may hold")
    if bool(certificate) != bool(key):
        raise KubeConfigInvalid("the kubeconfig has a client certificate or its key, not both")
    if certificate:
        _check_pair(certificate, key)
    if not certificate and not token:
        raise KubeConfigInvalid("the kubeconfig's user has neither a token nor a certificate")
    return {"certificate": certificate, "key": key, "token": token}


def _check_pair(certificate: str, key: str) -> None:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - heavy

    [first, *_] = _certificates(certificate, "client-certificate-data")
    now = datetime.datetime.now(datetime.UTC)  # noqa: TID251 - a worker has no clock but this
    if first.not_valid_after_utc < now:
        raise KubeConfigInvalid(
            f"the kubeconfig's client certificate expired on {first.not_valid_after_utc:%Y-%m-%d}"
        )
    try:
        private = serialization.load_pem_private_key(key.encode(), None)
    except (ValueError, TypeError) as error:
        raise KubeConfigInvalid("client-key-data of the kubeconfig is no private key") from error
    if private.public_key() != first.public_key():
        raise KubeConfigInvalid("the kubeconfig's client certificate has another key")


def _certificates(text: str, key: str) -> "list[Certificate]":
    from cryptography import x509  # noqa: PLC0415 - heavy

    try:
        return x509.load_pem_x509_certificates(text.encode())
    except ValueError as error:
        raise KubeConfigInvalid(f"{key} of the kubeconfig is no certificate in PEM") from error


def _pem(entry: Mapping[str, Any], key: str) -> str:
    text = _text(entry, key, "an entry")
    if not text:
        return ""
    try:
        pem = base64.b64decode("".join(text.split()), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise KubeConfigInvalid(f"{key} of the kubeconfig is no PEM in base64") from error
    if len(pem) > PEM_LIMIT:
        raise KubeConfigInvalid(f"{key} of the kubeconfig is longer than {PEM_LIMIT >> 10} KiB")
    return pem


def _text(entry: Mapping[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise KubeConfigInvalid(f"the kubeconfig cannot be read: {key} of {where} is no text")
    return value
