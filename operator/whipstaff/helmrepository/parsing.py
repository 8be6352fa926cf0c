"""From the JSON of a stored HelmRepository to its types; whatever is wrong is an InvalidSpec."""

import re

from whipstaff.helmrelease.fields import Fields, TextRule
from whipstaff.helmrelease.parsing import parse_head
from whipstaff.helmrelease.texts import NAMESPACE, SECRET_NAME
from whipstaff.helmrelease.types import DEFAULT_SECONDS, LONGEST_DURATION_SECONDS
from whipstaff.helmrepository.types import (
    DEFAULT_TIMEOUT_SECONDS,
    EVERY_NAMESPACE,
    HelmRepository,
    RepositorySpec,
)
from whipstaff.release.revision import JsonObject

LONGEST_TIMEOUT_SECONDS = 600.0
MOST_NAMESPACES = 100

URL = TextRule(
    # Credentials in a URL would be readable for everyone who may read the HelmRepository.
    re.compile(r"(https?|oci)://[^/?#@\s\x00-\x1f]+([/?][^\s\x00-\x1f#]*)?"),
    2048,
    "an http, https or oci URL, without user name or password",
)


def parse(body: JsonObject) -> HelmRepository:
    """Read a whole HelmRepository; InvalidSpec names the first field that is wrong."""
    head = parse_head(body)
    spec = Fields("", body).table("spec")
    return HelmRepository(**head.facts, spec=_spec(spec))


def _spec(spec: Fields) -> RepositorySpec:
    return RepositorySpec(
        url=spec.required_text("url", URL).rstrip("/"),
        interval_seconds=spec.duration_seconds(
            "interval", DEFAULT_SECONDS, LONGEST_DURATION_SECONDS
        ),
        timeout_seconds=spec.duration_seconds(
            "timeout", DEFAULT_TIMEOUT_SECONDS, LONGEST_TIMEOUT_SECONDS
        ),
        secret=_name(spec, "secretRef"),
        certificate_secret=_name(spec, "certSecretRef"),
        pass_credentials=spec.flag("passCredentials"),
        insecure=spec.flag("insecure"),
        suspend=spec.flag("suspend"),
        allowed_namespaces=_namespaces(spec),
    )


def _name(spec: Fields, field: str) -> str:
    if spec.content.get(field) is None:
        return ""
    return spec.table(field).required_text("name", SECRET_NAME)


def _namespaces(spec: Fields) -> tuple[str, ...]:
    listed = spec.content.get("allowedNamespaces") or []
    wanted = f"at most {MOST_NAMESPACES} names of namespaces, or '*'"
    if not isinstance(listed, list) or len(listed) > MOST_NAMESPACES:
        raise spec.refuse("allowedNamespaces", wanted)
    for name in listed:
        named = isinstance(name, str) and len(name) <= NAMESPACE.longest
        if not named or not (name == EVERY_NAMESPACE or NAMESPACE.pattern.fullmatch(name)):
            raise spec.refuse("allowedNamespaces", wanted)
    return tuple(listed)
