"""What the API server said, as ClusterRefused, without the values that it quotes.

Its messages repeat what it refuses: a Job whose template may not change is printed whole, with
the passwords of its environment. The path of a field says enough.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from whipstaff.errors import ClusterRefused

TEXT_LIMIT = 2000  # characters; conditions and events cut further

_INTERNAL, _BAD_REQUEST, _FORBIDDEN, _TOO_LARGE = 500, 400, 403, 413
_TOO_LARGE_FOR_ETCD = "etcdserver: request is too large"
_UNFIT_FOR_APPLY = re.compile(r"failed to (create typed|convert)\b")
_GOT = re.compile(r", got .*", re.DOTALL)  # of server-side apply: Go's form of what was sent
_BAD_VALUE = re.compile(r"\b((Invalid|Unsupported|Duplicate) value|Not found|Too many|Too few): ")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`')
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`|[\[\]{}()]')
_PLAIN_END = re.compile(r"(?=: |,|\]|$)", re.MULTILINE)
# RBAC's own words: they name who, what and where, and nothing that an object holds.
_NOT_ALLOWED = re.compile(
    r'[a-z0-9./-]+( "[^"]*")? is forbidden: User "[^"]*" cannot [a-z]+ resource "[^"]*"'
    r' in API group "[^"]*"( in the namespace "[^"]*"| at the cluster scope)?(: RBAC: [^{}]*)?'
)
_NAMESPACE_TERMINATING = "NamespaceTerminating"
_EXCEEDED_QUOTA = re.compile(r"is forbidden: exceeded quota: ")
_OPENING, _CLOSING = frozenset("[{("), frozenset("]})")


def refusal(code: int, status: object, subject: str) -> ClusterRefused:
    """Translate an answer that is no success; `status` is its decoded body, if it has one.

    `subject` names the object that was asked for, as "Secret web/token".
    """
    facts = status if isinstance(status, Mapping) else {}
    reason = str(facts.get("reason", "") or "")
    details = facts.get("details")
    kind = str(details.get("kind", "")) if isinstance(details, Mapping) else ""
    text = _message(facts, details) or f"the API server answered {code}"
    if code == _INTERNAL and _UNFIT_FOR_APPLY.match(text):
        # Server-side apply answers a field that does not exist with 500; asking again is useless.
        code, reason = _BAD_REQUEST, "BadRequest"
    if code == _INTERNAL and text == _TOO_LARGE_FOR_ETCD:
        # What an API server reads may be twice of what its storage takes; no dry run tells so.
        code, reason = _TOO_LARGE, "RequestEntityTooLarge"
        text = f"{subject or 'the object'} is too large to be stored: {text}"
    if code == _FORBIDDEN:
        reason = _passing(text, details) or reason
    secret = kind in ("secrets", "Secret") or subject.startswith("Secret")
    if code == _FORBIDDEN and _NOT_ALLOWED.fullmatch(text):
        secret = False
    names = _names(details, subject) if secret else None
    return ClusterRefused(
        scrub(text, names=names),
        code=code,
        api_reason=reason,
        object_reference=subject,
        causes=tuple((field, scrub(said, names=names)) for field, said in _causes(facts, details)),
    )


def scrub(text: str, names: frozenset[str] | None = None) -> str:
    """Take the values out of a message of the API server, and cut it to a readable length.

    With `names`, as for Secrets, each quoted string goes that is not one of them.
    """
    text = _GOT.sub("", "".join(_without_bad_values(text)))
    if names is not None:
        text = _STRING.sub(lambda m: m[0] if m[0][1:-1] in names else '"…"', text)
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"


def _message(facts: Mapping[str, Any], details: object) -> str:
    causes = _causes(facts, details)
    message = str(facts.get("message", "") or "")
    if not causes or " is invalid: " not in message:
        return message
    # Invalid objects: rebuilt from the causes, where a value cannot be taken for the text.
    head = message.partition(" is invalid: ")[0]
    parts = [f"{field}: {said}" for field, said in causes]
    return f"{head} is invalid: {'; '.join(parts)}"


def _passing(text: str, details: object) -> str:
    """Name why something is forbidden now that nobody forbade: it ends without anyone's edit."""
    causes = details.get("causes") if isinstance(details, Mapping) else None
    for cause in causes if isinstance(causes, list) else ():
        if isinstance(cause, Mapping) and cause.get("reason") == _NAMESPACE_TERMINATING:
            return _NAMESPACE_TERMINATING
    return "QuotaExceeded" if _EXCEEDED_QUOTA.search(text) else ""


def _causes(facts: Mapping[str, Any], details: object) -> tuple[tuple[str, str], ...]:
    """Return the fields of an invalid object and what is wrong with each."""
    causes = details.get("causes") if isinstance(details, Mapping) else None
    if facts.get("reason") != "Invalid":
        return ()
    return tuple(
        (str(cause.get("field", "")), str(cause.get("message", "")))
        for cause in causes or ()
        if isinstance(cause, Mapping)
    )


def _names(details: object, subject: str) -> frozenset[str]:
    name = str(details.get("name", "")) if isinstance(details, Mapping) else ""
    return frozenset({name, subject.rpartition("/")[2], subject.rpartition(" ")[2]} - {""})


def _without_bad_values(text: str) -> Iterator[str]:
    place = 0
    for found in _BAD_VALUE.finditer(text):
        if found.start() < place:
            continue
        end = _value_end(text, found.end())
        # "Invalid value: 5: must be less" keeps its second half.
        yield text[place : found.end() - 2]
        place = end
    yield text[place:]


def _value_end(text: str, start: int) -> int:
    first = text[start : start + 1]
    if first in ('"', "`"):
        string = _STRING.match(text, start)
        return string.end() if string else len(text)
    plain = _PLAIN_END.search(text, start)
    end = plain.end() if plain else len(text)
    opening = next((i for i in range(start, end) if text[i] in _OPENING), None)
    if opening is None:
        return end
    depth = 0
    for token in _TOKEN.finditer(text, opening):
        depth += (token.group() in _OPENING) - (token.group() in _CLOSING)
        if depth == 0:
            return token.end()
    return len(text)
